"""Canaries of Flagger and their Deployments: the state of a progressive release in the cluster."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from math import ceil
from typing import Any

from commands import kubectl
from commands.errors import CommandError
from commands.pod_logs import PodLogs
from commands.pods import Pods
from components.istio_sidecar import INJECTION_LABEL
from components.labels import NAME_LABEL, PRIMARY, Identity
from settings import Settings

IN_PROGRESS = ("Progressing", "Waiting", "WaitingPromotion", "Promoting", "Finalising")
"""Phases of a release that Flagger has begun."""
INITIALIZING = ("", "Initializing")
"""Phases of the first deployment: Flagger creates the primary."""
_INTERVALS = 4
"""Intervals of Flagger besides steps and failed checks: it sees the change, starts the pods,
promotes, and routes the requests to the primary."""
_FOUR_DIGITS = 1000
_DURATION = re.compile(r"(\d+)([hms])")
_ACTION = re.compile(
    r'\{\{\s*(?:"(?P<text>\{\{)"|variables\.(?P<variable>\w+)|(?P<value>\w+))\s*\}\}'
)
"""Action of a Go template in the query of a MetricTemplate."""
_SECONDS = {"h": 3600, "m": 60, "s": 1}


@dataclass(frozen=True)
class Gate:
    """A check of Flagger: a query whose value has bounds."""

    name: str
    query: str
    minimum: float | None = None
    maximum: float | None = None

    def describe(self, value: float | None) -> str:
        """The value beside its bound, such as ``errors 0.2 ≤ 1``."""
        shown = "no data" if value is None else _number(value)
        is_violated = value is not None and self.is_violated(value)
        signs = ("<", ">") if is_violated else ("≥", "≤")
        bounds = [
            f" {sign} {_number(bound)}"
            for sign, bound, is_shown in (
                (signs[0], self.minimum, self._is_shown(value, self.minimum, is_minimum=True)),
                (signs[1], self.maximum, self._is_shown(value, self.maximum, is_minimum=False)),
            )
            if bound is not None and is_shown
        ]
        return f"{self.name} {shown}{''.join(bounds)}"

    def is_violated(self, value: float) -> bool:
        """True if the value is out of bounds. NaN is."""
        above = self.minimum is None or value >= self.minimum
        below = self.maximum is None or value <= self.maximum
        return not (above and below)

    def _is_shown(self, value: float | None, bound: float | None, *, is_minimum: bool) -> bool:
        """A violated gate shows the bound that is violated, others show both."""
        if value is None or bound is None or not self.is_violated(value):
            return True
        return value < bound if is_minimum else value > bound


@dataclass(frozen=True)
class CanaryState:
    """A Canary and its two Deployments at one time."""

    canary: Mapping[str, Any]
    target: Mapping[str, Any]
    """Deployment with the new version. Empty: there is none."""
    primary: Mapping[str, Any]
    """Deployment that Flagger makes, with the version that serves. Empty: there is none yet."""
    config: Mapping[str, Any]
    """Data of the target's ConfigMap."""
    primary_config: Mapping[str, Any] | None
    """Data of the primary's copy. ``None``: there is no copy."""

    @property
    def phase(self) -> str:
        """Phase of Flagger; empty before the first one."""
        return self._status.get("phase", "")

    @property
    def weight(self) -> int:
        """Percentage of the requests that the new version gets, besides those of an A/B test."""
        if self.is_ab_test:
            return 0  # Flagger's weight is that of the requests that match
        weight: int = self._status.get("canaryWeight", 0)
        # Flagger resets its status in these phases, but not the routes.
        if self.phase == "Promoting":
            return weight or max(self.weights, default=100)
        return max(self.weights, default=0) if self.phase == "WaitingPromotion" else weight

    @property
    def is_ab_test(self) -> bool:
        """True if only requests with a header or a cookie are routed to the new version."""
        return bool(self._analysis.get("match"))

    @property
    def failed_checks(self) -> int:
        """Failed checks since the last success of the release."""
        return self._status.get("failedChecks", 0)

    @property
    def threshold(self) -> int:
        """Number of failed checks that rolls back."""
        return self._analysis.get("threshold", 1)

    @property
    def interval_seconds(self) -> int:
        """Seconds between two checks. Flagger waits at least 10."""
        text = self._analysis.get("interval", "1m")
        seconds = sum(int(count) * _SECONDS[unit] for count, unit in _DURATION.findall(text))
        return max(10, seconds)

    @property
    def is_paused(self) -> bool:
        """True if Flagger leaves the release as it is."""
        return bool(self.canary["spec"].get("suspend"))

    @property
    def is_waiting(self) -> bool:
        """True if a manual gate is closed."""
        return self.phase.startswith("Waiting")

    @property
    def weights(self) -> Sequence[int]:
        """Weight of each step. Empty: the release has iterations instead."""
        if self.iterations:
            return ()
        if weights := self._analysis.get("stepWeights"):
            return weights
        step = self._analysis.get("stepWeight", 0)
        maximum = self._analysis.get("maxWeight", 100)
        return (*range(step, maximum, step), maximum) if step else ()

    @property
    def iterations(self) -> int:
        """Number of checks without a change of the weight."""
        return self._analysis.get("iterations", 0)

    @property
    def steps(self) -> int:
        """Number of steps."""
        return self.iterations or len(self.weights)

    @property
    def step(self) -> int:
        """The current step. 0: the new version gets no requests yet."""
        if self.phase in ("WaitingPromotion", "Promoting", "Finalising"):
            return self.steps
        if self.iterations:
            return min(self._status.get("iterations", 0), self.iterations)
        return sum(weight <= self.weight for weight in self.weights)

    @property
    def deadline_seconds(self) -> int:
        """Seconds in which a release is decided, from its start."""
        promotion = self._analysis.get("stepWeightPromotion", 0)
        promotions = ceil(max((*self.weights, 0)) / promotion) if promotion else 0
        checks = self.steps + promotions + self.threshold + _INTERVALS
        return checks * self.interval_seconds + 2 * self.rollout_seconds

    @property
    def rollout_seconds(self) -> int:
        """Seconds in which a Deployment gets its new pods ready."""
        return self.canary["spec"].get("progressDeadlineSeconds", 600)

    @property
    def phase_since(self) -> str:
        """Time of the last change of the phase, in RFC 3339; empty before the first one."""
        return self._condition.get("lastUpdateTime", "")

    @property
    def message(self) -> str:
        """Message of Flagger about the phase."""
        return self._condition.get("message", "")

    @property
    def canary_pods(self) -> Pods:
        """Pods of the new version."""
        return Pods.of(self.target)

    @property
    def primary_pods(self) -> Pods:
        """Pods of the version that serves."""
        return Pods.of(self.primary)

    @cached_property
    def revision(self) -> str:
        """Pods and configuration of the new version, as text that changes with them."""
        return _revision(self.target, self.config)

    @cached_property
    def primary_revision(self) -> str:
        """Pods and configuration of the version that serves, comparable with :attr:`revision`."""
        config = self.config if self.primary_config is None else self.primary_config
        return _revision(self.primary, config)

    @property
    def has_sidecar(self) -> bool:
        """True if the pods of the primary have a sidecar of Istio."""
        metadata = self.primary.get("spec", {}).get("template", {}).get("metadata", {})
        return INJECTION_LABEL in (metadata.get("labels") or {})

    @property
    def is_promoted(self) -> bool:
        """True if the primary has the pods and the configuration of the new version."""
        return bool(self.primary) and self.revision == self.primary_revision

    @property
    def progress(self) -> str:
        """Weight and step of a release in progress, or what it waits for."""
        match self.phase:
            case "Promoting":
                return "promotion: the new version replaces the pods of the previous one"
            case "Finalising":
                return "promotion: the requests are routed to the new pods"
            case "Waiting":
                return "waiting for `make resume` before the rollout"
        failed = f", {self.failed_checks} of {self.threshold} checks failed"
        parts = (
            "A/B test" if self.is_ab_test else f"{self.weight} %",
            f", {'check' if self.iterations else 'step'} {self.step} of {self.steps}",
            failed if self.failed_checks else "",
            ", waiting for `make resume` before the promotion" if self.is_waiting else "",
            ", paused" if self.is_paused else "",
        )
        return "".join(parts)

    @property
    def is_in_progress(self) -> bool:
        """True if Flagger has begun a release, or will with its next look at the Deployment."""
        return self.phase in IN_PROGRESS or (not self.is_promoted and self.phase != "Failed")

    def version(self, service: str) -> str | None:
        """The new version."""
        return _image(self.target, service)[0]

    def digest(self, service: str) -> str | None:
        """Digest of the new version."""
        return _image(self.target, service)[1]

    def served(self, service: str) -> tuple[str, str] | None:
        """Version and digest of the primary. ``None``: there is none."""
        version, digest = _image(self.primary, service)
        return (version, digest) if version and digest else None

    @property
    def _status(self) -> Mapping[str, Any]:
        return self.canary.get("status") or {}

    @property
    def _analysis(self) -> Mapping[str, Any]:
        return self.canary["spec"].get("analysis") or {}

    @property
    def _condition(self) -> Mapping[str, Any]:
        return next(iter(self._status.get("conditions") or ()), {})


class Canaries:
    """Canaries of a stack. Each method raises :class:`CommandError` if the cluster is not read."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self._namespace = settings.namespace.name
        self._context = settings.cluster.context
        self._environment = environment

    def read(self, services: Iterable[str]) -> Mapping[str, CanaryState]:
        """State of each of these services that has a Canary."""
        names = {service: self._name(service) for service in services}
        if not names:
            return {}
        targets = [
            f"{kind}/{name}{suffix}"
            for name in names.values()
            for kind, suffixes in (
                ("canaries.flagger.app", ("",)),
                ("deployments.apps", ("", PRIMARY)),
                ("configmaps", ("", PRIMARY)),
            )
            for suffix in suffixes
        ]
        try:
            items = self._get(*targets, "--ignore-not-found").get("items", ())
        except CommandError as error:
            if "doesn't have a resource type" in str(error):
                return {}  # Flagger is not installed yet
            raise
        found = {(one["kind"], one["metadata"]["name"]): one for one in items}
        states: dict[str, CanaryState] = {}
        for service, name in names.items():
            primary = f"{name}{PRIMARY}"
            if canary := found.get(("Canary", name)):
                config, copy = (found.get(("ConfigMap", one)) for one in (name, primary))
                states[service] = CanaryState(
                    canary,
                    found.get(("Deployment", name), {}),
                    found.get(("Deployment", primary), {}),
                    (config or {}).get("data") or {},
                    None if copy is None else copy.get("data") or {},
                )
        return states

    def gates(self, state: CanaryState) -> Sequence[Gate]:
        """Gates of a Canary whose queries are in MetricTemplates."""
        metrics = state.canary["spec"].get("analysis", {}).get("metrics") or ()
        templates = {
            one["metadata"]["name"]: one
            for one in self._get("metrictemplates.flagger.app").get("items", ())
        }
        return list(_gates(state.canary, metrics, templates))

    def events(self, state: CanaryState, since: datetime) -> Sequence[str]:
        """Messages of Flagger's events of a Canary, oldest first."""
        name = state.canary["metadata"]["name"]
        items = self._get(
            "events", "--field-selector", f"involvedObject.kind=Canary,involvedObject.name={name}"
        ).get("items", ())
        events = sorted((_event_time(one), one["message"]) for one in items)
        return [message for time, message in events if time >= since.timestamp()]

    def pod_logs(self, service: str) -> Sequence[str]:
        """State and last log lines of new pods, as :meth:`PodLogs.read`."""
        labels = {NAME_LABEL: service, "track": "progressive"}
        return PodLogs(self._namespace, service, labels, self._environment, self._context).read()

    def _name(self, service: str) -> str:
        return Identity(service, self._namespace, "progressive").object_name

    def _get(self, *arguments: str) -> dict[str, Any]:
        return kubectl.get(
            *arguments,
            *("--namespace", self._namespace),
            environment=self._environment,
            context=self._context,
        )


def _number(value: float) -> str:
    """A number with four digits, and all digits before the decimal point."""
    return f"{value:.0f}" if abs(value) >= _FOUR_DIGITS else f"{value:.4g}"


def _gates(
    canary: Mapping[str, Any],
    metrics: Iterable[Mapping[str, Any]],
    templates: Mapping[str, Mapping[str, Any]],
) -> Iterator[Gate]:
    spec, metadata = canary["spec"], canary["metadata"]
    target = spec["targetRef"]["name"]
    for metric in metrics:
        template = templates.get(metric.get("templateRef", {}).get("name", ""))
        if template is None:
            continue
        values = {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "target": target,
            "service": spec.get("service", {}).get("name") or target,
            "ingress": (spec.get("ingressRef") or {}).get("name", ""),
            "interval": metric.get("interval", "1m"),
        }
        variables = metric.get("templateVariables") or {}
        query = _rendered(template["spec"]["query"], values, variables)
        bounds = metric.get("thresholdRange") or {"max": metric.get("threshold")}
        yield Gate(metric["name"], query, bounds.get("min"), bounds.get("max"))


def _rendered(template: str, values: Mapping[str, str], variables: Mapping[str, str]) -> str:
    """Render the actions that queries have: values, variables, and the text ``{{``."""

    def value(match: re.Match[str]) -> str:
        if match["text"]:
            return match["text"]
        known = variables if match["variable"] else values
        return known.get(match["variable"] or match["value"], match[0])

    return _ACTION.sub(value, template)


def _image(deployment: Mapping[str, Any], service: str) -> tuple[str | None, str | None]:
    """Version and digest of the container that has the name of the service."""
    template = deployment.get("spec", {}).get("template", {})
    for container in template.get("spec", {}).get("containers", ()):
        if container["name"] == service:
            reference, _, digest = container["image"].partition("@")
            version = reference.rpartition("/")[2].partition(":")[2]
            label = template["metadata"].get("labels", {}).get("app.kubernetes.io/version")
            return version or label, digest or None
    return None, None


def _revision(deployment: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    template = deployment.get("spec", {}).get("template", {})
    metadata = template.get("metadata", {})
    # Flagger gives the primary another name label, an annotation, and copies of the configuration.
    labels = {**(metadata.get("labels") or {}), NAME_LABEL: ""}
    annotations = {
        key: value
        for key, value in (metadata.get("annotations") or {}).items()
        if key != "flagger-id"
    }
    content = (labels, annotations, _without_suffix(template.get("spec")), config)
    return json.dumps(content, sort_keys=True)


def _without_suffix(value: Any) -> Any:  # noqa: ANN401
    match value:
        case str():
            return value.removesuffix(PRIMARY)
        case dict():
            return {key: _without_suffix(one) for key, one in value.items()}
        case list():
            return [_without_suffix(one) for one in value]
    return value


def _event_time(event: Mapping[str, Any]) -> float:
    times = (event.get("lastTimestamp"), event.get("eventTime"), event.get("firstTimestamp"))
    text = next((one for one in times if one), None)
    return datetime.fromisoformat(text).timestamp() if text else 0
