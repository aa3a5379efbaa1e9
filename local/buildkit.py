"""BuildKit, and the buildx builder that connects to it."""

import json
import os
import subprocess

from local import files, layout, registry
from local.daemon import Daemon
from local.environment import BUILDER
from local.errors import LocalError
from local.layout import Layout


def daemon(paths: Layout) -> Daemon:
    """buildkitd with its OCI worker; it pulls from and pushes to the local registry over HTTP."""
    config = paths.config / "buildkitd.toml"
    content = f"""
root = "{paths.buildkit}"
insecure-entitlements = ["network.host"]

[grpc]
  address = ["unix://{paths.buildkit_socket}"]

[worker.containerd]
  enabled = false

[worker.oci]
  enabled = true
  binary = "runc"
  snapshotter = "overlayfs"
  # Builds download modules, and the bridge is for pods only.
  networkMode = "host"
  gc = true
  maxUsedSpace = "10GB"

[registry."docker.io"]
  mirrors = ["{layout.REGISTRY}"]

[registry."{layout.REGISTRY}"]
  http = true
"""
    return Daemon(
        "buildkitd",
        [str(paths.bin / "buildkitd"), "--config", str(config)],
        str(paths.buildkit_socket),
        {config: content},
    )


def create_builder(paths: Layout) -> None:
    """Create the buildx builder and a Docker configuration folder that uses it by default."""
    files.private_folder(paths.docker)
    _add_credentials(paths)
    plugin = paths.docker / "cli-plugins" / "docker-buildx"
    if not plugin.is_symlink():
        plugin.parent.mkdir(exist_ok=True)
        plugin.symlink_to(paths.bin / "buildx")
    endpoint = f"unix://{paths.buildkit_socket}"
    if _endpoint(paths) == endpoint:
        return
    _buildx(paths, "rm", "--force", BUILDER, check=False)
    _buildx(paths, "create", "--name", BUILDER, "--driver", "remote", "--use", endpoint)


def _add_credentials(paths: Layout) -> None:
    """Add the password of the local registry to the Docker configuration."""
    file = paths.docker / "config.json"
    config = json.loads(file.read_text()) if file.exists() else {}
    credentials = registry.authorization(paths).removeprefix("Basic ")
    config.setdefault("auths", {})[layout.REGISTRY] = {"auth": credentials}
    files.write(file, f"{json.dumps(config, indent=2)}\n", files.PRIVATE)


def _endpoint(paths: Layout) -> str | None:
    """Endpoint of the existing builder."""
    try:
        builder = json.loads((paths.docker / "buildx" / "instances" / BUILDER).read_text())
        return builder["Nodes"][0]["Endpoint"]
    except (OSError, ValueError, LookupError):
        return None


def _buildx(paths: Layout, *arguments: str, check: bool = True) -> None:
    own = {"DOCKER_CONFIG": str(paths.docker), "BUILDX_CONFIG": str(paths.docker / "buildx")}
    done = subprocess.run(
        [paths.bin / "buildx", *arguments],
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        check=False,
    )
    if check and done.returncode:
        raise LocalError(f"buildx {arguments[0]} failed: {done.stderr.strip()}")
