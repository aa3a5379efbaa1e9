"""When an object is up and running, and if it is not, what keeps it.

Every function here only reads objects; `waiting.py` watches and asks again. A kind without a rule
is ready as soon as it exists.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from plugins.kubernetes.cluster import Object
from plugins.kubernetes.state import annotation, name_of, namespace_of

_SHOWN = 4
"""Reasons told of one kind; a rollout of 50 pods fails 50 times for the same few reasons."""


_TOLD_BY_STATUS = {"BackOff", "Failed", "FailedScheduling"}
"""Reasons of events that repeat what the pod's status says better."""


@dataclass(frozen=True)
class Verdict:
    """Whether an object is ready; `failed` means that waiting longer is of no use."""

    state: Literal["ready", "waiting", "failed"]
    message: str = ""


class Find(Protocol):
    """Finds the objects of a kind in the judged object's namespace.

    By `key`, which is the name of the object, of the Service of an EndpointSlice, or the uid of
    what an Event is about; every one of them without.
    """

    def __call__(self, api_version: str, kind: str, key: str | None = None) -> list[Object]: ...


READY = Verdict("ready")


def verdict(obj: Object, find: Find) -> Verdict:
    """Whether a live object is ready."""
    rule = _RULES.get(f"{obj.get('apiVersion')}/{obj.get('kind')}")
    if rule is None or annotation(obj, "pulumi.com/skipAwait") == "true":
        return READY
    return rule(obj, find)


def is_judged(obj: Object) -> bool:
    """Whether there is anything to wait for with objects of this kind."""
    return f"{obj.get('apiVersion')}/{obj.get('kind')}" in _RULES


def is_judged_by_refresh(obj: Object) -> bool:
    """Whether a refresh looks if an object of this kind is ready.

    Of the others a refresh would make an error that no update can end, as of a released volume.
    """
    return f"{obj.get('apiVersion')}/{obj.get('kind')}" in _RUNNING


def problems(obj: Object, find: Find) -> list[str]:
    """What the cluster says against an object that is not ready, and against its pods."""
    pods = [pod for pod in _pods(obj, find) if not _pod_is_fine(pod)]
    found = [text for pod in pods for text in _pod_problems(pod)]
    for about in (obj, *pods):
        for event in find("v1", "Event", about["metadata"].get("uid", "")):
            if event.get("type") == "Warning" and event.get("reason") not in _TOLD_BY_STATUS:
                found.append(
                    f"[{about['kind']} {name_of(about)}] {event['reason']}: "
                    f"{event.get('message', '')}"
                )
    return list(dict.fromkeys(found))[:_SHOWN]


def _written(obj: Object) -> str:
    """When the object was last written by other than its controller; empty if that is not told.

    A condition from before says nothing of what was written: the rollout of a new template may be
    observed before the verdict on the old one is taken back.
    """
    entries = obj["metadata"].get("managedFields") or []
    return max(
        (entry.get("time", "") for entry in entries if not entry.get("subresource")), default=""
    )


def _deployment(obj: Object, _: Find) -> Verdict:
    spec, status = obj.get("spec", {}), obj.get("status", {})
    wanted = spec.get("replicas", 1)
    if spec.get("paused") or (wanted == 0 and obj["metadata"].get("generation") == 1):
        return READY
    if not _observed(obj):
        return Verdict("waiting", "waiting for the Deployment controller")
    progress = _condition(obj, "Progressing")
    if progress.get("reason") == "ProgressDeadlineExceeded":
        is_old = progress.get("lastUpdateTime", "") < _written(obj)
        waiting = Verdict("waiting", "waiting for the rollout to begin")
        return waiting if is_old else Verdict("failed", _reason(progress))
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    total = status.get("replicas", 0)
    failure = _condition(obj, "ReplicaFailure")
    if failure.get("status") == "True" and available < wanted:
        return Verdict("waiting", _reason(failure))
    if total > updated >= wanted:
        return Verdict("waiting", f"waiting for the new pods, {total - updated} old still running")
    updating = _enough(updated, wanted, "pods have the new template")
    return updating if updating != READY else _enough(available, wanted, "pods are available")


def _stateful_set(obj: Object, _: Find) -> Verdict:
    spec, status = obj.get("spec", {}), obj.get("status", {})
    if not _observed(obj):
        return Verdict("waiting", "waiting for the StatefulSet controller")
    wanted, strategy = spec.get("replicas", 1), spec.get("updateStrategy", {})
    ready = status.get("readyReplicas", 0)
    if ready < wanted:
        return _enough(ready, wanted, "pods are ready")
    if status.get("replicas", 0) > wanted:
        return Verdict("waiting", f"{status['replicas'] - wanted} pods are still to end")
    if strategy.get("type") != "OnDelete":
        updated = status.get("updatedReplicas", 0)
        kept = (strategy.get("rollingUpdate") or {}).get("partition", 0)
        # Once all are updated, the controller makes the new revision the current one.
        done = status.get("currentRevision") == status.get("updateRevision")
        if not done and (not kept or updated < wanted - kept):
            return Verdict("waiting", f"{updated} of {wanted} pods have the new template")
    return READY


def _daemon_set(obj: Object, _: Find) -> Verdict:
    status = obj.get("status", {})
    if not _observed(obj):
        return Verdict("waiting", "waiting for the DaemonSet controller")
    wanted = status.get("desiredNumberScheduled", 0)
    updated = status.get("updatedNumberScheduled", 0)
    strategy = obj.get("spec", {}).get("updateStrategy", {}).get("type")
    if strategy != "OnDelete" and updated < wanted:
        return Verdict("waiting", f"{updated} of {wanted} pods have the new template")
    return _enough(status.get("numberAvailable", 0), wanted, "pods are available")


def _job(obj: Object, _: Find) -> Verdict:
    status = obj.get("status", {})
    failed = _condition(obj, "Failed")
    if failed.get("status") == "True":
        return Verdict("failed", _reason(failed))
    if _condition(obj, "Complete").get("status") == "True" or obj["spec"].get("suspend"):
        return READY
    counts = ", ".join(f"{status.get(key, 0)} {key}" for key in ("active", "succeeded", "failed"))
    return Verdict("waiting", f"waiting for the Job to complete: {counts}")


def _pod(obj: Object, _: Find) -> Verdict:
    phase = obj.get("status", {}).get("phase")
    if phase == "Failed":
        return Verdict("failed", obj["status"].get("message") or "the pod failed")
    if phase == "Succeeded" or _condition(obj, "Ready").get("status") == "True":
        return READY
    return Verdict("waiting", "waiting for the pod to be ready")


def _service(obj: Object, find: Find) -> Verdict:
    spec = obj.get("spec", {})
    if spec.get("type") == "LoadBalancer" and not _published(obj):
        return Verdict(
            "waiting",
            "no address in .status.loadBalancer; it takes a cloud's controller or one like MetalLB",
        )
    selector = spec.get("selector")
    if not selector or spec.get("type") == "ExternalName" or spec.get("clusterIP") == "None":
        return READY
    slices = find("discovery.k8s.io/v1", "EndpointSlice", name_of(obj))
    endpoints = [endpoint for item in slices for endpoint in item.get("endpoints") or []]
    # The API says that a condition which is not there is true.
    if any(endpoint.get("conditions", {}).get("ready", True) for endpoint in endpoints):
        return READY
    selected = [pod for pod in _pods(obj, find) if not _pod_has_ended(pod)]
    if not selected:
        return READY
    return Verdict("waiting", f"none of the {len(selected)} pods it selects is ready")


def _ingress(obj: Object, _: Find) -> Verdict:
    if _published(obj):
        return READY
    name = obj.get("spec", {}).get("ingressClassName") or "the default one"
    return Verdict(
        "waiting",
        f"no address in .status.loadBalancer from the controller of ingress class {name}; if it"
        ' publishes none, set the annotation pulumi.com/skipAwait: "true"',
    )


def _claim(obj: Object, find: Find) -> Verdict:
    phase = obj.get("status", {}).get("phase")
    if phase == "Bound":
        return READY
    if phase == "Lost":
        return Verdict("failed", "the volume it was bound to no longer exists")
    name = obj.get("spec", {}).get("storageClassName")
    classes = find("storage.k8s.io/v1", "StorageClass", name) if name else []
    if any(item.get("volumeBindingMode") == "WaitForFirstConsumer" for item in classes):
        return READY
    return Verdict("waiting", f"waiting for a volume of storage class {name or 'none'}")


def _volume(obj: Object, _: Find) -> Verdict:
    phase = obj.get("status", {}).get("phase", "Pending")
    if phase in ("Available", "Bound"):
        return READY
    return Verdict("failed" if phase == "Failed" else "waiting", f"the volume is {phase}")


def _definition(obj: Object, _: Find) -> Verdict:
    accepted = _condition(obj, "NamesAccepted")
    if accepted.get("status") == "False":
        return Verdict("failed", _reason(accepted))
    if _condition(obj, "Established").get("status") == "True":
        return READY
    return Verdict("waiting", "waiting for the API server to serve the new kind")


def _autoscaler(obj: Object, _: Find) -> Verdict:
    # Its controller first looks after 15 s, so there is nothing to wait for when it is made.
    able = _condition(obj, "AbleToScale")
    return Verdict("waiting", _reason(able)) if able.get("status") == "False" else READY


def _quota(obj: Object, _: Find) -> Verdict:
    wanted, counted = (obj.get(part, {}).get("hard") or {} for part in ("spec", "status"))
    if wanted.keys() <= counted.keys():
        return READY
    return Verdict("waiting", "waiting for the quota to be counted")


_RULES: dict[str, Callable[[Object, Find], Verdict]] = {
    "apiextensions.k8s.io/v1/CustomResourceDefinition": _definition,
    "apps/v1/DaemonSet": _daemon_set,
    "apps/v1/Deployment": _deployment,
    "apps/v1/StatefulSet": _stateful_set,
    "autoscaling/v2/HorizontalPodAutoscaler": _autoscaler,
    "batch/v1/Job": _job,
    "networking.k8s.io/v1/Ingress": _ingress,
    "v1/PersistentVolume": _volume,
    "v1/PersistentVolumeClaim": _claim,
    "v1/Pod": _pod,
    "v1/ResourceQuota": _quota,
    "v1/Service": _service,
}
_RUNNING = {
    "apps/v1/DaemonSet",
    "apps/v1/Deployment",
    "apps/v1/StatefulSet",
    "batch/v1/Job",
    "networking.k8s.io/v1/Ingress",
    "v1/Pod",
    "v1/Service",
}


def _enough(number: int, wanted: int, what: str) -> Verdict:
    return READY if number >= wanted else Verdict("waiting", f"{number} of {wanted} {what}")


def _observed(obj: Object) -> bool:
    seen = obj.get("status", {}).get("observedGeneration", 0)
    return seen >= obj["metadata"].get("generation", 0)


def _published(obj: Object) -> bool:
    return bool(obj.get("status", {}).get("loadBalancer", {}).get("ingress"))


def _condition(obj: Object, kind: str) -> dict[str, Any]:
    found = obj.get("status", {}).get("conditions") or []
    return next((item for item in found if item.get("type") == kind), {})


def _reason(condition: dict[str, Any]) -> str:
    return f"[{condition.get('reason', '')}] {condition.get('message', '')}"


def _pods(obj: Object, find: Find) -> list[Object]:
    if obj["kind"] == "Pod":
        return [obj]
    selector = obj.get("spec", {}).get("selector")
    if obj["kind"] != "Service" and isinstance(selector, dict):
        selector = selector.get("matchLabels")
    if not isinstance(selector, dict) or not selector:
        return []
    return [
        pod
        for pod in find("v1", "Pod")
        if selector.items() <= (pod["metadata"].get("labels") or {}).items()
    ]


def _pod_has_ended(pod: Object) -> bool:
    ended = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
    return ended or "deletionTimestamp" in pod["metadata"]


def _pod_is_fine(pod: Object) -> bool:
    return _condition(pod, "Ready").get("status") == "True" or (
        pod.get("status", {}).get("phase") == "Succeeded"
    )


def _pod_problems(pod: Object) -> Iterator[str]:
    status = pod.get("status", {})
    title = f"[Pod {namespace_of(pod)}/{name_of(pod)}]"
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        yield f"{title} {scheduled.get('reason')}: {scheduled.get('message', '')}"
    for container in [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]:
        told = list(_container_problems(container))
        if told and not container.get("ready"):
            yield f"{title} container {container['name']}: {'; '.join(told)}"


def _container_problems(container: Object) -> Iterator[str]:
    waiting = container.get("state", {}).get("waiting") or {}
    if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
        yield ": ".join(filter(None, (waiting["reason"], waiting.get("message"))))
    ended = (
        container.get("state", {}).get("terminated")
        or container.get("lastState", {}).get("terminated")
        or {}
    )
    if ended.get("exitCode"):
        message = (ended.get("message") or "").strip()
        yield f"exit code {ended['exitCode']} ({ended.get('reason')})" + (
            f": {message}" if message else ""
        )
    elif container.get("state", {}).get("running") and not container.get("started", True):
        yield "has not passed its startup probe"
