"""A command that is killed converges when it is run again.

``KILLS=26 .venv/bin/python -m pytest tests/cluster/test_kills.py`` kills 104 commands.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.cluster.project import Project

KILLS = int(os.environ.get("KILLS", "1"))
"""Number of moments of each command at which it is killed."""
CYCLE: tuple[tuple[str, ...], ...] = (
    ("up",),
    ("canary", "VERSION=1.1.0", "WEIGHT=10", "FORCE=1"),
    ("rollback",),
    ("down",),
)
"""Commands that begin and end without a stack."""
KILLED = ("make", "process group")

pytestmark = pytest.mark.timeout(900 + 240 * KILLS)


@dataclass(frozen=True)
class Uninterrupted:
    """Duration and result of a command that is not killed."""

    seconds: float
    specs: dict[str, object]


@pytest.fixture(scope="module")
def uninterrupted(project: Project) -> dict[str, Uninterrupted]:
    """Each command's duration and result."""
    results = {}
    for command in CYCLE:
        started = time.monotonic()
        project.make(*command)
        results[command[0]] = Uninterrupted(time.monotonic() - started, project.specs())
    return results


def test_a_command_killed_at_any_moment_converges_when_run_again(
    project: Project, uninterrupted: dict[str, Uninterrupted]
) -> None:
    """At each moment, make or its process group is killed, in turn."""
    for moment in range(1, KILLS + 1):
        for number, command in enumerate(CYCLE):
            expected = uninterrupted[command[0]]
            killed = KILLED[(moment + number) % len(KILLED)]
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


@pytest.fixture(scope="module")
def deployed(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Project, Path]]:
    """The stack, deployed from a backend of its own, and the backend's folder.

    Pulumi commands of other stacks fail on an empty file of a backend too.
    """
    state = tmp_path_factory.mktemp("state")
    backend = {"PULUMI_BACKEND_URL": state.as_uri()}
    deployed = replace(project, environment={**project.environment, **backend})
    deployed.make("up")
    yield deployed, state / ".pulumi"
    deployed.make("down")


EMPTY = ("stacks/*/{}.json.attrs", "meta.yaml.attrs", "locks/organization/*/{}/1.json.tmp")


def test_empty_files_that_killed_processes_left_do_not_fail_a_command(
    deployed: tuple[Project, Path],
) -> None:
    project, state = deployed
    checkpoint = next(state.glob(f"stacks/*/{project.stack}.json"))
    for path in EMPTY:
        file = state / path.format(project.stack).replace("*", checkpoint.parent.name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    project.make("status")
    project.make("up")
