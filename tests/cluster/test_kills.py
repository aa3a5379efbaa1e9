"""An update that is killed converges when it is run again."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass

import pytest

from tests.cluster.project import Project

KILLS = int(os.environ.get("KILLS", "1"))
"""Number of moments of an update at which it is killed."""

pytestmark = pytest.mark.timeout(600 + 60 * KILLS)


@dataclass(frozen=True)
class Uninterrupted:
    """Duration and result of an update that is not killed."""

    seconds: float
    specs: dict[str, object]


@pytest.fixture(scope="module")
def uninterrupted(project: Project) -> Uninterrupted:
    started = time.monotonic()
    project.make("up")
    return Uninterrupted(time.monotonic() - started, project.specs())


@pytest.mark.parametrize("killed", ["make", "process group"])
def test_an_update_killed_at_any_moment_converges_when_run_again(
    project: Project, uninterrupted: Uninterrupted, killed: str
) -> None:
    for moment in range(1, KILLS + 1):
        project.make("down")
        process = project.start("up", subprocess.DEVNULL)
        time.sleep(uninterrupted.seconds * moment / (KILLS + 1))
        if killed == "make":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        project.make("up")
        assert project.specs() == uninterrupted.specs
        project.assert_unchanged()
