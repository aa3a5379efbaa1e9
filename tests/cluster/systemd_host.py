"""A machine with systemd on this one, for the tests of hosts without Kubernetes."""

import os
import subprocess
from pathlib import Path
from typing import Self

from tests.cluster.installation import Installation
from tests.cluster.project import wait_until

SHARED = Path("/srv/slipway")
"""Folder of the machine that the test writes."""
_SCRIPT = Path(__file__).parent / "systemd_host.sh"
_HIERARCHIES = Path("/sys/fs/cgroup")


class SystemdHost(Installation):
    """systemd as process 1, with this machine's files, and its own network, processes and cgroups.

    ``shared`` is mounted at :data:`SHARED`. ``port`` of the loopback interface of this machine is
    the same port there; without ``port``, the machine reaches nothing but the address of this
    machine on the link between them. ``number`` is that of the machine, from 0.
    """

    def __init__(
        self, folder: Path, shared: Path, port: int | None = None, number: int = 0
    ) -> None:
        self._folder = folder
        self._shared = shared
        self._port = port
        self._name = f"slipway-host-{os.getpid()}-{number}"
        self._link = f"slh{number}-{os.getpid() % 100_000}"
        self._network = f"10.91.{number}"
        self._forward: subprocess.Popen[bytes] | None = None
        self.address = f"{self._network}.2"
        """Address of the machine on a link to this one."""

    def __enter__(self) -> Self:
        for name in ("root", "upper", "work", "docker"):
            (self._folder / name).mkdir(parents=True)
        self._started = subprocess.Popen(
            ["bash", _SCRIPT, self._folder, self._shared, self._name],
            stdin=subprocess.DEVNULL,
            stdout=(self._folder / "boot.log").open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        return super().__enter__()

    def _install(self) -> None:
        wait_until("systemd to start", self._is_running, 60)
        self._connect()

    def _is_running(self) -> bool:
        assert self._started.poll() is None, (self._folder / "boot.log").read_text()
        try:
            state = self.run("systemctl", "is-system-running", check=False)
        except FileNotFoundError:
            return False
        return state.stdout.strip() in ("running", "degraded")

    @property
    def process(self) -> str:
        """Process ID of systemd on this machine."""
        children = Path(f"/proc/{self._started.pid}/task/{self._started.pid}/children")
        found = children.read_text().split()
        if not found:
            raise FileNotFoundError(children)
        return found[0]

    def _connect(self) -> None:
        link = self._link
        for command in (
            f"ip link add {link} type veth peer name host0 netns {self.process}",
            f"ip address add {self._network}.1/30 dev {link}",
            f"ip link set {link} up",
        ):
            subprocess.run(command.split(), check=True)
        self.run("ip", "address", "add", f"{self.address}/30", "dev", "host0")
        self.run("ip", "link", "set", "host0", "up")
        self.run("ip", "link", "set", "lo", "up")
        if self._port is None:
            return
        # A connection to the port in the machine is one to the port of this machine.
        this, port = os.getpid(), self._port
        to_this = rf"nsenter --target {this} --net socat STDIO TCP\:127.0.0.1\:{port}"
        self._forward = subprocess.Popen(
            [
                *("nsenter", "--target", self.process, "--net", "socat"),
                *(f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr", f"EXEC:{to_this}"),
            ],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def connect(self, other: "SystemdHost") -> tuple[str, str]:
        """Connect to another machine. Return the addresses of both on the link."""
        ends = (self, "10.91.99.1"), (other, "10.91.99.2")
        own, peer = (f"netns {one.process}" for one, _ in ends)
        added = f"ip link add link0 {own} type veth peer name link0 {peer}"
        subprocess.run(added.split(), check=True)
        for machine, address in ends:
            machine.run("ip", "address", "add", f"{address}/30", "dev", "link0")
            machine.run("ip", "link", "set", "link0", "up")
        return ends[0][1], ends[1][1]

    def _remove(self) -> None:
        if self._forward:
            self._forward.terminate()
        # The kernel ends every process of the machine with its process 1.
        self._started.kill()
        self._started.wait()
        subprocess.run(["ip", "link", "delete", self._link], check=False, capture_output=True)

        def is_removed() -> bool:
            folders = [*_HIERARCHIES.glob(f"*/{self._name}")]
            for folder in folders:
                for path in sorted(folder.rglob("*"), reverse=True):
                    if path.is_dir():
                        path.rmdir()
                folder.rmdir()
            return not folders

        def is_clean() -> bool:
            try:
                return is_removed()
            except OSError:  # a process has not ended yet
                return False

        wait_until("the processes of the machine to end", is_clean, 30)

    def run(
        self, *command: str | Path, check: bool = True, seconds: float = 600
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command in the machine."""
        enter = ["nsenter", "--target", self.process, "--all", "--wdns=/"]
        done = subprocess.run(
            [*enter, *command],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done
