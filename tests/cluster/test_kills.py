"""A command that is killed converges when it is run again.

``KILLS=13 .venv/bin/python -m pytest tests/cluster/test_kills.py`` kills 104 commands.
"""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.project import Project

KILLS = int(os.environ.get("KILLS", "1"))
"""Number of moments of each command at which it is killed."""
CYCLE: tuple[tuple[str, ...], ...] = (
    ("up",),
    ("canary", "VERSION=1.1.0", "WEIGHT=10"),
    ("rollback",),
    ("down",),
)
"""Commands that begin and end without a stack."""

pytestmark = pytest.mark.timeout(900 + 240 * KILLS)


@dataclass(frozen=True)
class Uninterrupted:
    """Duration and result of a command that is not killed."""

    seconds: float
    specs: dict[str, object]


@pytest.fixture(scope="module")
def uninterrupted(project: Project) -> dict[str, Uninterrupted]:
    """Each command's duration and result, with a warm build cache."""
    results = {}
    for _ in range(2):
        for command in CYCLE:
            started = time.monotonic()
            project.make(*command)
            results[command[0]] = Uninterrupted(time.monotonic() - started, project.specs())
    return results


@pytest.mark.parametrize("killed", ["make", "process group"])
def test_a_command_killed_at_any_moment_converges_when_run_again(
    project: Project, uninterrupted: dict[str, Uninterrupted], killed: str
) -> None:
    for moment in range(1, KILLS + 1):
        for command in CYCLE:
            expected = uninterrupted[command[0]]
            process = project.start(*command, output=subprocess.DEVNULL)
            time.sleep(expected.seconds * moment / (KILLS + 1))
            if process.poll() is None:  # otherwise it was faster than before
                if killed == "make":
                    process.kill()
                else:
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                project.make(*command)
            assert project.specs() == expected.specs, f"{command[0]} at {moment}/{KILLS + 1}"
            if command[0] != "down":
                project.assert_unchanged()


@pytest.mark.parametrize(
    "broken", ["stacks/*/{}.json.attrs", "meta.yaml.attrs", "locks/organization/*/{}/1.json.tmp"]
)
def test_an_empty_file_that_a_killed_process_left_does_not_fail_a_command(
    project: Project, broken: str
) -> None:
    state = Path(project.environment["PULUMI_BACKEND_URL"].partition("?")[0][len("file://") :])
    checkpoint = next((state / ".pulumi").glob(f"stacks/*/{project.stack}.json"))
    name = broken.format(project.stack).replace("*", checkpoint.parent.name)
    file = state / ".pulumi" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    try:
        project.make("status")
        project.make("up")
    finally:
        file.unlink(missing_ok=True)
    project.make("down")
