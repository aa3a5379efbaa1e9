"""The program in the process of a command; tests/cluster has the tests with the CLI."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import (
    engine_pb2_grpc,
    language_pb2,
    language_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
)

SERVE = """
import sys
from pathlib import Path
from commands.program_server import served_program
logs_debug = sys.argv[2:] == ["debug"]
with served_program({"NAME": "value"}, Path(sys.argv[1]), logs_debug=logs_debug) as address:
    print(address, flush=True)
    input()
"""
ENDLESS = """
import asyncio, os
import pulumi
pulumi.export("endless", asyncio.sleep(600 if os.environ["NAME"] == "value" else 0))
"""
LOGGING = """
import pulumi
pulumi.log.debug("with --debug only")
pulumi.log.warn("always")
"""


class Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    def __init__(self) -> None:
        self.is_called = threading.Event()

    def SupportsFeature(self, request: Any, context: Any) -> Any:  # noqa: N802
        return resource_pb2.SupportsFeatureResponse()

    def GetDeploymentInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return resource_pb2.DeploymentInfo()

    def RegisterResource(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.is_called.set()
        return resource_pb2.RegisterResourceResponse(urn="urn:pulumi:dev::test::test")

    def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:  # noqa: N802
        return Empty()

    def SignalAndWaitForShutdown(self, request: Any, context: Any) -> Any:  # noqa: N802
        return Empty()


class Engine(engine_pb2_grpc.EngineServicer):
    def __init__(self) -> None:
        self.messages: list[str] = []

    def Log(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.messages.append(request.message)
        return Empty()


def command(*arguments: str | Path) -> "subprocess.Popen[str]":
    """Start a command that serves the program until it gets a line."""
    return subprocess.Popen(
        [sys.executable, "-c", SERVE, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def cli_of(
    command: "subprocess.Popen[str]",
) -> Iterator[language_pb2_grpc.LanguageRuntimeStub]:
    """The connection of the CLI to a command, until the CLI ends."""
    assert command.stdout
    with grpc.insecure_channel(command.stdout.readline().strip()) as channel:
        yield language_pb2_grpc.LanguageRuntimeStub(channel)


def run_request(address: str, engine: str) -> language_pb2.RunRequest:
    """Request of a CLI whose resource monitor has this address."""
    return language_pb2.RunRequest(
        project="test", stack="dev", pwd="/", monitor_address=address, args=[engine]
    )


def test_a_command_ends_when_the_cli_was_killed(tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text(ENDLESS)
    monitor, server = Monitor(), grpc.server(ThreadPoolExecutor())
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(monitor, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    with command(tmp_path) as started:
        with cli_of(started) as cli:
            call = cli.Run.future(run_request(address, engine=""))  # the engine only logs
            assert monitor.is_called.wait(30), "the program has not started after 30 s"
            call.cancel()
        server.stop(grace=None)
        try:
            started.communicate("\n", timeout=20)
        finally:
            started.kill()
    assert started.returncode == 0


@pytest.mark.parametrize("mode", ["", "debug"])
def test_debug_messages_are_sent_only_to_a_cli_that_shows_them(tmp_path: Path, mode: str) -> None:
    (tmp_path / "__main__.py").write_text(LOGGING)
    engine, server = Engine(), grpc.server(ThreadPoolExecutor())
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(Monitor(), server)
    engine_pb2_grpc.add_EngineServicer_to_server(engine, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    with command(tmp_path, mode) as started:
        with cli_of(started) as cli:
            response = cli.Run(run_request(address, engine=address), timeout=60)
        started.communicate("\n", timeout=20)
    server.stop(grace=None)
    assert not response.bail
    assert "always" in engine.messages
    assert ("with --debug only" in engine.messages) == (mode == "debug")
