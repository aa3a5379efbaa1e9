"""supervisord: its configuration, and the talk with it."""

import hashlib
import os
import resource
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import supervisor
from supervisor.xmlrpc import SupervisorTransport

from local import files, watchdog
from local.daemon import Service
from local.errors import LocalError
from local.layout import Layout
from local.logs import tail

_START_DEADLINE = 20.0
_STOP_DEADLINE = 60.0
_HEALTH_DEADLINE = 90.0
_PAUSE = 0.1

_OPEN_FILES = 65_536

_FOR_DAEMONS = ("HOME", "LANG", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_MAIN = """\
[unix_http_server]
file = {socket}
chmod = 0700

[supervisord]
logfile = {logs}/supervisord.log
logfile_maxbytes = 5MB
logfile_backups = 1
pidfile = {run}/supervisord.pid
# Open files: every program and every container inherits it.
minfds = {open_files}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[include]
files = {config}/programs/*.conf
"""

_PROGRAM = """\
[program:{name}]
command = {command}
environment = {environment}
directory = {directory}
autorestart = true
startsecs = 1
# One second longer after every failure, and no giving up: what it needs may come back.
startretries = 1000000
stopsignal = {stop_signal}
stopwaitsecs = 10
priority = {priority}
redirect_stderr = true
stdout_logfile = {log}
stdout_logfile_maxbytes = 20MB
stdout_logfile_backups = 1
"""

_GUARDIAN = "guardian"

_NOT_THERE = {"BACKOFF", "EXITED", "FATAL", "STOPPED"}
"""The states in which a program has no process."""


def _inherited(variables: Mapping[str, str]) -> dict[str, str]:
    """What daemons may have of a shell that they outlive: nothing secret, nothing that sets them.

    docker-registry, for one, takes every REGISTRY_… for a setting.
    """
    return {
        name: value
        for name, value in variables.items()
        if name in _FOR_DAEMONS or name.lower().endswith("_proxy")
    }


class Supervisor:
    """The one supervisord of a `SLIPWAY_HOME`."""

    def __init__(self, at: Layout) -> None:
        self.at = at

    def running(self) -> bool:
        """Whether it answers."""
        try:
            return self._call("getState")["statecode"] >= 0
        except LocalError:
            return False

    def start(self) -> None:
        """Starts supervisord with the programs that it had, unless it runs."""
        self._write_own_config()
        if self.running():
            self._refresh(_GUARDIAN)
            return
        done = subprocess.run(
            self._command(),
            env={**_inherited(os.environ), **self._variables()},
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        if done.returncode:
            message = (done.stderr or done.stdout).strip()
            raise LocalError(f"supervisord did not start: {message}")
        _wait("supervisord to answer", self.running, _START_DEADLINE, self.log_of("supervisord"))

    def stop(self) -> None:
        """Stops every program and supervisord itself."""
        if not self.running():
            return
        pid = self._call("getPID")
        # First the one that would bring it back.
        self._quietly("stopProcess", _GUARDIAN)
        self._call("shutdown")
        _wait(
            "supervisord to end",
            lambda: not Path(f"/proc/{pid}").exists(),
            _STOP_DEADLINE,
            self.log_of("supervisord"),
        )

    def apply(self, service: Service) -> None:
        """Runs `service` as it is described now; restarts it only if that has changed."""
        if self._state(service.name) in _NOT_THERE:
            service.refuse_taken_port()
        for path, content in service.files.items():
            files.write(path, content, files.PRIVATE)
        self._write_program(service)
        self._refresh(service.name)

    def _refresh(self, name: str) -> None:
        """Makes supervisord run the program `name` as its file says now."""
        [[_, changed, _]] = self._call("reloadConfig")
        if name in changed:
            self._quietly("stopProcessGroup", name)
            self._quietly("removeProcessGroup", name)
        self._quietly("addProcessGroup", name)
        if self._state(name) in _NOT_THERE:
            self._quietly("stopProcess", name)
            self._quietly("startProcess", name, False)

    def states(self) -> dict[str, dict[str, Any]]:
        """What supervisord says of each program, by name."""
        return {info["name"]: info for info in self._call("getAllProcessInfo")}

    def wait_healthy(self, service: Service) -> None:
        """Waits until `service` runs and answers, at most 90 s."""
        _wait(
            f"{service.name} to be healthy",
            lambda: self._state(service.name) == "RUNNING" and service.healthy(),
            _HEALTH_DEADLINE,
            self.log_of(service.name),
        )

    def log_of(self, name: str) -> Path:
        """Where the output of a program goes."""
        return self.at.logs / f"{name}.log"

    def _state(self, name: str) -> str:
        return self.states().get(name, {}).get("statename", "STOPPED")

    def _call(self, name: str, *arguments: object) -> Any:  # noqa: ANN401 - XML-RPC
        """One call on a connection of its own: a kept one does not survive a restart."""
        transport = SupervisorTransport(serverurl=f"unix://{self.at.supervisor_socket}")
        # The address is not used: the transport goes to the socket.
        try:
            with ServerProxy("http://127.0.0.1", transport=transport) as server:
                return getattr(server.supervisor, name)(*arguments)
        except (OSError, HTTPException) as error:
            raise LocalError(
                f"supervisord does not answer ({error or type(error).__name__}). Its log is "
                f"{self.log_of('supervisord')}; `up` starts it again."
            ) from error

    def _quietly(self, call: str, *arguments: object) -> None:
        """Calls supervisord; that a program is already so, or not known, is fine."""
        try:
            self._call(call, *arguments)
        except Fault as fault:
            if not fault.faultString.startswith(
                ("ALREADY_", "NOT_RUNNING", "BAD_NAME", "STILL_RUNNING", "ABNORMAL", "SPAWN_ERROR")
            ):
                raise

    def _write_own_config(self) -> None:
        at = self.at
        for folder in (at.run, at.config, at.config / "programs"):
            files.private_folder(folder)
        at.logs.mkdir(parents=True, exist_ok=True)
        files.write(
            at.supervisor_config,
            _MAIN.format(
                socket=at.supervisor_socket,
                logs=at.logs,
                run=at.run,
                config=at.config,
                open_files=min(_OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
            ),
            files.PRIVATE,
        )
        self._copy_programs()
        command = [_python(), str(at.supervisor_folder / "watchdog.py"), *self._command()]
        program = Service(
            _GUARDIAN,
            command,
            health="",
            environment=self._variables(),
            bound_to_supervisor=False,
        )
        self._write_program(program, priority=1000)

    def _copy_programs(self) -> None:
        """supervisord and the guardian, so that the node outlives the checkout it came from."""
        folder = self.at.supervisor_folder
        files.write(folder / "watchdog.py", Path(watchdog.__file__).read_text())
        package = Path(supervisor.__file__).parent
        copied = folder / "supervisor"
        if not files.same_content(package / "version.txt", copied / "version.txt"):
            shutil.rmtree(copied, ignore_errors=True)
            leave_out = shutil.ignore_patterns("__pycache__", "tests")
            shutil.copytree(package, copied, ignore=leave_out)

    def _command(self) -> list[str]:
        config = str(self.at.supervisor_config)
        return [_python(), "-m", "supervisor.supervisord", "-c", config]

    def _variables(self) -> dict[str, str]:
        return {"PYTHONPATH": str(self.at.supervisor_folder)}

    def _write_program(self, service: Service, priority: int = 500) -> None:
        command = list(service.command)
        if service.bound_to_supervisor:
            command = ["setpriv", "--pdeathsig", "KILL", "--", *command]
        environment = {
            "PATH": f"{self.at.bin}:{_SYSTEM_PATH}",
            "HOME": str(Path.home()),
            # Supervisord restarts what has changed: so it has to see what a program reads.
            "SLIPWAY_REVISION": _revision(service),
            **service.environment,
        }
        content = _PROGRAM.format(
            name=service.name,
            command=_escaped(shlex.join(command)),
            environment=",".join(f'{key}="{_escaped(text)}"' for key, text in environment.items()),
            directory=self.at.run,
            stop_signal=service.stop_signal,
            priority=priority,
            log=self.log_of(service.name),
        )
        files.write(self.at.config / "programs" / f"{service.name}.conf", content, files.PRIVATE)


def _revision(service: Service) -> str:
    """Changes with the program's own file and with every file it reads at start."""
    digest = hashlib.sha256()
    program = Path(service.command[0])
    if program.is_absolute():
        status = program.resolve().stat()
        digest.update(f"{status.st_ino} {status.st_mtime_ns}".encode())
    for path, content in service.files.items():
        digest.update(f"{path}\0{content}\0".encode())
    for path in service.certificates:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _python() -> str:
    """The Python that virtual environments are made of: theirs go with their checkouts."""
    return f"{sys.base_prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _wait(what: str, reached: Callable[[], bool], deadline: float, log: Path) -> None:
    end = time.monotonic() + deadline
    while not reached():
        if time.monotonic() > end:
            raise LocalError(f"Waited {deadline:.0f} s for {what}. The end of {log}:\n{tail(log)}")
        time.sleep(_PAUSE)
