"""What only a production stack has to keep."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from policy.objects import PROVIDER, Object, at, items, mapping
from policy.rule import Stack, rule
from policy.rules.availability import budgets_of, least_pods

PODS = 3
"""A pod can fail while another is taken away for a node drain."""
RETENTION_DAYS = 7
"""What happened last week can be compared with today."""
ZONE = "topology.kubernetes.io/zone"

_IN_DAYS = {"y": 365.0, "w": 7.0, "d": 1.0, "h": 1 / 24, "m": 1 / 1440, "s": 1 / 86400, "ms": 0.0}
_RETENTION = re.compile(
    r"""(?mx) (?: --storage\.tsdb\.retention\.time= | ^\s*["']?retention_period["']?:\s*["']? )
    ([0-9ywdhms]+)"""
)


@rule("replicas", compares=True, only="production")
def replicas(one: Object, stack: Stack) -> Iterator[str]:
    """Every Deployment has at least 3 pods."""
    if one.kind == "Deployment" and (least := least_pods(one, stack)) < PODS:
        yield f"it may have just {least}: set its autoscaler's minReplicas, or replicas, to {PODS}"


@rule("budgeted", compares=True, only="production")
def budgeted(one: Object, stack: Stack) -> Iterator[str]:
    """Every Deployment has a disruption budget."""
    if one.kind == "Deployment" and not budgets_of(one, stack):
        yield "add a PodDisruptionBudget that selects its pods"


@rule("rollout", only="production")
def rollout(one: Object, _: Stack) -> Iterator[str]:
    """A rollout of a Deployment takes no pod away before another is ready."""
    if one.kind != "Deployment":
        return
    unavailable = at(one.spec, "strategy", "rollingUpdate", "maxUnavailable")
    if at(one.spec, "strategy", "type") == "Recreate":
        yield "use strategy RollingUpdate with maxUnavailable 0"
    elif unavailable not in (0, "0%"):
        shown = "25% by default" if unavailable is None else unavailable
        yield f"strategy.rollingUpdate.maxUnavailable is {shown}: set it to 0"


@rule("zones", only="production")
def zones(one: Object, _: Stack) -> Iterator[str]:
    """The pods of a Deployment are spread over zones."""
    constraints = items(one.pod.spec, "topologySpreadConstraints") if one.pod else ()
    if one.kind == "Deployment" and not any(
        constraint.get("topologyKey") == ZONE for constraint in constraints
    ):
        yield f"add a topologySpreadConstraint over {ZONE}"


@rule("named-cluster", only="production")
def named_cluster(one: Object, _: Stack) -> Iterator[str]:
    """The cluster is named: whichever is current in a shell is not production by accident."""
    if one.kind == PROVIDER and not one.spec.get("context"):
        yield "name the kubeconfig's context in slipway:cluster.context"


@rule("no-debug", only="production")
def no_debug(one: Object, _: Stack) -> Iterator[str]:
    """No service runs with debugging, fault injection or profiling on."""
    if one.kind != "ConfigMap":
        return
    for key, text in mapping(one.manifest, "data").items():
        config = _mapping_in(key, text)
        for path in (("debug",), ("faults", "enabled"), ("profiling", "enabled"), ("profiling",)):
            if at(config, *path) is True:
                yield f"{key} sets {'.'.join(path)}: set slipway:config.{'.'.join(path)} to false"


@rule("retention", only="production")
def retention(one: Object, _: Stack) -> Iterator[str]:
    """Metrics and logs are kept for at least 7 days."""
    texts = [str(text) for text in mapping(one.manifest, "data").values()]
    for container in one.pod.containers if one.pod else ():
        texts += [str(argument) for argument in items(container.spec, "args")]
    for text in texts:
        for found in _RETENTION.finditer(text):
            if _days(found[1]) < RETENTION_DAYS:
                yield (
                    f"it keeps {found[1]}: set retentionDays in slipway:observability"
                    f" to at least {RETENTION_DAYS}"
                )


def _mapping_in(key: str, text: Any) -> Any:  # noqa: ANN401
    if not key.endswith((".yaml", ".yml", ".json")):
        return None
    try:
        return yaml.safe_load(str(text))
    except yaml.YAMLError:
        return None


def _days(duration: str) -> float:
    parts = re.findall(r"(\d+)(ms|[ywdhms])", duration)
    return sum(int(number) * _IN_DAYS[unit] for number, unit in parts)
