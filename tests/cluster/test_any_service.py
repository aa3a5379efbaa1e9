"""A service of a few lines, without metrics, configuration, Dockerfile or version file."""

import pytest

from tests.cluster.project import Project, wait_until
from tests.cluster.traffic import steady_load, versions_of

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project) -> None:
    with project.config() as config:
        config["slipway:services"] = {
            "hello": {
                "source": "tests/cluster/services/hello",
                "image": {"repository": f"slipway/{project.stack}"},
                "release": {"stable": {"version": "0.1.0"}},
                "ports": {"http": 9000},
                "metrics": None,
                "routing": {"hosts": [project.host]},
            }
        }
    project.make("up")


def test_it_is_built_deployed_and_routed(project: Project) -> None:
    response = project.get()
    assert response.text == "hello\n"
    assert response.headers["X-Version"] == "0.1.0"


def test_a_canary_is_promoted_and_rolled_back_without_a_failed_request(project: Project) -> None:
    with steady_load(project.host) as load:
        project.make("canary", "VERSION=0.2.0", "WEIGHT=50")
        wait_until(
            "a response of the canary", lambda: "0.2.0" in versions_of(project.host, 20), seconds=15
        )
        project.make("promote")
        assert set(versions_of(project.host, 50)) == {"0.2.0"}
        project.make("rollback")
        assert set(versions_of(project.host, 50)) == {"0.1.0"}
    assert load.failures == []
