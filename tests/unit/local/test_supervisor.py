"""supervisord and the watchdog, run as real processes without root."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from local import __main__ as commands
from local.daemon import Daemon
from local.errors import LocalError
from local.layout import Layout
from local.supervisor import Supervisor

DEADLINE = 20.0


def until(reached):
    end = time.monotonic() + DEADLINE
    while not (value := reached()):
        assert time.monotonic() < end, f"waited {DEADLINE} s in vain"
        time.sleep(0.05)
    return value


@pytest.fixture
def supervisor(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("REGISTRY_HTTP_ADDR", "0.0.0.0:80")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "hunter2")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    # Not pytest's own folder: its name is too long for a Unix socket.
    paths = Layout(tmp_path_factory.mktemp("s"))
    made = Supervisor(paths)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def sleeper():
    return Daemon("sleeper", ["sleep", "1000"], health="")


def pid(supervisor, name):
    """Process ID of a program that has run for a second; None before."""
    state = supervisor.states().get(name, {})
    return state["pid"] if state.get("statename") == "RUNNING" else None


def test_a_running_supervisor_is_not_started_again(supervisor):
    first = supervisor._call("getPID")
    supervisor.start()
    assert supervisor._call("getPID") == first
    # A watchdog that is stopped between its fork and its start ignores signals for ten seconds.
    until(lambda: pid(supervisor, "watchdog"))


def test_a_program_inherits_no_secrets_and_settings_of_the_shell(supervisor, sleeper):
    supervisor.apply(sleeper)
    running = until(lambda: pid(supervisor, "sleeper"))
    variables = Path(f"/proc/{running}/environ").read_bytes().split(b"\0")
    names = {variable.partition(b"=")[0].decode() for variable in variables}
    assert {"PATH", "HOME", "HTTPS_PROXY"} <= names
    assert not {"REGISTRY_HTTP_ADDR", "PULUMI_CONFIG_PASSPHRASE"} & names


def test_a_killed_program_is_restarted(supervisor, sleeper):
    supervisor.apply(sleeper)
    killed = until(lambda: pid(supervisor, "sleeper"))
    os.kill(killed, signal.SIGKILL)
    assert until(lambda: (new := pid(supervisor, "sleeper")) != killed and new)


def test_a_program_is_restarted_only_if_it_has_changed(supervisor, sleeper):
    supervisor.apply(sleeper)
    first = until(lambda: pid(supervisor, "sleeper"))
    supervisor.apply(sleeper)
    assert pid(supervisor, "sleeper") == first
    supervisor.apply(Daemon("sleeper", ["sleep", "2000"], health=""))
    assert until(lambda: (new := pid(supervisor, "sleeper")) != first and new)


def test_a_killed_supervisor_is_restarted_with_its_programs(supervisor, sleeper):
    supervisor.apply(sleeper)
    old = until(lambda: pid(supervisor, "sleeper"))
    until(lambda: pid(supervisor, "watchdog"))
    os.kill(supervisor._call("getPID"), signal.SIGKILL)
    # The old program ends before the new supervisor starts its own.
    until(lambda: not Path(f"/proc/{old}").exists())
    assert until(lambda: supervisor.running() and pid(supervisor, "sleeper"))
    assert until(lambda: pid(supervisor, "watchdog"))


def test_a_killed_watchdog_is_restarted(supervisor):
    killed = until(lambda: pid(supervisor, "watchdog"))
    os.kill(killed, signal.SIGKILL)
    assert until(lambda: (new := pid(supervisor, "watchdog")) != killed and new)


def test_a_stopped_supervisor_stays_stopped(supervisor, sleeper):
    supervisor.apply(sleeper)
    last = until(lambda: pid(supervisor, "sleeper"))
    watchdog = until(lambda: pid(supervisor, "watchdog"))
    supervisor.stop()
    assert not supervisor.running()
    assert not Path(f"/proc/{last}").exists()
    assert not Path(f"/proc/{watchdog}").exists()


def test_the_watchdog_under_its_former_name_is_removed(supervisor):
    supervisor._write_program(Daemon("guardian", ["sleep", "1000"], health=""))
    supervisor._call("reloadConfig")
    supervisor._call("addProcessGroup", "guardian")
    supervisor.start()
    assert set(supervisor.states()) == {"watchdog"}


def test_a_stopped_supervisor_is_reported(tmp_path):
    with pytest.raises(LocalError, match="supervisord does not respond"):
        Supervisor(Layout(tmp_path)).states()


def test_an_error_is_printed_as_one_line_with_exit_code_2(monkeypatch):
    done = subprocess.run(
        [commands.sys.executable, "-m", "local", "status"],
        env={**os.environ, "SLIPWAY_HOME": "not/absolute"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "SLIPWAY_HOME" in done.stderr


def test_an_interrupted_copy_of_supervisord_is_repeated(tmp_path, monkeypatch):
    made = Supervisor(Layout(tmp_path))

    def interrupted(source, target, **_):
        target.mkdir()
        (target / "version.txt").write_bytes((source / "version.txt").read_bytes())
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("local.supervisor.shutil.copytree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            made._copy_programs()
    made._copy_programs()
    assert (made.paths.supervisor_folder / "supervisor" / "supervisord.py").exists()
