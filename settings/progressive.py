"""``release.progressive`` of a service."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field

from settings.errors import MISSING, FieldError
from settings.prometheus_formats import PromQL
from settings.section import Section
from settings.string_formats import GateName, HeaderName, HeaderValue, UrlPath

ManualGate = Literal["rollout", "promotion"]
Step = Annotated[int, Field(ge=1, le=100)]
Bound = Annotated[float, Field(ge=-1e15, le=1e15)]
_DEFAULT_MAX_WEIGHT = 50
_SLO_GATES = ("availability", "latency", "requests", "cpu", "memory")
"""Names of the other gates."""


class QueryGate(Section):
    """PromQL query with one value, and its bounds. Without a value, the check fails."""

    name: GateName
    """Name of the gate."""
    query: PromQL
    """Query. `$selector` stands for the matchers of namespace, service and track of the new
    version."""
    min: Bound | None = None
    """Minimum value. Default: none."""
    max: Bound | None = None
    """Maximum value. Default: none."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        if self.min is None and self.max is None:
            yield FieldError("max", MISSING, "a bound: min, max or both")
        elif self.min is not None and self.max is not None and self.min > self.max:
            yield FieldError("min", self.min, f"at most max, which is {self.max:g}")


class Gates(Section):
    """Checks of the new version. All of them have to pass before its weight is raised."""

    availability: bool = True
    """Checks the availability against the objective of `slo`, and against stable's."""
    latency: bool = True
    """Checks the latency against the objective of `slo`, and against stable's."""
    cpu: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Maximum CPU usage of the pods, percent of their request. Default: none."""
    memory: Annotated[int, Field(ge=1, le=100)] | None = None
    """Maximum memory usage of a pod, percent of its limit. Default: none."""
    queries: Annotated[tuple[QueryGate, ...], Field(strict=False, max_length=20)] = ()
    """Further gates."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        names = [gate.name for gate in self.queries]
        for number, name in enumerate(names):
            if name in names[:number]:
                yield FieldError(f"queries[{number}].name", name, "each name once")
            if any(name == one or name.startswith(f"{one}-") for one in _SLO_GATES):
                allowed = f"a name that does not begin with {', '.join(_SLO_GATES)}"
                yield FieldError(f"queries[{number}].name", name, allowed)


class Match(Section):
    """A/B test: requests with the header or with the cookie are routed to the new version."""

    header: HeaderName | None = None
    """Header name. Default: none."""
    header_value: HeaderValue = "always"
    """Value of the header."""
    cookie: HeaderName | None = None
    """Name of a cookie with the value `always`. Default: none."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        if self.header is None and self.cookie is None:
            yield FieldError("header", MISSING, "the name of a header, or add match.cookie")


class Load(Section):
    """Requests that Flagger's load tester sends to the new version while it is checked."""

    requests_per_second: Annotated[int, Field(ge=1, le=1000)] = 10
    """Requests per second."""
    path: UrlPath = "/"
    """Path of the requests, with the method GET."""


class Progressive(Section):
    """Canary of Flagger: steps of the weight, and the checks before each of them."""

    steps: Annotated[tuple[Step, ...], Field(strict=False, min_length=1, max_length=100)] = (
        *(10, 25, 50),
    )
    """Percentages of requests routed to the new version, rising. After the last, it is promoted."""
    step_weight: Step | None = None
    """Instead of `steps`: percentage by which each step raises the weight."""
    max_weight: Step | None = None
    """Highest weight before the promotion. Default: the last of `steps`; 50 with `stepWeight`."""
    promotion_step_weight: Step | None = None
    """Percentage by which each step of the promotion returns requests to the pods of stable.
    Default: all at once."""
    interval_seconds: Annotated[int, Field(ge=10, le=3600)] = 60
    """Seconds between two checks, and between two steps."""
    paused: bool = False
    """Keeps the weight as it is: no checks, no steps, no rollback. `make pause` and `make resume`
    set it."""
    threshold: Annotated[int, Field(ge=1, le=1000)] = 5
    """Number of failed checks of a release after which it is rolled back."""
    min_requests: Annotated[int, Field(ge=0, le=1_000_000)] = 10
    """Requests to the new version in the window of the gates, without which a check fails. The
    window is a minute, or as long as four scrapes."""
    iterations: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Instead of steps: number of checks before all requests are routed to the new version at
    once. Default: none."""
    match: Match | None = None
    """A/B test for the number of `iterations`. Default: none."""
    mirror: bool = False
    """Sends a copy of each request to the new version during the `iterations`, and drops the
    responses. Needs a Gateway whose implementation can mirror: not Traefik."""
    gates: Gates = Gates.model_construct()
    manual: Annotated[tuple[ManualGate, ...], Field(strict=False, max_length=2)] = ()
    """Waits for `make resume` before the `rollout`, or before the `promotion`."""
    load: Load | None = None
    """For a service without requests at night. Default: none."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        given = self.model_fields_set
        if self.iterations is not None:
            for name in ("steps", "step_weight", "max_weight", "promotion_step_weight"):
                if name in given and getattr(self, name) is not None:
                    allowed = "null, or remove steps, stepWeight, maxWeight, promotionStepWeight"
                    yield FieldError("iterations", self.iterations, allowed)
                    break
            if not (self.match or self.mirror or self.load):
                allowed = "null, or add match, mirror or load: without requests no check passes"
                yield FieldError("iterations", self.iterations, allowed)
        else:
            yield from self._step_errors()
        if self.match and self.mirror:
            yield FieldError("mirror", self.mirror, "false, or remove match")
        if len(set(self.manual)) < len(self.manual):
            yield FieldError("manual", self.manual, "each gate once")

    def _step_errors(self) -> Iterator[FieldError]:
        if self.step_weight is not None:
            if "steps" in self.model_fields_set:
                yield FieldError("stepWeight", self.step_weight, "null, or remove steps")
            elif self.step_weight > self.highest_weight:
                allowed = f"at most maxWeight, which is {self.highest_weight}"
                yield FieldError("stepWeight", self.step_weight, allowed)
        else:
            if any(later <= earlier for earlier, later in pairwise(self.steps)):
                yield FieldError("steps", self.steps, "rising percentages, like [10, 25, 50]")
            if self.max_weight is not None and max(self.steps) > self.max_weight:
                allowed = f"at most maxWeight, which is {self.max_weight}"
                yield FieldError("steps", self.steps, allowed)
        for key, value in (("match", self.match), ("mirror", self.mirror)):
            if value:
                allowed = f"the number of checks of the test: {key} has no steps"
                yield FieldError("iterations", MISSING, allowed)

    @property
    def highest_weight(self) -> int:
        """Percentage of requests that the new version gets at most before the promotion."""
        if self.iterations is not None:
            return 100
        if self.step_weight is not None:
            return self.max_weight or _DEFAULT_MAX_WEIGHT
        return self.steps[-1]

    @property
    def weights(self) -> tuple[int, ...]:
        """Weight of each step. Empty with ``iterations``."""
        if self.iterations is not None:
            return ()
        if self.step_weight is None:
            return self.steps
        highest = self.highest_weight
        return (*range(self.step_weight, highest, self.step_weight), highest)

    @property
    def needs_load_tester(self) -> bool:
        """True if Flagger's load tester answers for a manual gate or sends requests."""
        return bool(self.manual or self.load)
