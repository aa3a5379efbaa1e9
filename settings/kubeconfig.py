"""Clusters of a kubeconfig."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from settings.cluster import Cluster
from settings.errors import FieldError, SettingsError
from settings.schema import PROJECT


def check_server(cluster: Cluster, stack_file: str, environment: Mapping[str, str]) -> None:
    """Raise :class:`SettingsError` if the kubeconfig has another server than ``cluster.server``."""
    if cluster.server is None:
        return
    context, server = _server(cluster.context, environment)
    if server != cluster.server:
        found = f"{server}, which context {context} has" if server else "the server of a context"
        allowed = f"{found} in the kubeconfig, or another kubeconfig"
        error = FieldError(f"{PROJECT}:cluster.server", cluster.server, allowed)
        raise SettingsError(stack_file, [str(error)])


def _server(context: str | None, environment: Mapping[str, str]) -> tuple[str | None, str | None]:
    """A context, by default the current one, and the URL of its API server. None: it has none."""
    files = [*_files(environment)]
    name = context or next((one for file in files if (one := file.get("current-context"))), None)
    found = _entry(files, "context", name)
    return name, _entry(files, "cluster", found.get("cluster")).get("server")


def _entry(files: list[dict[str, Any]], kind: str, name: str | None) -> dict[str, Any]:
    """The first entry of a name, as kubectl merges several files."""
    lists = (found for file in files if isinstance(found := file.get(f"{kind}s"), list))
    entries = (one for found in lists for one in found if isinstance(one, dict))
    entry = next((one.get(kind) for one in entries if one.get("name") == name), None)
    return entry if isinstance(entry, dict) else {}


def _files(environment: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    given = environment.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    for path in map(Path, filter(None, given.split(os.pathsep))):
        try:
            content = yaml.safe_load(path.read_text())
        except (OSError, ValueError, yaml.YAMLError):
            continue  # the message of Pulumi's provider is better
        if isinstance(content, dict):
            yield content
