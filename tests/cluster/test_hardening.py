"""Pod Security of the namespace, and secrets in the state."""

import httpx
import pytest

from local import registry
from local.layout import REGISTRY, Layout
from tests.cluster.project import Project

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project) -> None:
    project.make("up")


def test_a_privileged_pod_is_rejected(project: Project) -> None:
    overrides = (
        '{"spec":{"containers":[{"name":"x","image":"x","securityContext":{"privileged":true}}]}}'
    )
    result = project.run(
        *("kubectl", "--namespace", project.stack, "run", "x", "--image=x"),
        f"--overrides={overrides}",
    )
    assert result.returncode != 0
    assert 'violates PodSecurity "restricted' in result.stderr


def test_only_the_project_replaces_a_published_image(project: Project) -> None:
    repository = f"http://{REGISTRY}/v2/slipway/{project.stack}"
    for method in ("PUT", "DELETE"):
        response = httpx.request(method, f"{repository}/manifests/1.0.0")
        assert response.status_code == httpx.codes.UNAUTHORIZED
    authorization = {"Authorization": registry.authorization(Layout())}
    tags = httpx.get(f"{repository}/tags/list", headers=authorization).json()["tags"]
    assert "1.0.0" in tags


def test_the_pods_comply_with_the_pod_security_standard(project: Project) -> None:
    project.assert_pod_security(project.stack)


def test_secret_values_are_encrypted_in_the_state(project: Project) -> None:
    exported = project.run("pulumi", "stack", "export", "--stack", project.stack).stdout
    secrets = project.kubectl("get", "secrets", "-o", "jsonpath={range .items[*]}{.data}{end}")
    values = [part for part in secrets.split('"') if len(part) >= 16]
    assert values
    assert not [value for value in values if value in exported]
