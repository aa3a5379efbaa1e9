"""A failed update reports its cause, leaves the service running, and the next update converges."""

import os
import signal
import subprocess

import pytest

from tests.cluster.project import Project, read_until
from tests.cluster.traffic import steady_load

pytestmark = pytest.mark.timeout(900)

MAIN = "app/main.go"
FUNCTION = "func main() {"
CRASH = f'func init() {{ panic("crashes at start") }}\n\n{FUNCTION}'

SHORT_WAIT = {
    "probes": {"startup": {"httpGet": {"path": "/healthz"}, "failureThreshold": 10}},
    "workload": {"rollout": {"progressDeadlineSeconds": 20, "maxSurge": "100%"}},
}
"""Pulumi waits for the progress deadline and for one batch of pods, 60 s in all."""


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project) -> None:
    project.make("up")


def test_an_invalid_value_is_refused_with_exit_code_two_and_no_change(project: Project) -> None:
    before = project.specs()
    with project.restored_config():
        with project.service() as service:
            service.setdefault("autoscaling", {})["minReplicas"] = 50
        result = project.run("make", "--silent", "up", f"STACK={project.stack}")
        plain = project.pulumi_up()
    assert result.returncode == 2, result.stdout + result.stderr
    assert "slipway:services.beacon.autoscaling.minReplicas" in result.stderr
    assert "50" in result.stderr
    assert "Traceback" not in result.stderr

    text = plain.stdout + plain.stderr
    assert plain.returncode != 0
    assert text.count("slipway:services.beacon.autoscaling.minReplicas") == 1, text
    assert "Traceback" not in text
    assert project.specs() == before


def test_a_compiler_error_and_a_full_disk_are_printed_and_change_nothing(project: Project) -> None:
    broken = f"func broken() {{ undefinedName() }}\n\n{FUNCTION}"
    before = project.specs()
    fill = "RUN --mount=type=tmpfs,target=/full,size=1m cp /usr/local/go/bin/go /full/\n"
    for file, old, new, error in (
        (MAIN, FUNCTION, broken, "undefined: undefinedName"),
        ("app/Dockerfile", "\nFROM scratch", f"\n{fill}FROM scratch", "No space left on device"),
    ):
        with project.edited(file, old, new):
            result = project.make_fails("up")
        assert error in result.stdout + result.stderr
    assert project.specs() == before


def test_a_crashing_image_is_reported_while_the_previous_one_serves(project: Project) -> None:
    with project.restored_config():
        with project.service() as service:
            for section, keys in SHORT_WAIT.items():
                service[section] |= keys
        with project.edited(MAIN, FUNCTION, CRASH), steady_load(project.host) as load:
            result = project.make_fails("up")
    text = result.stdout + result.stderr
    assert "CrashLoopBackOff" in text or "crashes at start" in text, text
    assert load.failures == []
    project.make("up")


def test_an_update_interrupted_by_ctrl_c_converges_to_a_reverted_source(project: Project) -> None:
    source = (project.folder / MAIN).read_text()
    project.edit_source("// Interrupted.")
    process = project.start("up", output=subprocess.PIPE)
    output = read_until(" updating (", process)
    os.killpg(process.pid, signal.SIGINT)
    output += process.communicate(timeout=120)[0]
    assert process.returncode != 0
    assert "Traceback" not in output, output
    (project.folder / MAIN).write_text(source)
    project.make("up")
    project.assert_no_drift()
