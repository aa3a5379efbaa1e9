"""Fields pass from the managers that made an object to the stack."""

from typing import Any

from plugins.kubernetes.ownership import has_predecessor, is_others, taken_over


def entry(manager: str, operation: str, fields: dict[str, Any], **more: str) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "fieldsV1": fields, **more}


def live(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "metadata": {"managedFields": list(entries)}}


def test_the_fields_of_every_predecessor_become_the_stacks():
    obj = live(
        entry("pulumi-kubernetes-1", "Apply", {"f:data": {"f:a": {}}}),
        entry("pulumi-kubernetes", "Update", {"f:data": {".": {}, "f:b": {}}}),
        entry("kubectl-client-side-apply", "Update", {"f:metadata": {"f:labels": {}}}),
        entry("controller", "Update", {"f:status": {}}, subresource="status"),
    )
    assert has_predecessor(obj)
    others, own = taken_over(obj, "pulumi-kubernetes-1")
    assert others["manager"] == "controller"
    assert (own["manager"], own["operation"]) == ("pulumi-kubernetes-1", "Apply")
    assert own["fieldsV1"] == {
        "f:data": {".": {}, "f:a": {}, "f:b": {}},
        "f:metadata": {"f:labels": {}},
    }


def test_what_controllers_and_other_stacks_own_stays_theirs():
    obj = live(
        entry("pulumi-kubernetes-2", "Apply", {"f:data": {}}),
        entry("horizontal-pod-autoscaler", "Update", {"f:spec": {}}),
        entry("kubectl-scale", "Update", {"f:spec": {}}, subresource="scale"),
    )
    assert not has_predecessor(obj)


def test_a_field_is_others_if_they_own_it_and_the_stack_does_not():
    replicas = {"f:spec": {"f:replicas": {}}}
    scaled = entry("kube-controller-manager", "Update", replicas, subresource="scale")
    mine = entry("mine", "Apply", {"f:spec": {"f:template": {"f:a": {}}}})
    obj = live(mine, scaled)
    assert is_others(obj, "mine", ("spec", "replicas"))
    assert not is_others(obj, "mine", ("spec", "template"))
    assert not is_others(obj, "mine", ("spec", "paused"))
    assert not is_others(
        live(entry("mine", "Apply", replicas), scaled), "mine", ("spec", "replicas")
    )
