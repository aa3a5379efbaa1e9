"""The buildx builder: a name that `pulumi_docker_build` and a person use for BuildKit."""

import json
import os
import subprocess

from local import files
from local.environment import BUILDER
from local.errors import LocalError
from local.layout import Layout


def ensure(at: Layout) -> None:
    """Makes the builder, and a Docker configuration of our own that has it as its default."""
    files.private_folder(at.docker)
    config = at.docker / "config.json"
    if not config.exists():
        files.write(config, "{}\n", files.PRIVATE)
    plugin = at.docker / "cli-plugins" / "docker-buildx"
    if not plugin.is_symlink():
        plugin.parent.mkdir(exist_ok=True)
        plugin.symlink_to(at.bin / "buildx")
    endpoint = f"unix://{at.buildkit_socket}"
    if _endpoint(at) == endpoint:
        return
    _buildx(at, "rm", "--force", BUILDER, check=False)
    _buildx(at, "create", "--name", BUILDER, "--driver", "remote", "--use", endpoint)


def _endpoint(at: Layout) -> str | None:
    """Where the builder leads now."""
    try:
        known = json.loads((at.docker / "buildx" / "instances" / BUILDER).read_text())
        return known["Nodes"][0]["Endpoint"]
    except (OSError, ValueError, LookupError):
        return None


def _buildx(at: Layout, *arguments: str, check: bool = True) -> None:
    own = {"DOCKER_CONFIG": str(at.docker), "BUILDX_CONFIG": str(at.docker / "buildx")}
    done = subprocess.run(
        [at.bin / "buildx", *arguments],
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        check=False,
    )
    if check and done.returncode:
        raise LocalError(f"buildx {arguments[0]} failed: {done.stderr.strip()}")
