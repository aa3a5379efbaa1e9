"""Objects that a sync never deletes."""

from render import RenderedObject

_WITH_DATA = ("Namespace", "PersistentVolumeClaim")


def is_protected(one: RenderedObject) -> bool:
    """Return True if the deletion of an object would delete data, or objects of other stacks."""
    return one.is_retained or one.manifest["kind"] in _WITH_DATA
