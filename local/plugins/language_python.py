"""Python language host: tells the Pulumi CLI about a Python program, and runs it.

The program runs in a process of its own, with the Python of the virtual environment that
`Pulumi.yaml` names under `runtime.options.virtualenv` (`python3` by default).
Toolchains other than pip, type checkers, debuggers and code generation are not supported.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from local.plugins.process import serve
from local.plugins.required_plugins import required_plugins

_PROGRAM = Path(__file__).with_name("program.py")
_EXIT_AFTER_MESSAGE = 32
"""Exit code of a program whose error the CLI has shown already."""
_GRACE = 5.0
"""Seconds between the interrupt of a program and its end by force."""


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Serves the calls of the CLI."""

    def __init__(self, version: str, engine: str) -> None:
        self._version = version
        self._engine = engine
        self._children: set[_Child] = set()

    def Handshake(
        self, request: language_pb2.LanguageHandshakeRequest, context: grpc.ServicerContext
    ) -> language_pb2.LanguageHandshakeResponse:
        self._engine = request.engine_address
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self._version)

    def GetRequiredPackages(
        self, request: language_pb2.GetRequiredPackagesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPackagesResponse:
        """Return the installed plugins: the CLI would download any other that is returned."""
        home = Path(os.environ.get("PULUMI_HOME", "~/.pulumi")).expanduser()
        response = language_pb2.GetRequiredPackagesResponse()
        for name, version in required_plugins(_Python(request.info, context).packages):
            if (home / "plugins" / f"resource-{name}-v{version}").is_dir():
                response.packages.add(name=name, kind="resource", version=f"v{version}")
        return response

    def About(
        self, request: language_pb2.AboutRequest, context: grpc.ServicerContext
    ) -> language_pb2.AboutResponse:
        python = _Python(request.info, context)
        return language_pb2.AboutResponse(
            executable=python.executable,
            version=python.output("--version").removeprefix("Python ").strip(),
            metadata={"toolchain": "pip"},
        )

    def GetProgramDependencies(
        self, request: language_pb2.GetProgramDependenciesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetProgramDependenciesResponse:
        selected = [] if request.transitiveDependencies else ["--not-required"]
        arguments = ["-m", "pip", "list", "--format=json", "--disable-pip-version-check"]
        listed = _Python(request.info, context).output(*arguments, *selected)
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[language_pb2.DependencyInfo(**package) for package in json.loads(listed)]
        )

    def InstallDependencies(
        self, request: language_pb2.InstallDependenciesRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.InstallDependenciesResponse]:
        """Create the virtual environment if it is missing, and install `requirements.txt`."""
        folder = Path(request.info.program_directory)
        python = _Python(request.info, context, must_exist=False)
        steps: list[list[str]] = []
        if python.virtualenv and not Path(python.executable).exists():
            steps.append([sys.executable, "-m", "venv", str(python.virtualenv)])
        if (folder / "requirements.txt").exists():
            steps.append([python.executable, "-m", "pip", "install", "-r", "requirements.txt"])
        for step in steps:
            with self._child(step, context, cwd=folder, env=os.environ) as child:
                for stream, chunk in child.output():
                    yield language_pb2.InstallDependenciesResponse(**{stream: chunk})
                if child.wait():
                    _abort(context, f"{' '.join(step)}: exit code {child.returncode}")

    def Run(
        self, request: language_pb2.RunRequest, context: grpc.ServicerContext
    ) -> language_pb2.RunResponse:
        """Run the program. Its output is that of this process, which the engine shows."""
        python = _Python(request.info, context)
        command = [python.executable, "-P", "-u", str(_PROGRAM), self._engine]
        cwd = Path(request.pwd or ".")
        with self._child(command, context, cwd=cwd, env=python.variables, pipe=False) as child:
            # On standard input, since the request has secret configuration.
            child.communicate(request.SerializeToString())
        match child.returncode:
            case 0:
                return language_pb2.RunResponse()
            case code if code == _EXIT_AFTER_MESSAGE:
                return language_pb2.RunResponse(bail=True)
            case code:
                return language_pb2.RunResponse(error=f"the program ended with exit code {code}")

    def RunPlugin(
        self, request: language_pb2.RunPluginRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.RunPluginResponse]:
        """Run a plugin that is a Python program, such as a policy pack."""
        python = _Python(request.info, context)
        folder = request.info.program_directory
        if request.kind == "analyzer":
            arguments, cwd = ["-m", "pulumi.policy", *request.args, folder], folder
        else:
            arguments, cwd = [folder, *request.args], request.pwd
        env = python.variables | dict(item.split("=", 1) for item in request.env)
        command = [python.executable, "-u", *arguments]
        with self._child(command, context, cwd=Path(cwd), env=env) as child:
            for stream, chunk in child.output():
                if stream == "stdout":
                    yield language_pb2.RunPluginResponse(stdout=chunk)
                else:
                    yield language_pb2.RunPluginResponse(stderr=chunk)
            yield language_pb2.RunPluginResponse(exitcode=child.wait())

    def Cancel(self, request: Empty, context: grpc.ServicerContext) -> Empty:
        self.stop()
        return Empty()

    def stop(self) -> None:
        """Interrupt all running programs and wait for their end."""
        children = list(self._children)
        for child in children:
            child.interrupt()
        for child in children:
            child.stop()

    @contextmanager
    def _child(
        self,
        command: list[str],
        context: grpc.ServicerContext,
        *,
        cwd: Path,
        env: Mapping[str, str],
        pipe: bool = True,
    ) -> Iterator["_Child"]:
        """Run a command that is stopped when the call ends."""
        output = subprocess.PIPE if pipe else None
        with _Child(
            command, cwd=cwd, env=env, stdin=subprocess.PIPE, stdout=output, stderr=output
        ) as child:
            self._children.add(child)
            context.add_callback(child.interrupt)
            try:
                yield child
            finally:
                child.stop()
                self._children.discard(child)


class _Child(subprocess.Popen[bytes]):
    _interrupted = False
    _lock = threading.Lock()

    def interrupt(self) -> None:
        """Send one SIGINT: a second one would cut short the cleanup after the first."""
        with self._lock:
            if not self._interrupted and self.poll() is None:
                self._interrupted = True
                self.send_signal(signal.SIGINT)

    def stop(self) -> None:
        """Interrupt the process, wait for its end, and kill it if that takes too long."""
        self.interrupt()
        try:
            self.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self.kill()

    def output(self) -> Iterator[tuple[Literal["stdout", "stderr"], bytes]]:
        """Chunks of both output streams, as they are written, until both end."""
        chunks: queue.Queue[tuple[Literal["stdout", "stderr"], bytes]] = queue.Queue()

        def read(name: Literal["stdout", "stderr"], stream: IO[bytes]) -> None:
            while chunk := os.read(stream.fileno(), 65536):
                chunks.put((name, chunk))
            chunks.put((name, b""))

        assert self.stdout and self.stderr  # noqa: S101 # started with pipes
        for name, stream in (("stdout", self.stdout), ("stderr", self.stderr)):
            threading.Thread(target=read, args=[name, stream], daemon=True).start()
        open_streams = 2
        while open_streams:
            name, chunk = chunks.get()
            if chunk:
                yield name, chunk
            else:
                open_streams -= 1


class _Python:
    """Python interpreter that the runtime options of a project select."""

    def __init__(
        self,
        info: language_pb2.ProgramInfo,
        context: grpc.ServicerContext,
        *,
        must_exist: bool = True,
    ) -> None:
        options = MessageToDict(info.options)
        if options.keys() - {"toolchain", "virtualenv"} or options.get("toolchain", "pip") != "pip":
            _abort(context, f"Pulumi.yaml: runtime.options allows virtualenv only, got {options}")
        name = options.get("virtualenv")
        self.virtualenv = Path(info.root_directory, name) if name else None
        self.executable = str(self.virtualenv / "bin" / "python") if self.virtualenv else "python3"
        if must_exist and self.virtualenv and not Path(self.executable).exists():
            _abort(
                context,
                f"Pulumi.yaml: runtime.options.virtualenv is {name}, but {self.executable} does "
                "not exist. `pulumi install` creates it and installs requirements.txt.",
            )

    @property
    def packages(self) -> Path:
        """Folder of the installed packages."""
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        if self.virtualenv is None:
            return Path(self.output("-c", code).strip())
        return next(self.virtualenv.glob("lib/python3*/site-packages"), self.virtualenv)

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables of a process in the virtual environment."""
        if self.virtualenv is None:
            return dict(os.environ)
        path = f"{self.virtualenv / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {**os.environ, "VIRTUAL_ENV": str(self.virtualenv), "PATH": path}

    def output(self, *arguments: str) -> str:
        """Run the interpreter and return what it prints."""
        command = [self.executable, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _abort(context: grpc.ServicerContext, message: str) -> None:
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, message)


def main(version: str) -> None:
    """Run the language host in the process that the CLI has started."""
    # The last argument is the engine's address, after flags for logging.
    host = LanguageHost(version, engine=sys.argv[-1])
    serve(
        lambda server: language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server),
        host.stop,
    )
