"""Previews of the stacks of a fleet, in processes that do not import the Pulumi program each.

To import the program takes longer than to run it. One process imports it, and is forked for each
stack.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Mapping
from functools import partial
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from commands.errors import report_errors
from commands.fleet.stack_job import ChildProcess, Command, Launch
from commands.pulumi import Stack
from settings.stack_file import PROJECT_FOLDER

_CONTEXT = multiprocessing.get_context("forkserver")


def import_program() -> None:
    """Start the process that imports the program, while this one does other work."""
    # By its name: this process does not need what it imports.
    _CONTEXT.set_forkserver_preload(["commands.fleet.imported_program"])
    forkserver.ensure_running()


def launch(stack: str) -> Launch:
    """How to start the preview of a stack. Its command is the arguments of ``pulumi preview``."""
    return partial(_launch, stack)


def _launch(
    stack: str, arguments: Command, variables: Mapping[str, str], log: Path
) -> ChildProcess:
    process = _CONTEXT.Process(target=_run, args=(stack, arguments, variables, log.resolve()))
    process.start()
    return _Process(process)


class _Process:
    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process

    def poll(self) -> int | None:
        return self._process.exitcode

    def terminate(self) -> None:
        self._process.terminate()

    def wait(self) -> int:
        self._process.join()
        return self._process.exitcode or 0


def _run(stack: str, arguments: Command, variables: Mapping[str, str], log: Path) -> None:
    # As other commands of a stack: Ctrl-C would interrupt Pulumi twice.
    os.setsid()
    os.chdir(PROJECT_FOLDER)
    os.environ.update(variables)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with log.open("ab") as output:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(output.fileno(), stream.fileno())
    sys.exit(_preview(stack, arguments))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent  # noqa: S101 # a child process has one
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


@report_errors
def _preview(stack: str, arguments: Command) -> int:
    Stack(stack, os.environ).preview(*arguments)
    return 0
