"""What goes wrong is said clearly, touches nothing it need not, and the next `up` converges."""

import os
import re
import signal
import subprocess

import pytest

from tests.cluster.project import Project, changes, read_until
from tests.cluster.traffic import SteadyLoad

pytestmark = pytest.mark.timeout(900)

FAST_ROLLOUT = {"progressDeadlineSeconds": 20, "maxSurge": "100%"}
"""Pulumi waits for the progress deadline and for one batch of pods, 110 s in all."""


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project) -> None:
    project.make("up")


def test_a_bad_value_is_refused_with_exit_code_two_and_nothing_touched(project: Project) -> None:
    before = project.file.read_text()
    objects = project.declared()
    with project.config() as config:
        config["slipway:autoscaling"]["minReplicas"] = 50
    result = project.run("make", "--silent", "up", f"STACK={project.stack}")
    plain = project.pulumi_up()
    project.file.write_text(before)
    assert result.returncode == 2, result.stdout + result.stderr
    assert "slipway:autoscaling.minReplicas" in result.stderr
    assert "50" in result.stderr
    assert "Traceback" not in result.stderr

    text = plain.stdout + plain.stderr
    assert plain.returncode != 0
    assert text.count("slipway:autoscaling.minReplicas") == 1, text
    assert "Traceback" not in text
    assert project.declared() == objects


def test_source_that_does_not_compile_is_shown_as_the_compiler_shows_it(project: Project) -> None:
    main = project.folder / "app" / "main.go"
    good = main.read_text()
    main.write_text(f"{good}\nfunc broken() {{ undefinedName() }}\n")
    result = project.fails("up")
    assert "undefined: undefinedName" in result.stdout + result.stderr
    main.write_text(good)
    assert set(changes(project.make("up").stdout)) == {"unchanged"}


def test_a_full_disk_during_a_build_is_named_and_the_next_up_builds(project: Project) -> None:
    dockerfile = project.folder / "app" / "Dockerfile"
    good = dockerfile.read_text()
    fill = "RUN --mount=type=tmpfs,target=/full,size=1m cp /usr/local/go/bin/go /full/\n"
    dockerfile.write_text(re.sub(r"(?m)^(FROM scratch)", f"{fill}\\1", good, count=1))
    result = project.fails("up")
    assert "no space left on device" in (result.stdout + result.stderr).lower()
    dockerfile.write_text(good)
    assert project.make("up")


def test_an_image_that_crashes_is_reported_while_the_old_one_serves_on(project: Project) -> None:
    before = project.file.read_text()
    with project.config() as config:
        config["slipway:workload"]["rollout"] = FAST_ROLLOUT
    project.make("up")
    main = project.folder / "app" / "main.go"
    good = main.read_text()
    main.write_text(f'{good}\nfunc init() {{ panic("crashes at start") }}\n')
    with SteadyLoad(project.host) as load:
        result = project.fails("up")
    text = result.stdout + result.stderr
    assert "CrashLoopBackOff" in text or "crashes at start" in text, text
    assert load.failures == []
    main.write_text(good)
    project.file.write_text(before)
    project.make("up")
    assert set(changes(project.make("up").stdout)) == {"unchanged"}


def test_a_canary_that_crashes_is_ended_by_a_rollback(project: Project) -> None:
    before = project.file.read_text()
    with project.config() as config:
        config["slipway:workload"]["rollout"] = FAST_ROLLOUT
    stable = project.get().headers["X-Version"]
    project.edit_source('func init() { panic("crashes at start") }')
    project.fails("canary", "VERSION=1.1.0", "WEIGHT=10")
    assert "canary 1.1.0 ended" in project.make("rollback").stdout
    assert "beacon-canary" not in project.kubectl("get", "deployments", "--output", "name")
    assert project.get().headers["X-Version"] == stable
    main = project.folder / "app" / "main.go"
    main.write_text(main.read_text().partition("\nfunc init() { panic")[0])
    (project.folder / "app" / "VERSION").write_text(f"{stable}\n")
    project.file.write_text(before)
    project.make("up")


def test_ctrl_c_in_the_middle_of_an_update_loses_nothing(project: Project) -> None:
    project.edit_source("// Interrupted by hand.")
    process = project.start("up", subprocess.PIPE)
    output = read_until(" updating (", process)
    os.killpg(process.pid, signal.SIGINT)
    output += process.communicate(timeout=120)[0]
    assert process.returncode != 0
    assert "Traceback" not in output, output
    project.make("up")
    again = project.make("up").stdout
    assert set(changes(again)) == {"unchanged"}, again
