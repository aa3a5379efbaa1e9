"""What the cluster of a stack has, read by kubectl."""

import json
import subprocess
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from commands.errors import FAILED, CommandError
from components.labels import COMMON_LABELS

READ_SECONDS = 20


def read(
    *arguments: str, environment: Mapping[str, str], context: str | None = None
) -> dict[str, Any]:
    """The answer to ``kubectl get``, as JSON. ``context`` is the kubeconfig's current one.

    Raises :class:`CommandError` where there is none.
    """
    command = [
        "kubectl",
        *(["--context", context] if context else []),
        *("get", *arguments, "--output", "json", f"--request-timeout={READ_SECONDS}s"),
    ]
    try:
        result = subprocess.run(
            command, env=dict(environment), capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise CommandError("there is no kubectl on the PATH: install it") from None
    if result.returncode != 0:
        raise CommandError(f"cannot read what runs: {result.stderr.strip()}", FAILED)
    # With --ignore-not-found there may be nothing at all.
    return json.loads(result.stdout.strip() or "{}")


def namespaces(names: Collection[str], *, environment: Mapping[str, str]) -> dict[str, str]:
    """The identity of each of these namespaces that the current cluster has.

    One that was made again has another, as has one of the same name in another cluster. Raises
    :class:`CommandError` as :func:`read`.
    """
    found = _namespaces(names, environment=environment)
    return {one["metadata"]["name"]: one["metadata"]["uid"] for one in found}


def foreign(
    names: Mapping[str, str], *, environment: Mapping[str, str], context: str | None = None
) -> list[str]:
    """Which of these namespaces, by their keys, the cluster has and the program has not made.

    Raises :class:`CommandError` as :func:`read`.
    """
    found = _namespaces(names.values(), environment=environment, context=context)
    theirs = {
        one["metadata"]["name"]
        for one in found
        if not COMMON_LABELS.items() <= one["metadata"].get("labels", {}).items()
    }
    return [key for key, name in names.items() if name in theirs]


def _namespaces(
    names: Iterable[str], *, environment: Mapping[str, str], context: str | None = None
) -> list[dict[str, Any]]:
    found = read(
        *("namespaces", *names, "--ignore-not-found"), environment=environment, context=context
    )
    # Of one name kubectl gives the object, of several a list.
    return found.get("items", [found] if found else [])
