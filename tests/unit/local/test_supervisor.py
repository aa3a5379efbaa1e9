"""The supervisor and the program that brings it back, run for real without root."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from local import __main__ as commands
from local.daemon import Service
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
    at = Layout(tmp_path_factory.mktemp("s"))
    made = Supervisor(at)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def sleeper():
    return Service("sleeper", ["sleep", "1000"], health="")


def pid(supervisor, name):
    """Of a program that has run for its first second; None before."""
    state = supervisor.states().get(name, {})
    return state["pid"] if state.get("statename") == "RUNNING" else None


def test_it_is_started_once(supervisor):
    first = supervisor._call("getPID")
    supervisor.start()
    assert supervisor._call("getPID") == first
    # A guardian that is stopped between its fork and its start is deaf for ten seconds.
    until(lambda: pid(supervisor, "guardian"))


def test_a_program_has_nothing_of_the_shell_but_where_things_are(supervisor, sleeper):
    supervisor.apply(sleeper)
    running = until(lambda: pid(supervisor, "sleeper"))
    variables = Path(f"/proc/{running}/environ").read_bytes().split(b"\0")
    names = {variable.partition(b"=")[0].decode() for variable in variables}
    assert {"PATH", "HOME", "HTTPS_PROXY"} <= names
    assert not {"REGISTRY_HTTP_ADDR", "PULUMI_CONFIG_PASSPHRASE"} & names


def test_a_program_that_is_killed_comes_back(supervisor, sleeper):
    supervisor.apply(sleeper)
    killed = until(lambda: pid(supervisor, "sleeper"))
    os.kill(killed, signal.SIGKILL)
    assert until(lambda: (new := pid(supervisor, "sleeper")) != killed and new)


def test_a_program_is_restarted_only_by_a_change(supervisor, sleeper):
    supervisor.apply(sleeper)
    first = until(lambda: pid(supervisor, "sleeper"))
    supervisor.apply(sleeper)
    assert pid(supervisor, "sleeper") == first
    supervisor.apply(Service("sleeper", ["sleep", "2000"], health=""))
    assert until(lambda: (new := pid(supervisor, "sleeper")) != first and new)


def test_a_supervisor_that_is_killed_comes_back_with_its_programs(supervisor, sleeper):
    supervisor.apply(sleeper)
    old = until(lambda: pid(supervisor, "sleeper"))
    until(lambda: pid(supervisor, "guardian"))
    os.kill(supervisor._call("getPID"), signal.SIGKILL)
    # Nothing of the old one is left to stand beside what the new one starts.
    until(lambda: not Path(f"/proc/{old}").exists())
    assert until(lambda: supervisor.running() and pid(supervisor, "sleeper"))
    assert until(lambda: pid(supervisor, "guardian"))


def test_the_guardian_is_guarded_too(supervisor):
    killed = until(lambda: pid(supervisor, "guardian"))
    os.kill(killed, signal.SIGKILL)
    assert until(lambda: (new := pid(supervisor, "guardian")) != killed and new)


def test_what_is_stopped_stays_stopped(supervisor, sleeper):
    supervisor.apply(sleeper)
    last = until(lambda: pid(supervisor, "sleeper"))
    guardian = until(lambda: pid(supervisor, "guardian"))
    supervisor.stop()
    assert not supervisor.running()
    assert not Path(f"/proc/{last}").exists()
    assert not Path(f"/proc/{guardian}").exists()


def test_a_supervisor_that_is_not_there_is_an_error_a_person_can_read(tmp_path):
    with pytest.raises(LocalError, match="supervisord does not answer"):
        Supervisor(Layout(tmp_path)).states()


def test_an_unknown_program_is_refused_with_those_that_are_known(capsys):
    with pytest.raises(SystemExit) as exit_:
        commands.main(["build", "kubectl-of-old"])
    assert exit_.value.code == 2
    assert "'kubectl-of-old'" in capsys.readouterr().err


def test_an_error_is_one_line_and_exit_code_2(monkeypatch):
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
