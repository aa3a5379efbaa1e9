"""The Python language host: how the Pulumi CLI learns about a Python program, and runs it.

The program runs in a process of its own (`program.py`), with the Python of the virtual environment
that `Pulumi.yaml` names under `runtime.options.virtualenv`, or else with the one this host runs on.
"""

import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import IO, Literal

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from plugins.install import required_plugins
from plugins.server import PluginError, engine_address, serve
from plugins.values import from_struct

_PROGRAM = Path(__file__).with_name("program.py")
_EXIT_AFTER_MESSAGE = 32  # a program's exit code when it has told the user what went wrong
_GRACE = (
    5.0  # seconds from interrupting a program to killing it; as long as Pulumi's own host waits
)


class _Program(subprocess.Popen[bytes]):
    """A running program. Whoever wants it to end, and however many do, it is interrupted once.

    A second interrupt would cut short what it does at its end.
    """

    _interrupted = False
    _turn = threading.Lock()

    def end(self) -> None:
        """Interrupt it, and return when it has ended."""
        self._interrupt()
        try:
            self.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self.kill()

    def end_soon(self) -> None:
        """Interrupt it, and return at once."""
        self._interrupt()
        threading.Thread(target=self.end, daemon=True).start()

    def _interrupt(self) -> None:
        with self._turn:
            if not self._interrupted and self.poll() is None:
                self._interrupted = True
                self.send_signal(signal.SIGINT)


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Answers the CLI. Its calls for generating code and for linking are "not implemented"."""

    def __init__(self, version: str, address: str) -> None:
        self._version = version
        self._engine = address
        self._children: set[_Program] = set()

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
        """The plugins that the installed SDKs name and that are installed too.

        Pulumi's own host names all of them; the CLI would then download what is not there, and this
        host is for machines that cannot.
        """
        home = Path(os.environ.get("PULUMI_HOME", "~/.pulumi")).expanduser()
        packages = language_pb2.GetRequiredPackagesResponse()
        for name, version in required_plugins(_Python(request.info).packages):
            if (home / "plugins" / f"resource-{name}-v{version}").is_dir():
                packages.packages.add(name=name, kind="resource", version=f"v{version}")
        return packages

    def About(
        self, request: language_pb2.AboutRequest, context: grpc.ServicerContext
    ) -> language_pb2.AboutResponse:
        python = _Python(request.info)
        return language_pb2.AboutResponse(
            executable=str(python.executable),
            version=python.version,
            metadata={"toolchain": "pip"},
        )

    def GetProgramDependencies(
        self, request: language_pb2.GetProgramDependenciesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetProgramDependenciesResponse:
        found = list(distributions(path=[str(_Python(request.info).packages)]))
        if not request.transitiveDependencies:
            found = _not_required_by_others(found)
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[
                language_pb2.DependencyInfo(name=item.name, version=item.version)
                for item in sorted(found, key=lambda item: item.name.lower())
            ]
        )

    def RuntimeOptionsPrompts(
        self, request: language_pb2.RuntimeOptionsRequest, context: grpc.ServicerContext
    ) -> language_pb2.RuntimeOptionsResponse:
        return language_pb2.RuntimeOptionsResponse()

    def InstallDependencies(
        self, request: language_pb2.InstallDependenciesRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.InstallDependenciesResponse]:
        """`pulumi install`: make the virtual environment where it is missing, and fill it."""
        folder = Path(request.info.program_directory)
        python = _Python(request.info, may_be_missing=True)
        steps: list[list[str]] = []
        if not python.executable.exists():
            steps.append([sys.executable, "-m", "venv", str(python.executable.parent.parent)])
        if (folder / "requirements.txt").exists():
            steps.append([str(python.executable), "-m", "pip", "install", "-r", "requirements.txt"])
        for step in steps:
            with self._child(step, context, cwd=folder, env=os.environ) as child:
                for name, chunk in _output(child):
                    yield language_pb2.InstallDependenciesResponse(**{name: chunk})
                if child.wait():
                    raise PluginError(f"{' '.join(step)}: exit code {child.returncode}")

    def Run(
        self, request: language_pb2.RunRequest, context: grpc.ServicerContext
    ) -> language_pb2.RunResponse:
        """Run the program. What it prints goes to this process's output, which the engine shows."""
        python = _Python(request.info)
        command = [str(python.executable), "-P", "-u", str(_PROGRAM), self._engine]
        with self._child(
            command, context, cwd=Path(request.pwd or "."), env=python.environment, piped=False
        ) as child:
            # The request holds secret configuration, so it is not passed in the environment.
            child.communicate(request.SerializeToString())
        match child.returncode:
            case 0:
                return language_pb2.RunResponse()
            case code if code == _EXIT_AFTER_MESSAGE:
                return language_pb2.RunResponse(bail=True)
            case code:
                return language_pb2.RunResponse(
                    error=f"program exited with non-zero exit code: {code}"
                )

    def RunPlugin(
        self, request: language_pb2.RunPluginRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.RunPluginResponse]:
        """Run a plugin that is itself a Python program: a policy pack, say."""
        python = _Python(request.info)
        folder = request.info.program_directory
        if request.kind == "analyzer":
            arguments, cwd = ["-m", "pulumi.policy", *request.args, folder], folder
        else:
            arguments, cwd = [folder, *request.args], request.pwd
        environment = python.environment | dict(item.split("=", 1) for item in request.env)
        command = [str(python.executable), "-u", *arguments]
        with self._child(command, context, cwd=Path(cwd), env=environment) as child:
            for name, chunk in _output(child):
                if name == "stdout":
                    yield language_pb2.RunPluginResponse(stdout=chunk)
                else:
                    yield language_pb2.RunPluginResponse(stderr=chunk)
            yield language_pb2.RunPluginResponse(exitcode=child.wait())

    def Cancel(self, request: Empty, context: grpc.ServicerContext) -> Empty:
        self.interrupt()
        return Empty()

    def interrupt(self) -> None:
        """End every program that still runs."""
        for child in list(self._children):
            child.end_soon()

    @contextmanager
    def _child(
        self,
        command: list[str],
        context: grpc.ServicerContext,
        *,
        cwd: Path,
        env: Mapping[str, str],
        piped: bool = True,
    ) -> Iterator[_Program]:
        output = subprocess.PIPE if piped else None
        with _Program(
            command, cwd=cwd, env=env, stdin=subprocess.PIPE, stdout=output, stderr=output
        ) as child:
            self._children.add(child)
            context.add_callback(child.end_soon)
            try:
                yield child
            finally:
                child.end()
                self._children.discard(child)


class _Python:
    """The Python that a project's runtime options ask for; `PluginError` if they ask for more."""

    def __init__(self, info: language_pb2.ProgramInfo, *, may_be_missing: bool = False) -> None:
        options = from_struct(info.options)
        virtualenv = options.pop("virtualenv", None)
        if options.pop("toolchain", "pip") != "pip" or options:
            raise PluginError(
                "Pulumi.yaml: runtime.options may hold virtualenv, and toolchain if it is pip;"
                f" found {dict(from_struct(info.options))}"
            )
        self.home = Path(info.root_directory, virtualenv) if virtualenv else Path(sys.prefix)
        self.executable = self.home / "bin" / "python" if virtualenv else Path(sys.executable)
        if not (may_be_missing or self.executable.exists()):
            raise PluginError(
                f"Pulumi.yaml: runtime.options.virtualenv is {virtualenv}, but {self.executable}"
                " does not exist; `pulumi install` makes it and installs requirements.txt"
            )

    @property
    def packages(self) -> Path:
        """The folder of the installed packages."""
        return next(self.home.glob("lib/python3*/site-packages"), self.home)

    @property
    def version(self) -> str:
        settings = self.home / "pyvenv.cfg"
        found = re.search(r"^version\s*=\s*(\S+)", settings.read_text(), re.M)
        return found[1] if found else ".".join(map(str, sys.version_info[:3]))

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process in which this virtual environment is active."""
        inherited = {key: value for key, value in os.environ.items() if key != "PYTHONHOME"}
        path = f"{self.home / 'bin'}{os.pathsep}{inherited.get('PATH', os.defpath)}"
        return inherited | {"VIRTUAL_ENV": str(self.home), "PATH": path}


def _not_required_by_others(found: list[Distribution]) -> list[Distribution]:
    def normal(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    required = {
        normal(re.split(r"[^\w.-]", requirement, maxsplit=1)[0])
        for item in found
        for requirement in item.requires or []
        if "extra ==" not in requirement
    }
    return [item for item in found if normal(item.name) not in required]


def _output(
    child: subprocess.Popen[bytes],
) -> Iterator[tuple[Literal["stdout", "stderr"], bytes]]:
    """What the child writes, as it writes it, until both of its streams end."""
    chunks: queue.Queue[tuple[Literal["stdout", "stderr"], bytes]] = queue.Queue()

    def read(name: Literal["stdout", "stderr"], stream: IO[bytes]) -> None:
        while chunk := os.read(stream.fileno(), 65536):
            chunks.put((name, chunk))
        chunks.put((name, b""))

    assert child.stdout and child.stderr  # noqa: S101 # started with pipes
    for name, stream in (("stdout", child.stdout), ("stderr", child.stderr)):
        threading.Thread(target=read, args=[name, stream], daemon=True).start()
    open_streams = 2
    while open_streams:
        name, chunk = chunks.get()
        if chunk:
            yield name, chunk
        else:
            open_streams -= 1


def main(version: str) -> None:
    """Run the language host as the process that the CLI has started."""
    host = LanguageHost(version, engine_address(sys.argv[1:]))
    serve(
        lambda server: language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server),
        host.interrupt,
    )
