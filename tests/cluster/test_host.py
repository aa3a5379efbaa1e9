"""A service on a host without Kubernetes: on a machine with systemd, under load."""

import json
import re
import secrets
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from commands.load import Load
from commands.supply_chain.python_tool import python_tool
from local import debian
from local.layout import Layout
from settings.project import project_name
from tests.cluster.project import Project, wait_until
from tests.cluster.systemd_host import SHARED, SystemdHost

PACKAGES = [
    *("nftables", "nginx", "skopeo", "socat", "supervisor", "umoci"),
    *("docker.io", "docker-compose"),
]
REGISTRY_PORT = 5000
LISTEN_ADDRESS = "10.91.0.2"
"""Address of the machine with nginx."""
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
        config["slipway:host"] = {"listenAddress": LISTEN_ADDRESS}
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


def supply(machine: SystemdHost, stack: Project) -> None:
    """Do what the operator of a host does before the first update."""
    # skopeo and Docker log in to the registry of this machine.
    docker = stack.environment["DOCKER_CONFIG"]
    login = ("install", "-D", "-m", "0600", f"{docker}/config.json", "/root/.docker/config.json")
    machine.run(*login)
    connections = "s/worker_connections .*/worker_connections 4096;/"
    machine.run("sed", "-i", connections, "/etc/nginx/nginx.conf")
    folder = f"/etc/slipway/{prefix(stack)}/secrets"
    machine.run("install", "-d", "-m", "0711", folder, f"{folder}/beacon")
    machine.run("sh", "-c", f"umask 077; echo a-token-of-the-operator > {folder}/beacon/token")
    machine.run("sh", "-c", f"cd {folder}/beacon && chgrp 65532 token && chmod 0440 token")


def prefix(stack: Project) -> str:
    """Prefix of the names of a stack on a host."""
    return f"{project_name()}-{stack.stack}".replace(".", "_")


@pytest.fixture(scope="module")
def machine(stack: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemdHost]:
    """The machine; `make host` writes to the folder that it shares."""
    shared = stack.folder / "out"
    shared.mkdir(exist_ok=True)
    with SystemdHost(tmp_path_factory.mktemp("machine"), shared, REGISTRY_PORT) as machine:
        supply(machine, stack)
        yield machine


Run = Callable[..., "subprocess.CompletedProcess[str]"]


class Host:
    """`make host` and `ansible-playbook` for a release of the stack.

    ``run`` runs a program where the written folder is ``out``, with the options ``connection``.
    """

    def __init__(
        self,
        stack: Project,
        digests: Mapping[str, str],
        run: Run,
        out: Path = SHARED / "host",
        connection: Sequence[str] = ("-c", "local"),
    ) -> None:
        self.stack = stack
        self.digests = digests
        self._run = run
        self._out = out
        self._connection = connection

    def release(self, stable: str, canary: str = "", **service_keys: object) -> None:
        """Write the files of a release."""
        with self.stack.service() as service:
            service.update(service_keys)
            release = {"strategy": "canary", "stable": self._version(stable)}
            if canary:
                release["canary"] = {**self._version(canary), "weight": 10}
            service["release"] = release
        self.stack.make("host", f"OUT={self.stack.folder / 'out' / self._out.name}")

    def _version(self, version: str) -> dict[str, str]:
        return {"version": version, "digest": self.digests[version]}

    def play(self, playbook: str, *options: str, fails: bool = False) -> str:
        """Run a playbook; return its output."""
        variables = {
            "slipway_install_packages": "false",
            "slipway_registry_tls": "false",
            "slipway_compose": "docker-compose",
            "ansible_pipelining": "true",
        }
        done = self._run(
            *(python_tool("ansible-lint").parent / "ansible-playbook", self._out / playbook),
            *("-i", self._out / "inventory.yaml", *self._connection),
            *(word for name, value in variables.items() for word in ("-e", f"{name}={value}")),
            *options,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout

    @property
    def url(self) -> str:
        """URL of nginx."""
        return f"http://{LISTEN_ADDRESS}:{PORT}"

    def load(self) -> Load:
        """Requests until the block ends."""
        return Load(f"{self.url}/", RATE, {"Host": self.stack.host})

    def responses(self, requests: int, **headers: str) -> list[httpx.Response]:
        """Responses to requests, one after the other."""
        with httpx.Client(headers={"Host": self.stack.host, **headers}, timeout=10) as client:
            return [client.get(f"{self.url}/") for _ in range(requests)]

    def versions(self, requests: int, **headers: str) -> Counter[str]:
        """Versions that respond to requests."""
        seen = self.responses(requests, **headers)
        return Counter(one.headers.get("X-Version", str(one.status_code)) for one in seen)

    @contextmanager
    def no_failed_request(self, at_least: int = 0) -> Iterator[Load]:
        """Send requests while the block runs, none of which may fail."""
        with self.load() as load:
            yield load
            wait_until("the rest of the requests", lambda: len(load.results) >= at_least, 600)
        print(f"{len(load.results)} requests, {len(load.failures)} failed, {dict(load.versions)}")
        assert not load.failures, load.failures[:3]

    def update_and_roll_back(self) -> None:
        """Update to the new version and roll back, under load."""
        self.release(OLD)
        self.play("update.yaml")
        assert self.versions(10) == {OLD: 10}
        self.release(NEW)
        with self.no_failed_request(REQUESTS) as load:
            self.play("update.yaml")
            wait_until("responses of the new version", lambda: load.versions[NEW] > 0, 30)
            self.play("rollback.yaml")
        assert self.versions(10) == {OLD: 10}


@pytest.fixture(scope="module")
def host(stack: Project, machine: SystemdHost) -> Host:
    return Host(stack, digests(stack), machine.run)


@pytest.mark.timeout(1200)
def test_a_check_of_an_empty_host_changes_nothing(host: Host, machine: SystemdHost) -> None:
    host.release(OLD)
    printed = host.play("update.yaml", "--check")
    assert re.search(r"host-1 .*changed=[1-9]", printed), printed
    assert "failed=0" in printed
    assert machine.run("ls", f"/etc/slipway/{prefix(host.stack)}").stdout.split() == ["secrets"]


@pytest.mark.timeout(1200)
def test_no_request_fails_over_an_update_and_a_rollback(host: Host) -> None:
    host.update_and_roll_back()


@pytest.mark.timeout(1200)
def test_a_version_that_does_not_start_is_replaced_by_the_current_one(
    host: Host, machine: SystemdHost
) -> None:
    second = main_process(machine, host.stack, 2)
    with host.stack.restored_config():
        host.release(NEW, env={"BEACON_LOG_LEVEL": "loud"})
        with host.no_failed_request() as load:
            printed = host.play("update.yaml", "-e", "slipway_restart=true", fails=True)
    assert "again" in printed
    assert set(load.versions) == {OLD}
    assert main_process(machine, host.stack, 2) == second, "it was not updated"


def main_process(machine: SystemdHost, stack: Project, instance: int) -> str:
    """Process ID of an instance of stable."""
    unit = f"{prefix(stack)}.beacon-stable@{instance}.service"
    show = ("systemctl", "show", "--value", "--property=MainPID", unit)
    return machine.run(*show).stdout.strip()


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
    assert "beacon-canary" not in units(machine, host.stack)


def units(machine: SystemdHost, stack: Project) -> str:
    """Loaded units, and unit files, of a stack."""
    pattern = f"{prefix(stack)}.*"
    loaded = machine.run("systemctl", "list-units", "--all", "--plain", "--no-legend", pattern)
    files = machine.run("find", "/etc/systemd/system", "-name", pattern)
    return loaded.stdout + files.stdout


@pytest.mark.timeout(1200)
def test_an_instance_that_a_release_does_not_have_gets_no_requests_and_is_stopped(
    machine: SystemdHost, host: Host
) -> None:
    with host.stack.restored_config(), host.no_failed_request():
        with host.stack.config() as config:
            config["slipway:host"]["instances"] = 1
        host.release(OLD)
        host.play("update.yaml")
    assert "beacon-stable@2" not in units(machine, host.stack)
    host.release(OLD)
    host.play("update.yaml")
    assert "beacon-stable@2" in units(machine, host.stack)


def test_an_instance_is_hardened_and_has_the_limits_and_secrets_of_a_pod(
    machine: SystemdHost, host: Host
) -> None:
    unit = f"{prefix(host.stack)}.beacon-stable@1.service"
    printed = machine.run("systemd-analyze", "security", "--no-pager", unit).stdout
    exposure = re.search(r"exposure level for \S+: ([0-9.]+)", printed)
    assert exposure, printed
    print(exposure[0])
    assert float(exposure[1]) <= 2.0
    group = machine.run("systemctl", "show", "--value", "--property=ControlGroup", unit).stdout
    cgroup = f"/sys/fs/cgroup/memory/{group.strip()}"
    assert machine.run("cat", f"{cgroup}/memory.limit_in_bytes").stdout.strip() == str(512 * 2**20)
    pid = main_process(machine, host.stack, 1)
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
    def process() -> str:
        return main_process(machine, host.stack, 1)

    pid = process()
    machine.run("kill", "-STOP", pid)
    wait_until("a new process", lambda: process() not in (pid, "0"), 120)
    wait_until("both instances", lambda: host.versions(20) == {OLD: 20}, 60)


@pytest.fixture(scope="module")
def other_machine(
    stack: Project, machine: SystemdHost, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SystemdHost]:
    """A second machine."""
    folder = tmp_path_factory.mktemp("other_machine")
    with SystemdHost(folder, stack.folder / "out", REGISTRY_PORT, number=1) as other:
        yield other


@pytest.fixture(scope="module")
def addresses(machine: SystemdHost, other_machine: SystemdHost) -> tuple[str, str]:
    """Addresses of both machines on a link between them."""
    return machine.connect(other_machine)


class TwoHosts(Host):
    """A stack of its own on two machines. A message identifies each release."""

    def messages(self) -> set[str]:
        return {one.json()["message"] for one in self.responses(20)}

    @contextmanager
    def settings(self) -> Iterator[Any]:
        """Edit the section ``host``."""
        with self.stack.config() as config:
            yield config["slipway:host"]

    def update(self, version: str, message: str, *, fails: bool = False) -> str:
        with self.stack.service() as service:
            service["config"]["message"] = message
            # A container runtime finds both.
            service["command"] = ["beacon" if message == "zero" else "./beacon"]
            service["env"] = {"PATH": "/"}
        self.release(version)
        return self.play("update.yaml", fails=fails)


@pytest.fixture(scope="module")
def two(
    host: Host,
    machine: SystemdHost,
    other_machine: SystemdHost,
    addresses: tuple[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> TwoHosts:
    stack = Project(host.stack.folder, f"{host.stack.stack}.2", host.stack.environment)
    shutil.copy2(host.stack.file, stack.file)
    ssh = tmp_path_factory.mktemp("ssh") / "ssh"
    ssh.write_text(SSH)
    ssh.chmod(0o755)
    for one, address in zip((machine, other_machine), addresses, strict=True):
        Path(f"{ssh}.{address}").write_text(one.process)
        supply(one, stack)
    with stack.service() as service:
        service["routing"]["hosts"] = [stack.host]
    options = (
        "ansible_user=root",
        "ansible_ssh_transfer_method=piped",
        f"ansible_ssh_executable={ssh}",
    )
    two = TwoHosts(
        stack,
        host.digests,
        lambda *command, check: stack.run(*map(str, command), seconds=600),
        stack.folder / "out" / "two",
        [word for option in options for word in ("-e", option)],
    )
    with two.settings() as settings:
        settings |= {"instances": 1, "hosts": dict(zip(("web-1", "web-2"), addresses, strict=True))}
    return two


@pytest.mark.timeout(2400)
def test_a_rollback_returns_two_hosts_to_one_release_beside_another_stack(
    host: Host, two: TwoHosts, other_machine: SystemdHost
) -> None:
    assert "use other ports in slipway:host.firstPorts" in two.update(OLD, "zero", fails=True)
    with two.settings() as settings:
        settings["firstPorts"] = {"beacon": 19_000}
    with host.no_failed_request():
        two.update(OLD, "zero")
        two.update(OLD, "one")
        # The image cannot be installed on the second host.
        file = f"/var/lib/slipway/images/beacon/{host.digests[NEW][7:19]}"
        other_machine.run("touch", file)
        with two.no_failed_request():
            assert "failed on web-2" in two.update(NEW, "two", fails=True)
            other_machine.run("rm", file)
            two.play("rollback.yaml")
        assert two.messages() == {"one"}
        two.play("rollback.yaml")
        assert two.messages() == {"zero"}
    assert "changed=0" in host.play("update.yaml"), "of the other stack"


@pytest.mark.timeout(2400)
def test_no_request_fails_while_a_host_is_removed_and_while_nginx_moves(
    two: TwoHosts, machine: SystemdHost, other_machine: SystemdHost, addresses: tuple[str, str]
) -> None:
    with two.settings() as settings:
        del settings["hosts"]["web-2"]
    with two.no_failed_request():
        two.update(OLD, "three")
    assert two.messages() == {"three"}
    assert not units(other_machine, two.stack)
    with two.settings() as settings:
        settings["hosts"]["web-2"] = addresses[1]
    two.update(OLD, "four")
    with two.settings() as settings:
        del settings["hosts"]["web-1"]
    assert f"nginx moves from {addresses[0]} to" in two.update(OLD, "four", fails=True)
    with two.settings() as settings:
        settings["hosts"]["web-1"] = addresses[0]
        settings["balancer"] = addresses[1]
    other_machine.run("ip", "address", "add", f"{LISTEN_ADDRESS}/32", "dev", "lo")
    with two.no_failed_request():
        two.update(OLD, "four")
    # The requests go to the second host, and the first one is removed.
    route = ("ip", "route", "{}", f"{LISTEN_ADDRESS}/32", "via", other_machine.address)
    subprocess.run([one.format("add") for one in route], check=True)
    try:
        with two.settings() as settings:
            del settings["hosts"]["web-1"]
        with two.no_failed_request():
            two.update(OLD, "five")
        assert two.messages() == {"five"}
        assert not units(machine, two.stack)
    finally:
        subprocess.run([one.format("delete") for one in route], check=True)


SSH = """#!/bin/bash
# ssh OPTIONS ADDRESS COMMAND: runs the command in the machine with the address.
address=${@: -2:1} command=${@: -1}
exec nsenter --target "$(cat "$0.$address")" --all --wdns=/ \\
    env -i HOME=/root LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -c "$command"
"""


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("runtime", ["compose", "supervisor"])
def test_no_request_fails_over_a_change_of_the_runtime_an_update_and_a_rollback(
    machine: SystemdHost, host: Host, runtime: str
) -> None:
    machine.run("systemctl", "start", {"compose": "docker"}.get(runtime, runtime))
    with host.stack.config() as config:
        config["slipway:host"]["runtime"] = runtime
    host.release(OLD)
    with host.no_failed_request():
        host.play("update.yaml")
    assert not units(machine, host.stack)
    if runtime == "supervisor":
        assert prefix(host.stack) not in machine.run("docker", "ps", "--all").stdout
    host.update_and_roll_back()
