"""Updates constrained to a saved plan."""

from tests.cluster.project import Project, changes


def saved_plan(project: Project) -> str:
    """Save a plan and return the variable of `make up` that applies it."""
    (project.folder / "out").mkdir(exist_ok=True)
    project.make("preview", "ARGS=--save-plan out/plan.json")
    return "PLAN=out/plan.json"


def test_a_first_deployment_complies_with_its_plan(project: Project) -> None:
    """At the preview, the image is not built and the token is not generated."""
    result = project.make("up", saved_plan(project))
    assert set(changes(result.stdout)) == {"created"}
    assert project.get("/version").status_code == 200


def test_a_plan_allows_the_digest_of_a_new_image(project: Project) -> None:
    project.edit_source("// Newer.")
    (project.folder / "app" / "VERSION").write_text("1.1.0\n")
    with project.service() as service:
        service["release"]["stable"]["version"] = "1.1.0"
    project.make("up", saved_plan(project))
    assert project.get("/version").headers["X-Version"] == "1.1.0"


def test_a_change_outside_the_plan_is_refused(project: Project) -> None:
    plan = saved_plan(project)
    with project.service() as service:
        service.setdefault("autoscaling", {})["maxReplicas"] = 9
    result = project.make_fails("up", plan)
    assert "violates plan" in result.stdout + result.stderr
    path = "--output=jsonpath={.spec.maxReplicas}"
    assert project.kubectl("get", "hpa", "beacon-stable", path) == "10"


def test_a_missing_plan_is_an_error(project: Project) -> None:
    result = project.make_fails("up", "PLAN=out/none.json")
    assert "PLAN=out/none.json does not exist" in result.stderr
