"""An update does what its saved plan says, and nothing else."""

from tests.cluster.project import Project, changes


def planned(project: Project) -> str:
    """Save the plan of the next update."""
    (project.folder / "out").mkdir(exist_ok=True)
    project.make("preview", "ARGS=--save-plan out/plan.json")
    return "PLAN=out/plan.json"


def test_a_first_deployment_keeps_to_its_plan(project: Project) -> None:
    """Of an image that is not built yet, and of a token that is not generated yet."""
    result = project.make("up", planned(project))
    assert set(changes(result.stdout)) == {"created"}
    assert project.get("/version").status_code == 200


def test_a_plan_takes_the_digest_that_only_the_build_yields(project: Project) -> None:
    project.edit_source("// newer")
    (project.folder / "app" / "VERSION").write_text("1.1.0\n")
    with project.config() as config:
        config["slipway:release"]["stable"]["version"] = "1.1.0"
    project.make("up", planned(project))
    assert project.get("/version").headers["X-Version"] == "1.1.0"


def test_what_the_plan_does_not_say_is_refused(project: Project) -> None:
    plan = planned(project)
    with project.config() as config:
        config["slipway:autoscaling"]["maxReplicas"] = 9
    result = project.fails("up", plan)
    assert "violates plan" in result.stdout + result.stderr
    path = "--output=jsonpath={.spec.maxReplicas}"
    assert project.kubectl("get", "hpa", "beacon-stable", path) == "10"


def test_a_plan_that_is_not_there_is_named(project: Project) -> None:
    result = project.fails("up", "PLAN=out/none.json")
    assert "PLAN=out/none.json is not there" in result.stderr
