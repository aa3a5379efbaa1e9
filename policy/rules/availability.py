"""How many pods there are, and how many may go away."""

from collections.abc import Iterator
from typing import Any

from policy.objects import Object, at, items, mapping, selects
from policy.rule import Stack, rule

SCALED = ("Deployment", "StatefulSet")
_MOST = 100  # percent


def autoscaler_of(one: Object, stack: Stack) -> Object | None:
    """The autoscaler that owns a workload's number of pods."""
    for scaler in stack.of_kind("HorizontalPodAutoscaler"):
        target = mapping(scaler.spec, "scaleTargetRef")
        same = (target.get("kind"), target.get("name")) == (one.kind, one.name)
        if same and scaler.namespace == one.namespace:
            return scaler
    return None


def least_pods(one: Object, stack: Stack) -> int:
    """The number of pods that a workload has at least."""
    scaler = autoscaler_of(one, stack)
    least = scaler.spec.get("minReplicas") if scaler else one.spec.get("replicas")
    return int(least) if least is not None else 1


def budgets_of(one: Object, stack: Stack) -> list[Object]:
    """The disruption budgets that count a workload's pods."""
    labels = one.pod.labels if one.pod else {}
    return [
        budget
        for budget in stack.of_kind("PodDisruptionBudget")
        if budget.namespace == one.namespace and selects(budget.spec.get("selector"), labels)
    ]


@rule("autoscaler-bounds", compares=True)
def autoscaler_bounds(one: Object, stack: Stack) -> Iterator[str]:
    """An autoscaler has room, scales something that is there, and is the only one to do so."""
    if one.kind == "HorizontalPodAutoscaler":
        least, most = one.spec.get("minReplicas", 1), one.spec.get("maxReplicas", 0)
        if least >= most:
            yield f"minReplicas is {least} and maxReplicas {most}: make maxReplicas the larger"
        target = mapping(one.spec, "scaleTargetRef")
        if not any(
            autoscaler_of(other, stack) == one for other in stack.of_kind(str(target.get("kind")))
        ):
            yield (
                f"it scales {target.get('kind')}/{target.get('name')}, which is not in this"
                " stack: correct scaleTargetRef"
            )
    elif one.kind in SCALED and "replicas" in one.spec and autoscaler_of(one, stack):
        yield "remove replicas: its autoscaler owns the number, and each update would reset it"


@rule("disruption-budget", compares=True)
def disruption_budget(one: Object, stack: Stack) -> Iterator[str]:
    """A disruption budget lets at least one pod go, or no node could be drained."""
    if one.kind != "PodDisruptionBudget":
        return
    unavailable, available = one.spec.get("maxUnavailable"), one.spec.get("minAvailable")
    counted = [other for other in stack.of_kind(*SCALED) if one in budgets_of(other, stack)]
    if not counted:
        yield "it counts no pod of this stack: correct its selector"
    if unavailable is not None and _of(unavailable, _MOST) < 1:
        yield f"maxUnavailable is {unavailable}: let at least 1 pod go"
    for other in counted:
        least = least_pods(other, stack)
        if available is not None and _of(available, least) >= least:
            yield (
                f"minAvailable is {available} and {other.title} may have just {least}:"
                " keep fewer available, or run more pods"
            )


def _of(value: Any, whole: int) -> int:  # noqa: ANN401  # a number, or a percentage as text
    """A number of pods: percentages are rounded up, as the API server does."""
    if isinstance(value, str) and value.endswith("%"):
        return -(-int(value[:-1]) * whole // _MOST)
    return int(value)


@rule("network-policy", compares=True)
def network_policy(one: Object, stack: Stack) -> Iterator[str]:
    """Every pod's traffic is restricted by a NetworkPolicy, both ways."""
    if one.pod is None:
        return
    restricted = {
        direction
        for policy in stack.of_kind("NetworkPolicy")
        if policy.namespace == one.namespace
        and selects(mapping(policy.spec, "podSelector"), one.pod.labels)
        for direction in items(policy.spec, "policyTypes") or _default_types(policy)
    }
    if missing := [way for way in ("Ingress", "Egress") if way not in restricted]:
        yield f"add a NetworkPolicy that selects its pods, with policyTypes {', '.join(missing)}"


def _default_types(policy: Object) -> list[str]:
    return ["Ingress", *(["Egress"] if at(policy.spec, "egress") else [])]
