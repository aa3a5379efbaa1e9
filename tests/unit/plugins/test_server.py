"""How a plugin process lives, and what the engine gets to see of its failures."""

import ctypes
import signal
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

ROOT = Path(__file__).parents[3]
PLUGIN = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from plugins.provider import Provider
from plugins.server import InitializationError, PluginError

class Failing(Provider):
    def Check(self, request, context):
        raise PluginError("the port must be 1 to 65535")
    def Diff(self, request, context):
        return {}["absent"]
    def Create(self, request, context):
        raise InitializationError("7", {"a": 1}, ["0 of 1 replicas are ready"])

Failing.main("1.2.3")
"""


@pytest.fixture
def process():
    with subprocess.Popen(
        [sys.executable, "-c", PLUGIN, str(ROOT), "127.0.0.1:1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        yield process
        if process.poll() is None:
            process.kill()


@pytest.fixture
def provider(process):
    port = int(process.stdout.readline())
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield provider_pb2_grpc.ResourceProviderStub(channel)


def failure(call, request) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as raised:
        call(request, timeout=10)
    return raised.value


def test_a_plugin_reports_its_version(provider):
    assert provider.GetPluginInfo(Empty(), timeout=10).version == "1.2.3"


def test_a_plugin_error_reaches_the_engine_as_its_message_alone(provider):
    problem = failure(provider.Check, provider_pb2.CheckRequest())
    assert problem.details() == "the port must be 1 to 65535"
    assert problem.code() == grpc.StatusCode.FAILED_PRECONDITION


def test_an_unexpected_exception_is_one_line_and_leaves_the_outcome_open(provider):
    problem = failure(provider.Diff, provider_pb2.DiffRequest())
    assert problem.details() == "KeyError: 'absent'"
    assert problem.code() == grpc.StatusCode.UNKNOWN


def test_a_call_the_provider_lacks_is_unimplemented(provider):
    problem = failure(provider.Delete, provider_pb2.DeleteRequest())
    assert problem.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_function_or_a_component_is_refused_by_its_name(provider):
    for call, request in (
        (provider.Invoke, provider_pb2.InvokeRequest(tok="kubernetes:yaml:decode")),
        (provider.Call, provider_pb2.CallRequest(tok="kubernetes:yaml:decode")),
        (provider.Construct, provider_pb2.ConstructRequest(type="kubernetes:yaml:decode")),
    ):
        told = failure(call, request).details() or ""
        assert told.startswith("kubernetes:yaml:decode is not in this plugin")


def test_an_initialization_error_carries_the_resource_that_now_exists(provider):
    problem = failure(provider.Create, provider_pb2.CreateRequest())
    packed = {item.key: item.value for item in problem.trailing_metadata()}[
        "grpc-status-details-bin"
    ]
    detail = provider_pb2.ErrorResourceInitFailed()
    assert status_pb2.Status.FromString(packed).details[0].Unpack(detail)
    assert (detail.id, detail.properties["a"], list(detail.reasons)) == (
        "7",
        1,
        ["0 of 1 replicas are ready"],
    )


def test_an_interrupted_plugin_ends_without_an_error_or_a_word(process):
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    assert errors == b""


def test_a_plugin_ends_whichever_of_its_threads_is_interrupted(process):
    process.stdout.readline()
    threads = [int(entry.name) for entry in Path(f"/proc/{process.pid}/task").iterdir()]
    other = next(thread for thread in threads if thread != process.pid)
    assert ctypes.CDLL(None).tgkill(process.pid, other, signal.SIGINT) == 0
    assert process.wait(timeout=10) == 0


def test_a_plugin_ends_when_the_engine_is_gone(process):
    process.stdout.readline()
    process.stdin.close()
    assert process.wait(timeout=10) == 0
