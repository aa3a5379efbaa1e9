"""The Pulumi CLI at work on a stack."""

import os
import socket
import subprocess

from commands.pulumi import Lock

HERE = socket.gethostname()


def ended() -> int:
    """The id of a process that is no more."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def test_a_lock_is_stale_once_the_process_that_took_it_has_ended() -> None:
    assert not Lock(os.getpid(), HERE).is_stale
    assert Lock(ended(), HERE).is_stale


def test_a_lock_that_was_taken_on_another_machine_is_never_stale() -> None:
    assert not Lock(ended(), "elsewhere").is_stale
