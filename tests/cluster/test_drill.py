"""A drill with one bad version, in a copy of the stack."""

import json

import pytest

from tests.cluster.project import Project

pytestmark = pytest.mark.timeout(900)


def test_a_drill_ends_a_bad_version_without_a_failed_request_and_leaves_nothing(
    project: Project,
) -> None:
    out = project.folder / "out" / "drill.json"
    done = project.run(
        *("make", "--silent", "drill", f"STACK={project.stack}", "STRATEGY=canary"),
        *("FAULTS=crashLoop", "RATE=20", "FORMAT=json", f"OUT={out}"),
        seconds=800,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (fault,) = json.loads(out.read_text())["faults"]
    assert (fault["verdict"], fault["detected_by"]) == ("never served", "rollout")
    assert fault["requests"] > 100
    assert fault["failed"] == 0
    assert (project.folder / "out" / f"drill-{project.stack}-canary.html").stat().st_size > 10**6

    copy = f"{project.stack}-drill"
    assert not (project.folder / f"Pulumi.{copy}.yaml").exists()
    assert copy not in project.run("pulumi", "stack", "ls", "--json").stdout
    assert copy not in project.run("kubectl", "get", "namespaces", "--output=name").stdout
