"""Serves the Pulumi program to the Pulumi CLI, as the Automation API does an inline program.

The program runs in the process of the command, which imports the SDKs while it waits for other
programs. Pulumi's language host starts a process that imports them when the CLI is ready.
"""

import os
import platform
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from local.plugins import program
from settings.stack_file import PROJECT_FOLDER


class _ProgramServer(language_pb2_grpc.LanguageRuntimeServicer):
    def __init__(self, folder: Path, *, logs_debug: bool) -> None:
        self._folder = folder
        self._logs_debug = logs_debug

    def GetPluginInfo(  # noqa: N802
        self, request: Empty, context: grpc.ServicerContext
    ) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo()

    def About(  # noqa: N802
        self, request: language_pb2.AboutRequest, context: grpc.ServicerContext
    ) -> language_pb2.AboutResponse:
        return language_pb2.AboutResponse(
            executable=sys.executable, version=platform.python_version()
        )

    def GetRequiredPackages(  # noqa: N802
        self, request: language_pb2.GetRequiredPackagesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPackagesResponse:
        """Return none: the CLI starts the plugin of a resource when the program registers it."""
        return language_pb2.GetRequiredPackagesResponse()

    def Run(  # noqa: N802
        self, request: language_pb2.RunRequest, context: grpc.ServicerContext
    ) -> language_pb2.RunResponse:
        # Anybody on this machine can call: no other program than this runs.
        request.pwd, request.info.entry_point = str(self._folder), "."
        # The CLI adds the engine's address to the arguments of such a program.
        *_, engine = request.args
        # A killed CLI ends the call, but not the program, which waits for its resources.
        is_done = copy_context().run(
            program.run, request, engine, context.add_callback, logs_debug=self._logs_debug
        )
        return language_pb2.RunResponse(bail=not is_done)


@contextmanager
def served_program(
    environment: Mapping[str, str], folder: Path = PROJECT_FOLDER, *, logs_debug: bool = False
) -> Iterator[str]:
    """Serve the program for one run of the CLI; yield the value of its option ``--client``.

    The program has the variables of ``environment``, as a child process of the CLI would have.
    With ``logs_debug``, the CLI gets the debug messages, which it shows with ``--debug`` only.
    """
    server = grpc.server(ThreadPoolExecutor())
    program_server = _ProgramServer(folder, logs_debug=logs_debug)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(program_server, server)
    port = server.add_insecure_port("127.0.0.1:0")
    before = dict(os.environ)
    os.environ.update(environment)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=None)
        os.environ.clear()
        os.environ.update(before)
