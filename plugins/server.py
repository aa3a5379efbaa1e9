"""The life of a plugin process: listen, tell the engine the port, serve, end quietly."""

import os
import signal
import stat
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, status_pb2

from plugins.values import to_struct

_MAX_MESSAGE = 400 * 1024 * 1024  # bytes; the engine's own limit
_OPTIONS = [
    ("grpc.max_receive_message_length", _MAX_MESSAGE),
    ("grpc.max_send_message_length", _MAX_MESSAGE),
]
# One thread per request in flight, which the engine bounds by `--parallel`; a thread that waits
# for a rollout costs next to nothing.
_MAX_REQUESTS = 256
# Seconds for requests in flight to end: the engine, where it is not gone, kills a plugin after 5.
_GRACE = 3.0
_GRACE_WITHOUT_ENGINE = 30.0
_ENGINE_GONE = b"\0"  # where it is not the number of a signal


class PluginError(Exception):
    """A failure to tell the user, in one message and without a traceback.

    `code` tells the engine what became of the resource: with `UNKNOWN` or `INTERNAL` it records
    that the operation may have happened, with any other (the default) that it has not.
    """

    def __init__(
        self, message: str, code: grpc.StatusCode = grpc.StatusCode.FAILED_PRECONDITION
    ) -> None:
        super().__init__(message)
        self.code = code


class InitializationError(PluginError):
    """The resource exists but is not ready. The engine keeps it, and each reason is shown."""

    def __init__(
        self,
        id: str,
        properties: Mapping[str, Any],
        reasons: list[str],
        inputs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__("; ".join(reasons), grpc.StatusCode.UNKNOWN)
        self.details = provider_pb2.ErrorResourceInitFailed(
            id=id,
            properties=to_struct(properties),
            reasons=reasons,
            inputs=None if inputs is None else to_struct(inputs),
        )


class Engine:
    """The engine that started this plugin; used to show messages to the user."""

    def __init__(self, address: str) -> None:
        self._address = address

    @cached_property
    def _stub(self) -> engine_pb2_grpc.EngineStub:
        return engine_pb2_grpc.EngineStub(grpc.insecure_channel(self._address, options=_OPTIONS))

    def debug(self, message: str, urn: str = "") -> None:
        self._log(engine_pb2.DEBUG, message, urn, ephemeral=False)

    def info(self, message: str, urn: str = "") -> None:
        self._log(engine_pb2.INFO, message, urn, ephemeral=False)

    def warning(self, message: str, urn: str = "") -> None:
        self._log(engine_pb2.WARNING, message, urn, ephemeral=False)

    def error(self, message: str, urn: str = "") -> None:
        self._log(engine_pb2.ERROR, message, urn, ephemeral=False)

    def status(self, message: str, urn: str) -> None:
        """Show what a resource is doing now, beside it and only until the next message."""
        self._log(engine_pb2.INFO, message, urn, ephemeral=True)

    def _log(self, severity: int, message: str, urn: str, *, ephemeral: bool) -> None:
        request = engine_pb2.LogRequest(
            severity=severity,  # type: ignore[arg-type] # the generated stub's own enum
            message=message,
            urn=urn,
            ephemeral=ephemeral,
        )
        try:
            self._stub.Log(request, timeout=10)
        except grpc.RpcError as problem:
            # The engine is going away; a message that nobody can see must not fail the operation.
            print(f"message not delivered ({problem.code()}): {message}", file=sys.stderr)


def serve(register: Callable[[grpc.Server], None], stop: Callable[[], None]) -> None:
    """Serve on a free loopback port until the engine interrupts this process or is gone.

    `register` adds the servicer to the server; `stop` is called once, to end what still runs.
    """
    workers = ThreadPoolExecutor(_MAX_REQUESTS)
    server = grpc.server(workers, interceptors=[_Errors()], options=_OPTIONS)
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()

    # Not an event: the system may hand a signal to any thread, which does not wake the main one.
    ended, end = os.pipe()
    os.set_blocking(end, False)
    signal.set_wakeup_fd(end, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    _on_parent_exit(lambda: os.write(end, _ENGINE_GONE))

    print(port, flush=True)
    reason = os.read(ended, 1)
    stop()
    server.stop(grace=None)
    # The server forgets a request whose client is gone, but its thread may have to tidy up.
    tidying = threading.Thread(target=workers.shutdown, daemon=True)
    tidying.start()
    tidying.join(_GRACE_WITHOUT_ENGINE if reason == _ENGINE_GONE else _GRACE)
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: that would wait for requests which nobody waits for any more.
    os._exit(0)


def engine_address(arguments: list[str]) -> str:
    """The engine's address among a plugin's arguments: the last one, after any logging flags."""
    return arguments[-1] if arguments and not arguments[-1].startswith("-") else ""


def _on_parent_exit(callback: Callable[[], object]) -> None:
    # The engine holds the other end of our standard input and never writes to it, so its end is the
    # engine's end, even when that was killed. Started by hand, there is no pipe to watch.
    if not stat.S_ISFIFO(os.fstat(0).st_mode):
        return

    def watch() -> None:
        while os.read(0, 4096):
            pass
        callback()

    threading.Thread(target=watch, daemon=True).start()


class _Errors(grpc.ServerInterceptor):
    """Turns what a call raises into the status that the engine expects."""

    def intercept_service(self, continuation: Callable[..., Any], handler_call_details: Any) -> Any:
        handler = continuation(handler_call_details)
        if handler is None:
            return None

        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            with _reported(context):
                return handler.unary_unary(request, context)

        def stream(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            with _reported(context):
                yield from handler.unary_stream(request, context)

        serialization = handler.request_deserializer, handler.response_serializer
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(stream, *serialization)
        return grpc.unary_unary_rpc_method_handler(answer, *serialization)


@contextmanager
def _reported(context: grpc.ServicerContext) -> Iterator[None]:
    try:
        yield
        return
    except NotImplementedError:
        code, message = grpc.StatusCode.UNIMPLEMENTED, "not implemented"
    except PluginError as problem:
        if isinstance(problem, InitializationError):
            context.set_trailing_metadata(_details(problem))
        code, message = problem.code, str(problem)
    except Exception as problem:
        # A bug of ours: the user sees one line, and all of it with `pulumi --debug`.
        traceback.print_exc()
        code, message = grpc.StatusCode.UNKNOWN, f"{type(problem).__name__}: {problem}"
    context.abort(code, message)


def _details(problem: InitializationError) -> tuple[tuple[str, bytes], ...]:
    status = status_pb2.Status(code=problem.code.value[0], message=str(problem))
    status.details.add().Pack(problem.details)
    return (("grpc-status-details-bin", status.SerializeToString()),)
