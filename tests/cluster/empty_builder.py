"""A BuildKit daemon with an empty cache."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local import buildkit
from local.layout import Layout
from tests.cluster.project import wait_until


@contextmanager
def empty_builder(folder: Path, environment: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """Run a second BuildKit daemon, whose files are in ``folder``, laid out as in SLIPWAY_HOME.

    It uses the programs and the registry of the node. Yields environment variables for buildx.
    """
    node, paths = Layout(), Layout(folder)
    paths.run.mkdir(parents=True)
    paths.bin.symlink_to(node.bin)
    paths.registry_password.symlink_to(node.registry_password)
    daemon = buildkit.daemon(paths)
    for path, content in daemon.files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            daemon.command, env=dict(environment), stdout=log, stderr=subprocess.STDOUT
        )
    try:
        wait_until("the builder to start", daemon.healthy, seconds=30)
        buildkit.create_builder(paths)
        own = {"DOCKER_CONFIG": str(paths.docker), "BUILDX_CONFIG": str(paths.docker / "buildx")}
        yield {**environment, **own}
    finally:
        process.terminate()
        process.wait(timeout=30)
