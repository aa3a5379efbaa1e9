"""Pulumi CLI commands on a stack, with a fake `pulumi`."""

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from commands import pulumi
from commands.pulumi import Lock, Stack

HERE = socket.gethostname()


def ended_process() -> int:
    """ID of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def test_a_lock_is_stale_once_the_process_that_took_it_has_ended_process() -> None:
    assert not Lock(os.getpid(), HERE).is_stale
    assert Lock(ended_process(), HERE).is_stale


def test_a_lock_that_was_taken_on_another_machine_is_never_stale() -> None:
    assert not Lock(ended_process(), "elsewhere").is_stale


def stack(folder: Path, deployment: dict[str, Any] | None) -> Stack:
    """A stack whose CLI only exports this state."""
    (folder / "state").write_text(json.dumps({"version": 3, "deployment": deployment}))
    pulumi = folder / "pulumi"
    pulumi.write_text(f'#!/bin/sh\n[ "$2" = export ] && cat {folder}/state\nexit 0\n')
    pulumi.chmod(0o755)
    return Stack("dev", {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"})


def namespace(name: str, uid: str) -> dict[str, Any]:
    outputs = {"metadata": {"name": name, "uid": uid}}
    return {"type": "kubernetes:core/v1:Namespace", "id": name, "outputs": outputs}


def test_the_state_has_the_namespaces_of_the_stack(tmp_path: Path) -> None:
    other = {"type": "slipway:namespace:Namespace", "id": ""}
    made = stack(tmp_path, {"resources": [other, namespace("home", "1"), namespace("watch", "2")]})
    made.select()
    assert made.namespaces() == {"home": "1", "watch": "2"}


def test_a_stack_that_was_never_deployed_has_no_namespaces(tmp_path: Path) -> None:
    new = stack(tmp_path, None)
    new.select()
    assert new.namespaces() == {}


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("file://{home}/backend", "backend"),
        ("file://~/backend", "backend"),
        ("file://~", "."),
        ("file://backend?no_tmp_dir=true", "backend"),
        ("file://./backend", "backend"),
    ],
)
def test_a_stale_lock_is_found_in_any_file_backend(
    url: str, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(pulumi, "PROJECT_FOLDER", tmp_path)
    lock = tmp_path / folder / ".pulumi" / "locks" / "organization" / "slipway" / "dev" / "1.json"
    lock.parent.mkdir(parents=True)
    lock.write_text(json.dumps({"pid": ended_process(), "hostname": HERE}))
    stuck = stack(tmp_path, None)
    calls = tmp_path / "calls"
    cli = (tmp_path / "pulumi").read_text()
    (tmp_path / "pulumi").write_text(cli.replace("\n", f'\necho "$1" >> {calls}\n', 1))
    environment = {**stuck.environment, "PULUMI_BACKEND_URL": url.format(home=tmp_path)}
    Stack("dev", environment).select()
    assert "cancel" in calls.read_text().split()
