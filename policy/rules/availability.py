"""Rules for availability: replicas, autoscalers, disruption budgets and rollouts."""

from collections.abc import Callable, Iterator
from typing import Any

from policy.objects import Object, get, get_list, get_mapping, selector_matches
from policy.rule import Stack, rule

MIN_REPLICAS = 3
"""One pod may fail while a node drain evicts another."""
NAME = "app.kubernetes.io/name"
ZONE = "topology.kubernetes.io/zone"
_SCALABLE = ("Deployment", "StatefulSet")


def autoscaler_of(obj: Object, stack: Stack) -> Object | None:
    """HorizontalPodAutoscaler of a workload."""
    for scaler in stack.of_kind("HorizontalPodAutoscaler"):
        target = get_mapping(scaler.spec, "scaleTargetRef")
        targets_it = (target.get("kind"), target.get("name")) == (obj.kind, obj.name)
        if targets_it and scaler.namespace == obj.namespace:
            return scaler
    return None


def min_replicas_of(obj: Object, stack: Stack) -> int:
    """Minimum number of replicas of a workload."""
    scaler = autoscaler_of(obj, stack)
    replicas = scaler.spec.get("minReplicas") if scaler else obj.spec.get("replicas")
    return 1 if replicas is None else int(replicas)


def budgets_of(obj: Object, stack: Stack) -> list[Object]:
    """PodDisruptionBudgets that select a workload's pods."""
    return [
        budget
        for budget in stack.of_kind("PodDisruptionBudget")
        if obj.pod
        and budget.namespace == obj.namespace
        and selector_matches(budget.spec.get("selector"), obj.pod.labels)
    ]


@rule("autoscaler", needs_stack=True)
def autoscaler(obj: Object, stack: Stack) -> Iterator[str]:
    """An autoscaler can scale up, targets an existing workload and alone sets its replicas."""
    if obj.kind == "HorizontalPodAutoscaler":
        minimum, maximum = obj.spec.get("minReplicas", 1), obj.spec.get("maxReplicas", 0)
        if minimum >= maximum:
            yield f"minReplicas is {minimum} and maxReplicas {maximum}: increase maxReplicas"
        target = get_mapping(obj.spec, "scaleTargetRef")
        kind, name = str(target.get("kind")), target.get("name")
        if not any(autoscaler_of(other, stack) == obj for other in stack.of_kind(kind)):
            yield f"scaleTargetRef names {kind}/{name}, which is not in this stack: correct it"
    elif obj.kind in _SCALABLE and "replicas" in obj.spec and autoscaler_of(obj, stack):
        yield "remove replicas: each update would reset the number that its autoscaler set"


@rule("disruptions-allowed", needs_stack=True)
def disruptions_allowed(obj: Object, stack: Stack) -> Iterator[str]:
    """A PodDisruptionBudget allows at least one disruption, so that nodes can be drained."""
    if obj.kind != "PodDisruptionBudget":
        return
    max_unavailable, min_available = obj.spec.get("maxUnavailable"), obj.spec.get("minAvailable")
    selected = [other for other in stack.of_kind(*_SCALABLE) if obj in budgets_of(other, stack)]
    if not selected and not any(map(_selects_primary(obj, stack), stack.of_kind("Canary"))):
        yield "it selects no pod of this stack: correct its selector"
    if max_unavailable is not None and _number_of_pods(max_unavailable, 100) < 1:
        yield f"maxUnavailable is {max_unavailable}: set it to at least 1"
    for other in selected:
        replicas = min_replicas_of(other, stack)
        if min_available is not None and _number_of_pods(min_available, replicas) >= replicas:
            yield (
                f"minAvailable is {min_available} and {other} may have only {replicas} pods:"
                " reduce minAvailable, or increase the minimum number of replicas"
            )


def _selects_primary(budget: Object, stack: Stack) -> Callable[[Object], bool]:
    """Return whether the budget selects the pods of the primary that Flagger makes of a Canary.

    They have the labels of the target's pods, and a name with the suffix ``-primary``.
    """

    def selects(canary: Object) -> bool:
        target = get_mapping(canary.spec, "targetRef")
        return any(
            selector_matches(
                budget.spec.get("selector"),
                {**other.pod.labels, NAME: f"{other.pod.labels.get(NAME)}-primary"},
            )
            for other in stack.of_kind(str(target.get("kind")))
            if other.pod
            and other.name == target.get("name")
            and other.namespace == budget.namespace == canary.namespace
        )

    return selects


def _number_of_pods(int_or_percent: Any, replicas: int) -> int:  # noqa: ANN401
    """Round a percentage up, as the API server does."""
    if isinstance(int_or_percent, str) and int_or_percent.endswith("%"):
        return -(-int(int_or_percent[:-1]) * replicas // 100)
    return int(int_or_percent)


@rule("min-replicas", needs_stack=True, environment="production")
def min_replicas(obj: Object, stack: Stack) -> Iterator[str]:
    """Deployments have at least 3 replicas."""
    if obj.kind == "Deployment" and (replicas := min_replicas_of(obj, stack)) < MIN_REPLICAS:
        yield (
            f"it may have only {replicas} replicas: set its autoscaler's minReplicas,"
            f" or replicas, to {MIN_REPLICAS}"
        )


@rule("disruption-budget", needs_stack=True, environment="production")
def disruption_budget(obj: Object, stack: Stack) -> Iterator[str]:
    """Deployments have a PodDisruptionBudget."""
    if obj.kind == "Deployment" and not budgets_of(obj, stack):
        yield "add a PodDisruptionBudget that selects its pods"


@rule("max-unavailable", environment="production")
def max_unavailable(obj: Object, _: Stack) -> Iterator[str]:
    """Rolling updates of Deployments keep the full number of pods available."""
    if obj.kind != "Deployment":
        return
    unavailable = get(obj.spec, "strategy", "rollingUpdate", "maxUnavailable")
    if get(obj.spec, "strategy", "type") == "Recreate":
        yield "use strategy RollingUpdate with maxUnavailable 0"
    elif unavailable not in (0, "0%"):
        value = "25% by default" if unavailable is None else unavailable
        yield f"strategy.rollingUpdate.maxUnavailable is {value}: set it to 0"


@rule("topology-spread", environment="production")
def topology_spread(obj: Object, _: Stack) -> Iterator[str]:
    """The pods of Deployments are spread over zones."""
    if obj.kind == "Deployment" and obj.pod:
        constraints = get_list(obj.pod.spec, "topologySpreadConstraints")
        if not any(constraint.get("topologyKey") == ZONE for constraint in constraints):
            yield f"add a topologySpreadConstraint with topologyKey {ZONE}"
