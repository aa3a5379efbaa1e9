"""Who owns which field of a live object, as server-side apply records it."""

from typing import Any

from plugins.kubernetes.cluster import Object
from plugins.kubernetes.diff import Path

# Managers by which an object may have been made that is now the stack's: `kubectl apply` and
# `create`, and Pulumi's own plugin, which creates by POST. As prefixes of their names.
_PREDECESSORS = (
    ("kubectl", "Apply"),
    ("kubectl", "Update"),
    ("before-first-apply", "Update"),
    ("pulumi-kubernetes", "Update"),
    ("pulumi-resource-kubernetes", "Update"),
)


def is_others(live: Object, manager: str, path: Path) -> bool:
    """Whether a field is owned, but not by this manager. Of a list's items that is not told."""
    entries = live["metadata"].get("managedFields") or []
    owners = {entry["manager"] for entry in entries if _has(entry.get("fieldsV1") or {}, path)}
    return bool(owners) and manager not in owners


def has_predecessor(live: Object) -> bool:
    """Whether a manager owns fields that are the stack's to take over."""
    return any(map(_is_predecessor, live["metadata"].get("managedFields") or []))


def taken_over(live: Object, manager: str) -> list[dict[str, Any]]:
    """The object's managed fields with those of every predecessor made the manager's.

    Without this a field which the program no longer sets would stay for ever: its first owner is
    not there to give it up.
    """
    entries = live["metadata"].get("managedFields") or []
    kept = [entry for entry in entries if not _is_predecessor(entry)]
    mine = next((e for e in kept if e["manager"] == manager and e["operation"] == "Apply"), None)
    fields: dict[str, Any] = mine["fieldsV1"] if mine else {}
    for entry in entries:
        if _is_predecessor(entry):
            fields = _union(fields, entry.get("fieldsV1") or {})
    others = [entry for entry in kept if entry is not mine]
    own = {
        "manager": manager,
        "operation": "Apply",
        "apiVersion": live["apiVersion"],
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    return [*others, own]


def _is_predecessor(entry: dict[str, Any]) -> bool:
    return not entry.get("subresource") and any(
        entry.get("manager", "").startswith(prefix) and entry.get("operation") == operation
        for prefix, operation in _PREDECESSORS
    )


def _has(fields: dict[str, Any], path: Path) -> bool:
    for step in path:
        if f"f:{step}" not in fields:
            return False
        fields = fields[f"f:{step}"]
    return True


def _union(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    return left | {
        key: _union(left[key], fields) if key in left else fields for key, fields in right.items()
    }
