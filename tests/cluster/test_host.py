"""A service on a host without Kubernetes: on a machine with systemd, under load."""

import json
import re
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping

import httpx
import pytest

from commands.load import Load
from commands.supply_chain.python_tool import python_tool
from local import debian
from local.layout import Layout
from tests.cluster.project import Project, wait_until
from tests.cluster.systemd_host import SHARED, SystemdHost

PACKAGES = [
    *("nftables", "nginx", "skopeo", "socat", "supervisor", "umoci"),
    *("docker.io", "docker-compose"),
]
REGISTRY_PORT = 5000
PORT = 8080
RATE = 120
REQUESTS = 20_000
OLD, NEW = "1.0.0", "1.1.0"


@pytest.fixture(scope="module")
def stack(
    cluster_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """A stack with two published versions, which is not deployed to the cluster."""
    debian.install(Layout(), PACKAGES, lambda _: None)
    name = f"test-{secrets.token_hex(3)}"
    stack = Project.copy(tmp_path_factory.mktemp("project"), name, cluster_environment)
    with stack.config() as config:
        config["slipway:host"] = {"listenAddress": "10.91.0.2"}
    with stack.service() as service:
        service["config"] = {"message": "Hello", "drain": "1s", **service["config"]}
        liveness = {"initialDelaySeconds": 1, "periodSeconds": 1, "timeoutSeconds": 1}
        service["probes"]["liveness"].update(liveness)
    stack.make("publish")
    with stack.service() as service:
        service["release"]["canary"] = {"version": NEW, "weight": 10}
    (stack.folder / "app" / "VERSION").write_text(f"{NEW}\n")
    stack.make("publish")
    return stack


def digests(stack: Project) -> dict[str, str]:
    with stack.service() as service:
        release = service["release"]
        return {OLD: release["stable"]["digest"], NEW: release["canary"]["digest"]}


@pytest.fixture(scope="module")
def machine(stack: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemdHost]:
    """The machine; `make host` writes to the folder that it shares."""
    docker = stack.environment["DOCKER_CONFIG"]
    shared = stack.folder / "out"
    shared.mkdir(exist_ok=True)
    with SystemdHost(tmp_path_factory.mktemp("machine"), shared, REGISTRY_PORT) as machine:
        # skopeo and Docker log in to the registry of this machine.
        machine.run(
            "install", "-D", "-m", "0600", f"{docker}/config.json", "/root/.docker/config.json"
        )
        folder = "/etc/slipway/secrets/beacon"
        machine.run("install", "-d", "-m", "0711", "/etc/slipway/secrets", folder)
        machine.run("sh", "-c", f"umask 077; echo a-token-of-the-operator > {folder}/token")
        machine.run("sh", "-c", f"chgrp 65532 {folder}/token && chmod 0440 {folder}/token")
        yield machine


class Host:
    """`make host` and `ansible-playbook` for a release of the stack."""

    def __init__(self, stack: Project, machine: SystemdHost, known: Mapping[str, str]) -> None:
        self.stack = stack
        self._machine = machine
        self._known = known

    def release(self, stable: str, canary: str = "", **service_keys: object) -> None:
        """Write the files of a release."""
        with self.stack.service() as service:
            service.update(service_keys)
            release = {"strategy": "canary", "stable": self._version(stable)}
            if canary:
                release["canary"] = {**self._version(canary), "weight": 10}
            service["release"] = release
        self.stack.make("host", f"OUT={self.stack.folder / 'out' / 'host'}")

    def _version(self, version: str) -> dict[str, str]:
        return {"version": version, "digest": self._known[version]}

    def play(self, playbook: str, *options: str, fails: bool = False) -> str:
        """Run a playbook in the machine."""
        done = self._machine.run(
            *(python_tool("ansible-lint").parent / "ansible-playbook", f"{SHARED}/host/{playbook}"),
            *("-i", f"{SHARED}/host/inventory.yaml", "-c", "local"),
            *(
                "-e",
                "slipway_install_packages=false",
                "-e",
                "slipway_registry_tls=false",
                "-e",
                "ansible_pipelining=true",
            ),
            *("-e", "slipway_compose=docker-compose"),
            *options,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout

    @property
    def url(self) -> str:
        """URL of nginx."""
        return f"http://{self._machine.address}:{PORT}"

    def load(self) -> Load:
        """Requests until the block ends."""
        return Load(f"{self.url}/", RATE, {"Host": self.stack.host})

    def versions(self, requests: int, **headers: str) -> Counter[str]:
        """Versions that respond to requests, one after the other."""
        seen: Counter[str] = Counter()
        with httpx.Client(headers={"Host": self.stack.host, **headers}, timeout=10) as client:
            for _ in range(requests):
                response = client.get(f"{self.url}/")
                seen[response.headers.get("X-Version", str(response.status_code))] += 1
        return seen


@pytest.fixture(scope="module")
def host(stack: Project, machine: SystemdHost) -> Host:
    return Host(stack, machine, digests(stack))


@pytest.mark.timeout(1200)
def test_a_check_of_an_empty_host_changes_nothing(host: Host, machine: SystemdHost) -> None:
    host.release(OLD)
    printed = host.play("update.yaml", "--check")
    assert re.search(r"host-1 .*changed=[1-9]", printed), printed
    assert "failed=0" in printed
    assert machine.run("ls", "/etc/slipway").stdout.split() == ["secrets"]


@pytest.mark.timeout(1200)
def test_no_request_fails_over_an_update_and_a_rollback(host: Host) -> None:
    host.release(OLD)
    host.play("update.yaml")
    assert host.versions(10) == {OLD: 10}
    host.release(NEW)
    with host.load() as load:
        host.play("update.yaml")
        wait_until("responses of the new version", lambda: load.versions[NEW] > 0, 30)
        updated = load.versions[NEW]
        host.play("rollback.yaml")
        wait_until("the rest of the requests", lambda: len(load.results) >= REQUESTS, 600)
    print(f"{len(load.results)} requests, {len(load.failures)} failed, {dict(load.versions)}")
    assert not load.failures, load.failures[:3]
    assert updated > 0
    assert host.versions(10) == {OLD: 10}


@pytest.mark.timeout(1200)
def test_a_version_that_does_not_start_is_replaced_by_the_current_one(host: Host) -> None:
    with host.stack.restored_config():
        host.release(NEW, env={"BEACON_LOG_LEVEL": "loud"})
        with host.load() as load:
            printed = host.play("update.yaml", fails=True)
    assert "again" in printed
    assert not load.failures, load.failures[:3]
    assert set(load.versions) == {OLD}


@pytest.mark.timeout(1200)
def test_the_shares_of_a_canary_are_exact_and_an_override_selects_it(
    host: Host, machine: SystemdHost
) -> None:
    host.release(OLD, canary=NEW)
    host.play("update.yaml")
    assert host.versions(1000) == {OLD: 900, NEW: 100}
    assert host.versions(20, **{"X-Canary": "always"}) == {NEW: 20}
    assert host.versions(20, **{"X-Canary": "never"}) == {OLD: 20}
    assert "changed=0" in host.play("update.yaml"), "the second update changes nothing"
    host.release(OLD)
    host.play("update.yaml")
    assert host.versions(20, **{"X-Canary": "always"}) == {OLD: 20}
    units = machine.run("systemctl", "list-units", "--plain", "--no-legend", "beacon-*").stdout
    assert "beacon-canary" not in units


def test_an_instance_is_hardened_and_has_the_limits_and_secrets_of_a_pod(
    machine: SystemdHost, host: Host
) -> None:
    unit = "beacon-stable@1.service"
    printed = machine.run("systemd-analyze", "security", "--no-pager", unit).stdout
    exposure = re.search(r"exposure level for \S+: ([0-9.]+)", printed)
    assert exposure, printed
    print(exposure[0])
    assert float(exposure[1]) <= 2.0
    cgroup = f"/sys/fs/cgroup/memory/system.slice/system-beacon\\x2dstable.slice/{unit}"
    assert machine.run("cat", f"{cgroup}/memory.limit_in_bytes").stdout.strip() == str(512 * 2**20)
    pid = machine.run("systemctl", "show", "--value", "--property=MainPID", unit).stdout.strip()
    status = machine.run("cat", f"/proc/{pid}/status").stdout
    assert re.search(r"^Uid:\s+65532\b", status, re.M)
    assert re.search(r"^CapEff:\s+0+$", status, re.M)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.M)
    token = f"/proc/{pid}/root/run/secrets/beacon/token"
    assert machine.run("cat", token).stdout.strip() == "a-token-of-the-operator"
    (targets,) = json.loads((host.stack.folder / "out/host/prometheus/beacon.json").read_text())[:1]
    text = machine.run("curl", "-sf", f"http://{targets['targets'][0]}/metrics").stdout
    assert 'beacon_build_info{goversion="' in text
    assert f'version="{OLD}"' in text


def test_an_instance_that_hangs_is_restarted_and_its_requests_go_to_the_other(
    machine: SystemdHost, host: Host
) -> None:
    show = ("systemctl", "show", "--value", "--property=MainPID", "beacon-stable@1.service")
    pid = machine.run(*show).stdout.strip()
    machine.run("kill", "-STOP", pid)
    wait_until("a new process", lambda: machine.run(*show).stdout.strip() not in (pid, "0"), 120)
    wait_until("both instances", lambda: host.versions(20) == {OLD: 20}, 60)


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("runtime", ["compose", "supervisor"])
def test_no_request_fails_over_an_update_of_other_runtimes(
    machine: SystemdHost, host: Host, runtime: str
) -> None:
    machine.run("systemctl", "stop", "beacon-*", "slipway-network@*")
    machine.run(
        "sh", "-c", "rm -rf /var/lib/slipway/instances /etc/slipway/{releases,current,previous}"
    )
    machine.run("systemctl", "start", {"compose": "docker"}.get(runtime, runtime))
    with host.stack.config() as config:
        config["slipway:host"]["runtime"] = runtime
    host.release(OLD)
    host.play("update.yaml")
    assert host.versions(10) == {OLD: 10}
    host.release(NEW)
    with host.load() as load:
        host.play("update.yaml")
        wait_until("responses of the new version", lambda: load.versions[NEW] > 0, 30)
        host.play("rollback.yaml")
    print(f"{runtime}: {len(load.results)} requests, {len(load.failures)} failed")
    assert not load.failures, load.failures[:3]
    assert host.versions(10) == {OLD: 10}
