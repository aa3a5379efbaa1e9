"""An update that is killed is simply run again."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass

import pytest

from tests.cluster.project import Project, changes

KILLS = int(os.environ.get("KILLS", "1"))
"""How many different moments of an update are tried."""

pytestmark = pytest.mark.timeout(600 + 60 * KILLS)


@dataclass(frozen=True)
class Whole:
    """An update from nothing that nobody disturbed."""

    seconds: float
    declared: dict[str, object]


@pytest.fixture(scope="module")
def whole(project: Project) -> Whole:
    started = time.monotonic()
    project.make("up")
    return Whole(time.monotonic() - started, project.declared())


@pytest.mark.parametrize("killed", ["make", "everything"])
def test_an_update_killed_at_any_moment_converges_when_run_again(
    project: Project, whole: Whole, killed: str
) -> None:
    for moment in range(1, KILLS + 1):
        project.make("down")
        process = project.start("up", subprocess.DEVNULL)
        time.sleep(whole.seconds * moment / (KILLS + 1))
        if killed == "make":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        project.make("up")
        assert project.declared() == whole.declared
        again = project.make("up").stdout
        assert set(changes(again)) == {"unchanged"}, again
