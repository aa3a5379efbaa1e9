"""The namespace keeps out what the restricted Pod Security standard forbids."""

import pytest

from tests.cluster.project import Project

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project) -> None:
    project.make("up")


def test_a_privileged_pod_is_not_admitted(project: Project) -> None:
    overrides = (
        '{"spec":{"containers":[{"name":"x","image":"x","securityContext":{"privileged":true}}]}}'
    )
    result = project.run(
        *("kubectl", "--namespace", project.stack, "run", "x", "--image=x"),
        f"--overrides={overrides}",
    )
    assert result.returncode != 0
    assert 'violates PodSecurity "restricted' in result.stderr


def test_the_programs_own_pods_raise_no_pod_security_warning(project: Project) -> None:
    result = project.run(
        *("kubectl", "label", "--dry-run=server", "--overwrite", "namespace", project.stack),
        "pod-security.kubernetes.io/enforce-version=latest",
    )
    assert result.returncode == 0, result.stderr
    assert "Warning" not in result.stderr


def test_no_secret_value_is_in_the_state_in_plain_text(project: Project) -> None:
    exported = project.run("pulumi", "stack", "export", "--stack", project.stack).stdout
    secrets = project.kubectl("get", "secrets", "-o", "jsonpath={range .items[*]}{.data}{end}")
    values = [part for part in secrets.split('"') if len(part) >= 16]
    assert values
    assert not [value for value in values if value in exported]
