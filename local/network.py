"""The bridge of the node: the pod network and the node's address."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from local import layout
from local.errors import LocalError

_SYSCTLS = {
    "net/ipv4/ip_forward": "1",
    # Without it iptables would not rewrite traffic between pods on the bridge, and Services would
    # not work there.
    "net/bridge/bridge-nf-call-iptables": "1",
    # Lets host ports on 127.0.0.1 reach pods.
    f"net/ipv4/conf/{layout.BRIDGE}/route_localnet": "1",
}

_CHAINS = ("KUBE-", "CNI-", "SLIPWAY-")
"""Prefixes of the iptables chains of kube-proxy, the kubelet, kube-router, the CNI plugins and of
this module."""
_IP_SETS = ("KUBE-SRC-", "KUBE-DST-", "kube-router-")
"""Prefixes of kube-router's IP sets."""

_OTHER_INTERFACES = "SLIPWAY-PREROUTING"
"""Chain that drops packets from other interfaces to addresses that exist on this machine only."""

_FORWARD = (("-i", layout.BRIDGE), ("-o", layout.BRIDGE))


def create(home: Path) -> None:
    """Create or repair the bridge, with `home` as its alias.

    Raises `LocalError` if the bridge belongs to the node of another home: two nodes would have the
    same addresses.
    """
    if (found := owner()) and found != home:
        raise LocalError(
            f"The node of {found} runs on this machine, and only one node can run: stop it with "
            f"`SLIPWAY_HOME={found} python -m local down`."
        )
    _refuse_foreign_routes()
    if not _has_bridge():
        _ip("link", "add", layout.BRIDGE, "type", "bridge")
    if owner() != home:
        _ip("link", "set", layout.BRIDGE, "alias", str(home))
    _ip(
        "address",
        "replace",
        f"{layout.NODE_IP}/{layout.POD_NETWORK.prefixlen}",
        "dev",
        layout.BRIDGE,
    )
    _ip("link", "set", layout.BRIDGE, "up")
    # Until kube-proxy has programmed a Service, packets to its cluster IP would take the default
    # route, where another host may respond.
    _ip("route", "replace", str(layout.SERVICE_NETWORK), "dev", layout.BRIDGE)
    for name, value in _SYSCTLS.items():
        path = Path("/proc/sys") / name
        if path.exists() and path.read_text().strip() != value:
            path.write_text(value)
    _drop_from_other_interfaces()
    for direction in _FORWARD:
        # Some firewalls, such as Docker's, drop forwarded packets by default.
        if not _iptables("-C", "FORWARD", *direction, "-j", "ACCEPT", check=False):
            _iptables("-A", "FORWARD", *direction, "-j", "ACCEPT")


def remove(home: Path) -> None:
    """Remove the bridge and the iptables rules and chains of the node of `home`."""
    if not _has_bridge() or owner() != home:
        return
    _ip("link", "delete", layout.BRIDGE)
    for direction in _FORWARD:
        _iptables("-D", "FORWARD", *direction, "-j", "ACCEPT", check=False)
    for table in ("filter", "nat", "mangle"):
        _remove_chains(table)
    _remove_ip_sets()


def owner() -> Path | None:
    """Home of the node that created the bridge, or None without a bridge."""
    alias = Path("/sys/class/net") / layout.BRIDGE / "ifalias"
    return Path(alias.read_text().strip()) if alias.exists() and alias.read_text().strip() else None


def _drop_from_other_interfaces() -> None:
    """Drop packets for pods, Services and the API server that another machine has sent.

    Linux accepts packets for any of its addresses on any interface, and forwards to the bridge.
    Responses to pods are not affected: they have the machine's own address until they pass the NAT.
    """
    rules = [
        *(f"-i {interface} -j RETURN" for interface in ("lo", layout.BRIDGE)),
        *(f"-d {network} -j DROP" for network in (layout.POD_NETWORK, layout.SERVICE_NETWORK)),
    ]
    script = [
        "*mangle",
        f":{_OTHER_INTERFACES} - [0:0]",
        *(f"-A {_OTHER_INTERFACES} {rule}" for rule in rules),
        "COMMIT",
    ]
    _iptables_restore(script)
    jump = ("PREROUTING", "-j", _OTHER_INTERFACES)
    if not _iptables("-t", "mangle", "-C", *jump, check=False):
        _iptables("-t", "mangle", "-I", *jump)


def _remove_chains(table: str) -> None:
    listed = subprocess.run(
        ["iptables-save", "-t", table], capture_output=True, text=True, check=False
    ).stdout
    chains = [line[1:].split()[0] for line in listed.splitlines() if line.startswith(":")]
    own = [chain for chain in chains if chain.startswith(_CHAINS)]
    if not own:
        return
    script = [f"*{table}", *(f":{chain} - [0:0]" for chain in own)]
    for line in listed.splitlines():
        words = line.split()
        jumps = "-j" in words and words[words.index("-j") + 1] in own
        if line.startswith("-A") and jumps and words[1] not in own:
            script.append(line.replace("-A", "-D", 1))
    script += [*(f"-X {chain}" for chain in own), "COMMIT"]
    _iptables_restore(script)


def _remove_ip_sets() -> None:
    if not shutil.which("ipset"):
        return
    listed = subprocess.run(
        ["ipset", "list", "-name"], capture_output=True, text=True, check=False
    ).stdout
    for name in listed.split():
        if name.startswith(_IP_SETS):
            subprocess.run(["ipset", "destroy", name], capture_output=True, check=False)


def _refuse_foreign_routes() -> None:
    for route in _ip_json("route", "show"):
        if route["dst"] == "default" or route.get("dev") == layout.BRIDGE:
            continue
        for network in (layout.POD_NETWORK, layout.SERVICE_NETWORK):
            if IPv4Network(route["dst"]).overlaps(network):
                raise LocalError(
                    f"The node needs {network}, but this machine already routes {route['dst']} "
                    f"through {route.get('dev', 'another interface')}. Use the cluster that runs "
                    "there (set KUBECONFIG), or remove that route."
                )


def _has_bridge() -> bool:
    return (Path("/sys/class/net") / layout.BRIDGE).exists()


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"`ip {' '.join(arguments)}` failed: {done.stderr.strip()}")


def _ip_json(*arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        ["ip", "-4", "-json", *arguments], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout or "[]")


def _iptables_restore(script: Sequence[str]) -> None:
    subprocess.run(
        ["iptables-restore", "--noflush"], input="\n".join([*script, ""]), text=True, check=True
    )


def _iptables(*arguments: str, check: bool = True) -> bool:
    done = subprocess.run(
        ["iptables", "-w", *arguments], capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        raise LocalError(f"`iptables {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.returncode == 0
