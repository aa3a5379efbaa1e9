"""Two projects with stacks of one name in one cluster."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.cluster.project import Project

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def other(
    project: Project,
    cluster_environment: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Project]:
    """Another project, with the stack name, the namespace and the host of the first one."""
    project.make("up")
    other = Project.copy(tmp_path_factory.mktemp("other"), project.stack, cluster_environment)
    file = other.folder / "Pulumi.yaml"
    file.write_text(file.read_text().replace("name: slipway", "name: other", 1))
    yield other
    # After a failed test only.
    other.kubectl(
        "delete", "namespace", f"{other.stack}-other", "--ignore-not-found", "--wait=false"
    )
    other.remove_stack()


def test_a_namespace_of_another_project_is_refused_by_key(project: Project, other: Project) -> None:
    said = other.make_fails("up").stderr
    assert f"slipway:namespace.name is {project.stack}: " in said
    assert f"of stack slipway/{project.stack}" in said


def test_a_host_of_another_project_is_refused_by_key(project: Project, other: Project) -> None:
    with other.config() as config:
        config["slipway:namespace"]["name"] = f"{project.stack}-other"
    said = other.make_fails("up").stderr
    assert f"routing.hosts has {project.host}: Ingress {project.stack}/beacon" in said
    namespaces = project.kubectl("get", "namespaces", "--output", "name").split()
    assert f"namespace/{project.stack}-other" not in namespaces


def test_each_project_deploys_its_own_stack_of_the_same_name(
    project: Project, other: Project
) -> None:
    with other.service() as service:
        service["routing"]["hosts"] = [f"{project.stack}-other.localhost"]
    other.make("up")
    project.assert_unchanged()
    other.make("down")
    assert project.get().status_code == 200


def test_a_stack_of_another_checkout_is_not_planned_over(
    project: Project, cluster_environment: Mapping[str, str], tmp_path: Path
) -> None:
    clone = Project.copy(tmp_path, project.stack, cluster_environment)
    with clone.config() as config:
        config["slipway:namespace"]["name"] = f"{project.stack}-clone"
        services = config["slipway:services"]
        services["shop"] = services.pop("beacon")
    assert f"stack slipway/{project.stack} in the backend has" in clone.make_fails("preview").stderr
