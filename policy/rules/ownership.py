"""Whose an object is."""

from collections.abc import Iterator

from policy.objects import PROVIDER, Object
from policy.rule import Stack, rule

OWNER = ("app.kubernetes.io/name", "app.kubernetes.io/part-of", "app.kubernetes.io/managed-by")


@rule("owner-labels")
def owner_labels(one: Object, _: Stack) -> Iterator[str]:
    """Every object says what it is, what it is part of and what manages it."""
    missing = [label for label in OWNER if not one.labels.get(label)]
    if missing and one.kind != PROVIDER:
        yield f"add the labels {', '.join(missing)}: components take them from Identity.labels"
