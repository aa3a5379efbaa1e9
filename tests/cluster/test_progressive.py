"""Progressive releases over HTTPS on both back ends at once: promotion, rollback and outages.

The gates of one service are of its own metrics, those of the other one of the proxy's.
"""

import copy
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from settings import RoutingBackend
from tests.cluster.progressive import (
    PROXY_SECONDS,
    Status,
    add_prometheus,
    host,
    loads,
    no_request_fails,
    services,
    status,
)
from tests.cluster.project import NODE_BACKENDS, Project, changes, wait_until
from tests.cluster.tls_client import tls_routing, use_cert_manager, write_authority

pytestmark = pytest.mark.timeout(900)

FIRST_STEP = 20
INTERVAL, THRESHOLD = 10, 2
PATIENT = 20
"""Threshold of releases that have to succeed: a machine that is slow delays checks and requests."""
SERVICES: Mapping[RoutingBackend, str] = {"ingress": "beacon", "gateway": "edge"}
"""Service of each back end. They are released at the same time."""
BAD = "1.2.0"
"""Version with the faults."""
FAULTS = {"beacon": {"errorRate": 0.2}, "edge": {"latency": "450ms"}}
"""A fault that each service misses its objective with."""


def statuses(project: Project) -> dict[str, Status]:
    return {service: status(project, service) for service in SERVICES.values()}


def wait_for_phase(project: Project, phase: str, seconds: float = 120) -> None:
    """Wait until both Canaries have a phase. On timeout, say what Flagger did."""
    try:
        wait_until(
            phase, lambda: {one.phase for one in statuses(project).values()} == {phase}, seconds
        )
    except AssertionError as error:
        events = project.kubectl(
            *("get", "events", "--field-selector=involvedObject.kind=Canary"),
            *("--sort-by=.lastTimestamp", "--no-headers"),
        )
        error.add_note(f"{statuses(project)}\n{events}")
        raise


def update(project: Project) -> str:
    """Run `pulumi up`: `make up` waits for the end of the release."""
    result = project.pulumi_up()
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module", autouse=True)
def authority(project: Project) -> Path:
    """File with the certificate of the stack's CA. Both services are deployed, with strategy
    `rolling`, and Prometheus too."""
    assert set(SERVICES) == set(NODE_BACKENDS)
    use_cert_manager(project)
    with project.config() as config:
        add_prometheus(config, project.stack)
        beacon = config["slipway:services"]["beacon"]
        beacon["slo"] = {"availability": 99.9}
        beacon["autoscaling"] = {"maxReplicas": 4}
        beacon["configFile"] = {"reload": "hot", "path": "/etc/beacon/config.yaml"}
        beacon["release"] = {
            "strategy": "rolling",
            "stable": {"version": "1.0.0"},
            "progressive": {
                "steps": [FIRST_STEP, 50],
                "intervalSeconds": INTERVAL,
                "threshold": PATIENT,
            },
        }
        for key in ("alerts", "panels", "secrets"):
            beacon.pop(key, None)
        del beacon["config"]["faults"]["tokenFile"]
        for backend, name in SERVICES.items():
            service = copy.deepcopy(beacon)
            service["image"] = {"repository": f"slipway/{project.stack}/{name}"}
            service["routing"] = tls_routing(backend, host(project, name))
            config["slipway:services"][name] = service
        config["slipway:services"]["edge"]["metrics"] = None
    project.make("up")
    return write_authority(project)


def test_a_running_service_becomes_progressive_without_a_failed_request(
    project: Project, authority: Path
) -> None:
    with services(project) as all_services:
        for service in all_services.values():
            service["release"]["strategy"] = "progressive"
    with no_request_fails(project, SERVICES.values(), authority=authority):
        project.make("up")
        wait_for_phase(project, "Initialized")


def test_a_good_version_is_promoted_and_an_update_meanwhile_changes_nothing(
    project: Project, authority: Path
) -> None:
    (project.folder / "app" / "VERSION").write_text("1.1.0\n")
    with services(project) as all_services:
        for service in all_services.values():
            service["release"]["stable"]["version"] = "1.1.0"
    with no_request_fails(project, SERVICES.values(), authority=authority):
        update(project)
        wait_until("a step", lambda: status(project, "beacon").weight == FIRST_STEP, 60)
        preview = project.run(
            *("pulumi", "preview", "--refresh", "--expect-no-changes", "--non-interactive"),
            *("--stack", project.stack),
        )
        assert preview.returncode == 0, preview.stdout
        assert set(changes(update(project))) == {"unchanged"}
        wait_for_phase(project, "Succeeded")
    for service in SERVICES.values():
        image = project.kubectl(
            *("get", "deployment", f"{service}-progressive-primary"),
            *("--output", "jsonpath={..app\\.kubernetes\\.io/version}"),
        )
        assert "1.1.0" in image


def test_a_bad_version_is_rolled_back_and_got_no_more_requests_than_its_step(
    project: Project, authority: Path
) -> None:
    (project.folder / "app" / "VERSION").write_text(f"{BAD}\n")
    with services(project) as all_services:
        for name, fault in FAULTS.items():
            all_services[name]["config"]["faults"].update(fault)
            release = all_services[name]["release"]
            release["progressive"]["threshold"] = THRESHOLD
            release["stable"]["version"] = BAD
    with loads(project, SERVICES.values(), authority=authority) as sent:
        update(project)
        wait_for_phase(project, "Failed")
        time.sleep(PROXY_SECONDS)
    for service, load in sent.items():
        bad = sorted(one.sent for one in load.results if one.version == BAD)
        first, last = bad[0], bad[-1]
        during = [one for one in load.results if first <= one.sent <= last]
        # Flagger rolls back at the check after the last failed one; a busy machine may delay one.
        assert last - first <= (THRESHOLD + 2) * INTERVAL + PROXY_SECONDS, service
        # A few requests: the shares of a short time vary.
        assert len(bad) / len(during) < 1.5 * FIRST_STEP / 100, service
        print(f"{service}: {len(bad)} requests to the bad version in {last - first:.0f} s")


def test_without_flagger_and_prometheus_the_weights_stay_and_later_the_release_goes_on(
    project: Project, authority: Path
) -> None:
    with services(project) as all_services:
        for name, fault in FAULTS.items():
            for key in fault:
                del all_services[name]["config"]["faults"][key]
            all_services[name]["release"]["progressive"]["threshold"] = PATIENT
    monitoring = f"{project.stack}-monitoring"

    def scale(name: str, replicas: int, *options: str) -> None:
        project.kubectl("scale", name, f"--replicas={replicas}", *options)

    with no_request_fails(project, SERVICES.values(), authority=authority):
        update(project)
        wait_until("a step", lambda: status(project, "beacon").weight == FIRST_STEP, 60)
        scale("deployment/flagger", 0)
        before = statuses(project)
        time.sleep(1.5 * INTERVAL)
        assert statuses(project) == before
        scale("statefulset/prometheus", 0, "--namespace", monitoring)
        scale("deployment/flagger", 1)
        wait_until("a failed check", lambda: status(project, "beacon").failed_checks > 0, 60)
        assert [one.weight for one in statuses(project).values()] == [
            one.weight for one in before.values()
        ]
        scale("statefulset/prometheus", 1, "--namespace", monitoring)
        # Errors of the bad version, which was the same one, count for a minute after the restart.
        wait_for_phase(project, "Succeeded", 180)


def test_a_running_service_becomes_rolling_again_without_a_failed_request(
    project: Project, authority: Path
) -> None:
    with services(project) as all_services:
        for service in all_services.values():
            service["release"]["strategy"] = "rolling"
    with no_request_fails(project, SERVICES.values(), authority=authority):
        project.make("up")
        time.sleep(PROXY_SECONDS)
    project.assert_no_drift()
