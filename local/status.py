"""What runs, as a table."""

import subprocess
import time
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from local import images
from local.addons import ADDONS
from local.daemon import Service
from local.errors import LocalError
from local.node import Node
from local.recipes import PLATFORM
from local.server_images import SERVERS

_DEBIAN = {"containerd": "containerd", "registry": "docker-registry"}
"""Services that are Debian's, and their packages."""


@dataclass(frozen=True)
class Row:
    """One part. `healthy` decides the colour, and the answer of `show`."""

    part: str
    state: str
    healthy: bool
    pid: str = ""
    uptime: str = ""
    version: str = ""
    log: str = ""


def show(node: Node, console: Console) -> bool:
    """Prints every part; says whether all of them are as they should be."""
    rows = [_pulumi(node), *_services(node), *_workloads(node), *_images(node)]
    table = Table(box=None, pad_edge=False)
    for heading in ("PART", "STATE", "PID", "UP", "VERSION", "LOG"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        state = Text(row.state, "green" if row.healthy else "red")
        table.add_row(row.part, state, row.pid, row.uptime, row.version, row.log)
    console.print(table)
    console.print(f"Logs are in {node.at.logs}.", style="dim", soft_wrap=True)
    return all(row.healthy for row in rows)


def _pulumi(node: Node) -> Row:
    if not node.has.needs_pulumi:
        return Row("pulumi", "this machine's", True)
    built = (node.at.bin / "pulumi").exists()
    return Row(
        "pulumi", "built" if built else "not built", built, version=PLATFORM.version("pulumi")
    )


def _services(node: Node) -> list[Row]:
    rows = []
    if not node.has.needs_builder:
        rows.append(Row("builder", "this machine's Docker", True))
    states = node.supervisor.states() if node.supervisor.running() else {}
    for service in node.services():
        state = states.get(service.name, {"statename": "STOPPED", "pid": 0})
        runs = state["statename"] == "RUNNING"
        healthy = runs and service.healthy()
        told = "healthy" if healthy else "not answering" if runs else state["statename"].lower()
        rows.append(
            Row(
                service.name,
                told,
                healthy,
                str(state["pid"] or ""),
                _duration(time.time() - state["start"]) if runs else "",
                _version(service),
                node.supervisor.log_of(service.name).name,
            )
        )
    return rows


def _workloads(node: Node) -> list[Row]:
    if not node.has.needs_node:
        return [Row("cluster", "yours, by KUBECONFIG", True)]
    try:
        unready = node.cluster.unready()
    except LocalError:
        unready = None
    rows = []
    for addon in ADDONS:
        ready = unready is not None and addon.workload not in unready
        told = "ready" if ready else "unknown" if unready is None else "not ready"
        log = f"-n {addon.namespace} deploy/{addon.name}"
        rows.append(Row(addon.name, told, ready, version=addon.version, log=log))
    return rows


def _images(node: Node) -> list[Row]:
    """Not there is no fault: they are built when a stack first needs them."""
    if not node.has.needs_node:
        return []
    rows = []
    for server in SERVERS:
        known = server.reference
        stored = images.has_tag(node.at, known.repository, known.tag)
        state = "stored" if stored else "not built"
        rows.append(Row(f"image {server.key}", state, True, version=known.tag))
    return rows


def _version(service: Service) -> str:
    if package := _DEBIAN.get(service.name):
        asked = ["dpkg-query", "--show", "--showformat=${Version}", package]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    if service.name == "etcd":
        return PLATFORM.version_of("go.etcd.io/etcd/server/v3")
    return PLATFORM.version("buildkitd" if service.name == "buildkitd" else "kubernetes")


def _duration(seconds: float) -> str:
    minutes, hours, days = int(seconds) // 60, int(seconds) // 3600, int(seconds) // 86_400
    if days:
        return f"{days}d{hours % 24}h"
    if hours:
        return f"{hours}h{minutes % 60}m"
    return f"{minutes}m{int(seconds) % 60}s"
