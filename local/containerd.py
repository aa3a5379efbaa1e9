"""containerd with its CRI plugin, and the network of the pods."""

import json
import subprocess
from pathlib import Path
from typing import Any

from local import address_announcement, files, layout, registry
from local.daemon import Daemon
from local.errors import LocalError
from local.layout import Layout

_PLUGINS = Path("/usr/lib/cni")
"""Debian's CNI plugins."""
_ANNOUNCEMENT = "announcement"


def daemon(paths: Layout) -> Daemon:
    """Debian's containerd with root, state and CNI folders of its own."""
    config = paths.config / "containerd.toml"
    network = paths.cni / "net.d" / "10-slipway.conflist"
    mirrors = paths.config / "registries"
    content = f"""
version = 2
root = "{paths.containerd}/root"
state = "{paths.run}/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
]

[grpc]
  address = "{paths.containerd_socket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{layout.SANDBOX_IMAGE}"
  # Without CAP_SYS_RESOURCE the OOM score cannot be lowered, and runc would fail.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  max_concurrent_downloads = 8
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{_plugins(paths)}"
    conf_dir = "{network.parent}"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{mirrors}"
"""
    # The local registry is the mirror of every other registry and is tried first.
    hosts = f"""\
[host."http://{layout.REGISTRY}"]
  capabilities = ["pull", "resolve"]
  [host."http://{layout.REGISTRY}".header]
    authorization = "{registry.authorization(paths)}"
"""
    return Daemon(
        "containerd",
        ["containerd", "--config", str(config), "--log-level", "warn"],
        str(paths.containerd_socket),
        {
            config: content,
            network: json.dumps(_pod_network(paths), indent=2),
            mirrors / "_default" / "hosts.toml": hosts,
        },
    )


def remove_image(paths: Layout, reference: str) -> None:
    """Remove an image from the node, if it has it: the next pod pulls the tag again.

    Pods that run keep the image. Raises :class:`LocalError` if containerd does not run.
    """
    done = subprocess.run(
        [
            *("ctr", "--address", str(paths.containerd_socket), "--namespace", "k8s.io"),
            *("images", "remove", reference),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise LocalError(f"{reference} stays on the node: {done.stderr.strip()}")


def install_plugins(paths: Layout) -> None:
    """Install the CNI plugins: Debian's, and the one that announces addresses."""
    folder = _plugins(paths)
    folder.mkdir(parents=True, exist_ok=True)
    for plugin in _PLUGINS.iterdir():
        if not (folder / plugin.name).is_symlink():
            (folder / plugin.name).symlink_to(plugin)
    program = Path(address_announcement.__file__).read_text()
    files.write(folder / _ANNOUNCEMENT, f"#!{layout.PYTHON} -IS\n{program}", files.EXECUTABLE)


def _plugins(paths: Layout) -> Path:
    return paths.cni / "bin"


def _pod_network(paths: Layout) -> dict[str, Any]:
    bridge = {
        "type": "bridge",
        "bridge": layout.BRIDGE,
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(paths.run / "addresses"),
            "ranges": [
                [
                    {
                        "subnet": str(layout.POD_NETWORK),
                        "rangeStart": str(layout.POD_CIDR[0]),
                        "rangeEnd": str(layout.POD_CIDR[-2]),
                    }
                ]
            ],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    announcement = {"type": _ANNOUNCEMENT}
    port_map = {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}
    return {
        "cniVersion": address_announcement.CNI_VERSION,
        "name": "slipway",
        "plugins": [bridge, announcement, port_map],
    }
