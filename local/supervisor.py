"""supervisord: its configuration files and its XML-RPC API."""

import hashlib
import os
import resource
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import supervisor
from supervisor.xmlrpc import SupervisorTransport

from local import files, layout, watchdog
from local.daemon import Daemon
from local.errors import LocalError
from local.layout import Layout
from local.logs import tail

_START_DEADLINE = 20.0
_STOP_DEADLINE = 60.0
_HEALTH_DEADLINE = 90.0
_POLL_INTERVAL = 0.1

_OPEN_FILES = 65_536

_INHERITED = ("HOME", "LANG", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ")
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
# Limit of open files, inherited by every program and every container.
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
# Retries without end, one second later after every failure: a dependency may come back.
startretries = 1000000
stopsignal = {stop_signal}
stopwaitsecs = 10
priority = {priority}
redirect_stderr = true
stdout_logfile = {log}
stdout_logfile_maxbytes = 20MB
stdout_logfile_backups = 1
"""

_WATCHDOG = "watchdog"

_WITHOUT_PROCESS = {"BACKOFF", "EXITED", "FATAL", "STOPPED"}
"""States in which a program has no process."""


def _inherited(variables: Mapping[str, str]) -> dict[str, str]:
    """Variables of the shell that are passed on: no secrets, and nothing that configures a daemon.

    docker-registry, for example, reads settings from every `REGISTRY_…` variable.
    """
    return {
        name: value
        for name, value in variables.items()
        if name in _INHERITED or name.lower().endswith("_proxy")
    }


class Supervisor:
    """The supervisord of one `SLIPWAY_HOME`."""

    def __init__(self, paths: Layout) -> None:
        self.paths = paths

    def running(self) -> bool:
        """True if supervisord responds."""
        try:
            return self._call("getState")["statecode"] >= 0
        except LocalError:
            return False

    def start(self) -> None:
        """Start supervisord and the programs configured before, unless it runs already."""
        self._write_own_config()
        if self.running():
            self._update(_WATCHDOG)
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
        _wait("supervisord to respond", self.running, _START_DEADLINE, self.log_of("supervisord"))

    def stop(self) -> None:
        """Stop every program and supervisord itself."""
        if not self.running():
            return
        pid = self._call("getPID")
        # The watchdog first: it would start supervisord again.
        self._call_idempotent("stopProcess", _WATCHDOG)
        self._call("shutdown")
        _wait(
            "supervisord to end",
            lambda: not Path(f"/proc/{pid}").exists(),
            _STOP_DEADLINE,
            self.log_of("supervisord"),
        )

    def apply(self, daemon: Daemon) -> None:
        """Start `daemon`, or restart it if its definition has changed."""
        if self._state(daemon.name) in _WITHOUT_PROCESS:
            daemon.refuse_taken_port()
        for path, content in daemon.files.items():
            files.write(path, content, files.PRIVATE)
        self._write_program(daemon)
        self._update(daemon.name)

    def _update(self, name: str) -> None:
        """Apply the configuration of the program `name`, and stop removed programs."""
        [[_, changed, removed]] = self._call("reloadConfig")
        for group in removed:
            self._call_idempotent("stopProcessGroup", group)
            self._call_idempotent("removeProcessGroup", group)
        if name in changed:
            self._call_idempotent("stopProcessGroup", name)
            self._call_idempotent("removeProcessGroup", name)
        self._call_idempotent("addProcessGroup", name)
        if self._state(name) in _WITHOUT_PROCESS:
            self._call_idempotent("stopProcess", name)
            self._call_idempotent("startProcess", name, False)

    def states(self) -> dict[str, dict[str, Any]]:
        """State of each program as supervisord reports it, by name."""
        return {info["name"]: info for info in self._call("getAllProcessInfo")}

    def wait_healthy(self, daemon: Daemon) -> None:
        """Wait until `daemon` runs and passes its health check, at most 90 s."""
        _wait(
            f"{daemon.name} to be healthy",
            lambda: self._state(daemon.name) == "RUNNING" and daemon.healthy(),
            _HEALTH_DEADLINE,
            self.log_of(daemon.name),
        )

    def log_of(self, name: str) -> Path:
        """Log file of a program."""
        return self.paths.logs / f"{name}.log"

    def _state(self, name: str) -> str:
        return self.states().get(name, {}).get("statename", "STOPPED")

    def _call(self, name: str, *arguments: object) -> Any:  # noqa: ANN401 - XML-RPC
        """Call the API on a new connection: an open one does not survive a restart."""
        transport = SupervisorTransport(serverurl=f"unix://{self.paths.supervisor_socket}")
        # The URL is not used: the transport connects to the socket.
        try:
            with ServerProxy("http://127.0.0.1", transport=transport) as server:
                return getattr(server.supervisor, name)(*arguments)
        except (OSError, HTTPException) as error:
            raise LocalError(
                f"supervisord does not respond ({error or type(error).__name__}). Its log is "
                f"{self.log_of('supervisord')}; `python -m local up` starts it."
            ) from error

    def _call_idempotent(self, call: str, *arguments: object) -> None:
        """Call the API and ignore that a program is in the requested state or unknown."""
        try:
            self._call(call, *arguments)
        except Fault as fault:
            if not fault.faultString.startswith(
                ("ALREADY_", "NOT_RUNNING", "BAD_NAME", "STILL_RUNNING", "ABNORMAL", "SPAWN_ERROR")
            ):
                raise

    def _write_own_config(self) -> None:
        paths = self.paths
        for folder in (paths.run, paths.config, paths.config / "programs"):
            files.private_folder(folder)
        paths.logs.mkdir(parents=True, exist_ok=True)
        files.write(
            paths.supervisor_config,
            _MAIN.format(
                socket=paths.supervisor_socket,
                logs=paths.logs,
                run=paths.run,
                config=paths.config,
                open_files=min(_OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
            ),
            files.PRIVATE,
        )
        # Former name of the watchdog.
        (paths.config / "programs" / "guardian.conf").unlink(missing_ok=True)
        self._copy_programs()
        command = [layout.PYTHON, str(paths.supervisor_folder / "watchdog.py"), *self._command()]
        program = Daemon(
            _WATCHDOG,
            command,
            health="",
            environment=self._variables(),
            ends_with_supervisor=False,
        )
        self._write_program(program, priority=1000)

    def _copy_programs(self) -> None:
        """Copy supervisord and the watchdog, so that the node does not need this checkout."""
        folder = self.paths.supervisor_folder
        files.write(folder / "watchdog.py", Path(watchdog.__file__).read_text())
        package = Path(supervisor.__file__).parent
        copied = folder / "supervisor"
        if not files.same_content(package / "version.txt", copied / "version.txt"):
            # Complete or not there: an interrupted copy must not be taken for the whole package.
            incomplete = folder / "supervisor.new"
            for path in (incomplete, copied):
                shutil.rmtree(path, ignore_errors=True)
            leave_out = shutil.ignore_patterns("__pycache__", "tests")
            shutil.copytree(package, incomplete, ignore=leave_out)
            incomplete.rename(copied)

    def _command(self) -> list[str]:
        config = str(self.paths.supervisor_config)
        return [layout.PYTHON, "-m", "supervisor.supervisord", "-c", config]

    def _variables(self) -> dict[str, str]:
        return {"PYTHONPATH": str(self.paths.supervisor_folder)}

    def _write_program(self, daemon: Daemon, priority: int = 500) -> None:
        command = list(daemon.command)
        if daemon.ends_with_supervisor:
            command = ["setpriv", "--pdeathsig", "KILL", "--", *command]
        environment = {
            "PATH": f"{self.paths.bin}:{_SYSTEM_PATH}",
            "HOME": str(Path.home()),
            # supervisord restarts a program whose configuration has changed: this makes the content
            # of the files that it reads part of the configuration.
            "SLIPWAY_REVISION": _revision(daemon),
            **daemon.environment,
        }
        content = _PROGRAM.format(
            name=daemon.name,
            command=_escaped(shlex.join(command)),
            environment=",".join(f'{key}="{_escaped(text)}"' for key, text in environment.items()),
            directory=self.paths.run,
            stop_signal=daemon.stop_signal,
            priority=priority,
            log=self.log_of(daemon.name),
        )
        files.write(self.paths.config / "programs" / f"{daemon.name}.conf", content, files.PRIVATE)


def _revision(daemon: Daemon) -> str:
    """Hash of the executable's metadata and of every file that the daemon reads at its start."""
    digest = hashlib.sha256()
    program = Path(daemon.command[0])
    if program.is_absolute():
        status = program.resolve().stat()
        digest.update(f"{status.st_ino} {status.st_mtime_ns}".encode())
    for path, content in daemon.files.items():
        digest.update(f"{path}\0{content}\0".encode())
    for path in daemon.certificates:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _wait(condition: str, reached: Callable[[], bool], deadline: float, log: Path) -> None:
    end = time.monotonic() + deadline
    while not reached():
        if time.monotonic() > end:
            raise LocalError(
                f"Waited {deadline:.0f} s for {condition}. The end of {log}:\n{tail(log)}"
            )
        time.sleep(_POLL_INTERVAL)
