"""Status of everything that runs here, as a table."""

import subprocess
import time
from dataclasses import dataclass
from datetime import timedelta

from rich.console import Console
from rich.table import Table
from rich.text import Text

from local import registry
from local.addons import ADDONS
from local.daemon import Daemon
from local.errors import LocalError
from local.node import Node
from local.recipes import PLATFORM
from local.server_images import SERVERS

_DEBIAN_PACKAGES = {"containerd": "containerd", "registry": "docker-registry"}
"""Packages of the daemons that are Debian's."""


@dataclass(frozen=True)
class Row:
    """One part of the table. `healthy` selects the color and the result of `show`."""

    part: str
    state: str
    healthy: bool
    pid: str = ""
    uptime: str = ""
    version: str = ""
    log: str = ""


def show(node: Node, console: Console) -> bool:
    """Print every part and return True if all are healthy."""
    rows = [_pulumi(node), *_daemons(node), *_addons(node), *_images(node)]
    table = Table(box=None, pad_edge=False)
    for heading in ("PART", "STATE", "PID", "UP", "VERSION", "LOG"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        state = Text(row.state, "green" if row.healthy else "red")
        table.add_row(row.part, state, row.pid, row.uptime, row.version, row.log)
    console.print(table)
    console.print(f"Logs are in {node.paths.logs}.", style="dim", soft_wrap=True)
    return all(row.healthy for row in rows)


def _pulumi(node: Node) -> Row:
    if not node.machine.needs_pulumi:
        return Row("pulumi", "this machine's", True)
    built = (node.paths.bin / "pulumi").exists()
    state = "built" if built else "not built"
    return Row("pulumi", state, built, version=PLATFORM.version("pulumi"))


def _daemons(node: Node) -> list[Row]:
    rows = []
    if not node.machine.needs_builder:
        rows.append(Row("builder", "this machine's Docker", True))
    states = node.supervisor.states() if node.supervisor.running() else {}
    for daemon in node.daemons():
        state = states.get(daemon.name, {"statename": "STOPPED", "pid": 0})
        runs = state["statename"] == "RUNNING"
        healthy = runs and daemon.healthy()
        name = "healthy" if healthy else "unhealthy" if runs else state["statename"].lower()
        rows.append(
            Row(
                daemon.name,
                name,
                healthy,
                str(state["pid"] or ""),
                str(timedelta(seconds=int(time.time() - state["start"]))) if runs else "",
                _version(daemon),
                node.supervisor.log_of(daemon.name).name,
            )
        )
    return rows


def _addons(node: Node) -> list[Row]:
    if not node.machine.needs_node:
        return [Row("cluster", "yours, from KUBECONFIG", True)]
    try:
        unready = node.cluster.unready()
    except LocalError:
        unready = None
    rows = []
    for addon in ADDONS:
        ready = unready is not None and addon.workload not in unready
        state = "ready" if ready else "unknown" if unready is None else "not ready"
        log = f"-n {addon.namespace} deploy/{addon.name}"
        rows.append(Row(addon.name, state, ready, version=addon.version, log=log))
    return rows


def _images(node: Node) -> list[Row]:
    """A missing image is healthy: it is built when a stack first needs it."""
    if not node.machine.needs_node:
        return []
    rows = []
    for server in SERVERS:
        reference = server.reference
        stored = registry.has_tag(node.paths, reference.repository, reference.tag)
        state = "stored" if stored else "not built"
        rows.append(Row(f"image {server.key}", state, True, version=reference.tag))
    return rows


def _version(daemon: Daemon) -> str:
    if package := _DEBIAN_PACKAGES.get(daemon.name):
        query = ["dpkg-query", "--show", "--showformat=${Version}", package]
        return subprocess.run(query, capture_output=True, text=True, check=False).stdout
    if daemon.name == "etcd":
        return PLATFORM.version_of("go.etcd.io/etcd/server/v3")
    return PLATFORM.version(daemon.name if daemon.name in PLATFORM.programs else "kubernetes")
