"""The reloader, as a process of this machine."""

import platform
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commands.dev.program import build_reloader

_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}
_SECONDS = 30


@pytest.fixture(scope="module")
def reloader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_reloader(_ARCHITECTURE[platform.machine()], tmp_path_factory.mktemp("reloader"))


class Container:
    """`reloader run` of a program that never ends."""

    def __init__(self, reloader: Path, folder: Path, *command: str) -> None:
        self.output = folder / "output"
        self._reloader, self._program = reloader, folder / "program"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [str(reloader), "run", str(self._program), *command],
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def install(self, script: str) -> None:
        subprocess.run(
            [str(self._reloader), "install", str(self._program)],
            input=f"#!/bin/sh\n{script}\n",
            text=True,
            check=True,
        )

    def printed(self, text: str) -> None:
        deadline = time.monotonic() + _SECONDS
        while text not in self.output.read_text():
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.01)


@pytest.fixture
def run(reloader: Path, tmp_path: Path) -> Iterator[Callable[..., Container]]:
    started: list[Container] = []

    def start(*command: str) -> Container:
        started.append(Container(reloader, tmp_path, *command))
        return started[-1]

    yield start
    for container in started:
        container.process.kill()
        container.process.wait()


def test_an_installed_program_replaces_the_running_one_with_the_same_arguments(
    run: Callable[..., Container],
) -> None:
    container = run("/bin/sh", "-c", "echo first $1; exec sleep 1000", "sh", "argument")
    container.printed("first argument")
    container.install('echo "second $3"; exec sleep 1000')
    container.printed("second sh")
    container.install('echo "third $3"; exec sleep 1000')
    container.printed("third sh")


def test_a_program_that_ends_waits_for_the_next_one(run: Callable[..., Container]) -> None:
    container = run("/bin/sh", "-c", "exit 3")
    container.printed("the program ended (exit status 3)")
    container.install("echo again; exec sleep 1000")
    container.printed("again")


def test_termination_ends_the_program_with_its_exit_code(run: Callable[..., Container]) -> None:
    container = run("/bin/sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done")
    container.printed("ready")
    container.process.send_signal(signal.SIGTERM)
    assert container.process.wait(_SECONDS) == 7
