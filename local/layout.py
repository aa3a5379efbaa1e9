"""Paths, addresses and names of everything that runs here."""

import os
import sys
from ipaddress import IPv4Network
from pathlib import Path

from local.errors import LocalError

CHECKOUT = Path(__file__).resolve().parent.parent
MANIFESTS = CHECKOUT / "local" / "manifests"
TOOLS = CHECKOUT / "local" / "tools"

BRIDGE = "slipway0"
POD_NETWORK = IPv4Network("10.244.0.0/24")
"""Network of the bridge."""
POD_CIDR = IPv4Network("10.244.0.128/25")
"""Addresses of the pods: the part of `POD_NETWORK` without the node's address."""
SERVICE_NETWORK = IPv4Network("10.96.0.0/16")
NODE_IP = str(POD_NETWORK[1])
"""Address of the bridge: the node's address, the pods' gateway and the API server's address."""
API_SERVICE_IP = str(SERVICE_NETWORK[1])
DNS_SERVICE_IP = str(SERVICE_NETWORK[10])
CLUSTER_DOMAIN = "cluster.local"
NODE_NAME = "slipway"

API_SERVER = f"https://{NODE_IP}:6443"
REGISTRY = "localhost:5000"
SANDBOX_IMAGE = f"{REGISTRY}/slipway/pause:1"
ENTRY_POINT = "http://127.0.0.1:8080"
TLS_ENTRY_POINT = "https://127.0.0.1:8443"

PYTHON = f"{sys.base_prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"
"""The system's Python: a virtual environment is deleted with its checkout."""
POD_LOGS = Path("/var/log/pods")
"""Folder where log collectors look for container logs on any node."""

_LONGEST_SOCKET_PATH = 107
"""Linux's limit for the path of a Unix socket, in bytes."""


def home() -> Path:
    """`SLIPWAY_HOME`, by default `slipway` in the user's cache folder. Raises `LocalError`."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    given = os.environ.get("SLIPWAY_HOME") or f"{cache}/slipway"
    path = Path(given).expanduser()
    if not path.is_absolute():
        raise LocalError(f"SLIPWAY_HOME is {given!r}: it must be an absolute path.")
    longest = path / "node" / "run" / "containerd.sock.ttrpc"
    if len(os.fsencode(longest)) > _LONGEST_SOCKET_PATH:
        raise LocalError(
            f"SLIPWAY_HOME is {given!r}: the path is too long for the Unix sockets below it "
            f"(at most {_LONGEST_SOCKET_PATH} bytes with {longest.relative_to(path)})."
        )
    return path


class Layout:
    """Paths below one `SLIPWAY_HOME`."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or home()
        self.bin = self.root / "bin"
        self.providers = self.root / "providers"
        self.go = self.root / "go"
        self.builds = self.root / "builds"
        self.share = self.root / "share"
        self.logs = self.root / "logs"
        self.registry = self.root / "registry"
        self.registry_password = self.root / "registry-password"
        self.buildkit = self.root / "buildkit"
        self.kubeconfig = self.root / "kubeconfig"
        self.docker = self.root / "docker"
        self.pulumi = self.root / "pulumi"
        self.plugins = self.pulumi / "plugins"
        self.state = self.root / "state"
        self.passphrase = self.root / "passphrase"

        self.node = self.root / "node"
        self.run = self.node / "run"
        self.pki = self.node / "pki"
        self.config = self.node / "config"
        self.etcd = self.node / "etcd"
        self.containerd = self.node / "containerd"
        self.kubelet = self.node / "kubelet"
        self.cni = self.node / "cni"
        self.pod_logs = self.node / "pod-logs"
        self.volumes = self.node / "volumes"

        self.containerd_socket = self.run / "containerd.sock"
        self.buildkit_socket = self.run / "buildkitd.sock"
        self.etcd_socket = self.run / "etcd.sock"
        self.supervisor_socket = self.run / "supervisor.sock"
        self.supervisor_folder = self.node / "supervisor"
        self.supervisor_config = self.config / "supervisord.conf"
