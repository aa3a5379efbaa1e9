"""Runs a Pulumi program for the engine.

A language host runs this file with the Python of the program, which need not have this package.
"""

import asyncio
import gc
import logging
import os
import runpy
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import pulumi
from pulumi.runtime import reset_options, run_in_stack, set_all_config
from pulumi.runtime.proto import engine_pb2, language_pb2
from pulumi.runtime.settings import get_engine

_EXIT_AFTER_INTERRUPT = 130
"""As a shell reports an interrupted program."""
EXIT_AFTER_MESSAGE = 32
"""Exit code of a program whose error the CLI has shown already."""


def run(
    request: language_pb2.RunRequest,
    engine: str,
    on_start: Callable[[Callable[[], None]], object] = lambda cancel: None,
    *,
    logs_debug: bool = True,
) -> bool:
    """Run the program of a request; return False if it failed or was cancelled.

    The CLI shows one error: the message of a `pulumi.RunError`, or else the traceback from the
    program's first line on. `on_start` gets a function that cancels the program, from any thread.
    Without `logs_debug`, the CLI gets no debug messages, which it shows with `--debug` only.
    """
    # As in render.py: a program deletes next to nothing, so searching its growing graph of modules
    # and resources for cycles only takes time.
    gc.disable()
    set_all_config(dict(request.config), list(request.configSecretKeys))
    reset_options(
        project=request.project,
        stack=request.stack,
        organization=request.organization or "organization",
        root_directory=request.info.root_directory,
        monitor_address=request.monitor_address,
        engine_address=engine,
        parallel=request.parallel,
        preview=request.dryRun,
    )
    if (client := get_engine()) and not logs_debug:
        _drop_debug_messages(client)
    # A failed program leaves unfinished tasks, which asyncio would report.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    entry = Path(request.pwd, request.info.entry_point or ".")
    main_file = (entry / "__main__.py" if entry.is_dir() else entry).resolve()

    def run_entry() -> None:
        runpy.run_path(str(entry), run_name="__main__")

    def cancel() -> None:
        loop.call_soon_threadsafe(task.cancel)

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # As in Pulumi's language host: each resource that is being registered occupies a thread.
    with ThreadPoolExecutor(max_workers=max(request.parallel, 1) * 4) as threads:
        loop.set_default_executor(threads)
        try:
            task = loop.create_task(run_in_stack(run_entry))
            on_start(cancel)
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            return False
        except pulumi.RunError as error:
            pulumi.log.error(str(error))
            return False
        except Exception as error:
            trace = _since(main_file, error.__traceback__)
            shown = "".join(traceback.format_exception(type(error), error, trace))
            pulumi.log.error(f"Program failed with an unhandled exception:\n{shown}")
            return False
        finally:
            gc.enable()
    return True


def _drop_debug_messages(engine: Any) -> None:
    """Make the SDK's client of the engine send no debug messages.

    The SDK logs five of them for each resource, and waits for the response to each.
    """
    log = engine.Log
    engine.Log = lambda request: request.severity == engine_pb2.DEBUG or log(request)


def _since(file: Path, trace: TracebackType | None) -> TracebackType | None:
    """Traceback from `file` on, or all of it if `file` is not in it."""
    part = trace
    while part and Path(part.tb_frame.f_code.co_filename).resolve() != file:
        part = part.tb_next
    return part or trace


def _main() -> int:
    """Run the program that the `RunRequest` on standard input describes; return its exit code."""
    engine = sys.argv[1]
    request = language_pb2.RunRequest.FromString(sys.stdin.buffer.read())
    sys.argv = [request.info.entry_point or ".", *request.args]
    return 0 if run(request, engine) else EXIT_AFTER_MESSAGE


def _end_on_ignored_interrupt(error: "sys.UnraisableHookArgs") -> None:
    """End the program if Python ignores its interrupt, as in the callback of a weak reference."""
    if error.exc_type is KeyboardInterrupt:
        os._exit(_EXIT_AFTER_INTERRUPT)
    sys.__unraisablehook__(error)


if __name__ == "__main__":
    sys.unraisablehook = _end_on_ignored_interrupt
    try:
        code = _main()
    except KeyboardInterrupt:
        # Without waiting for calls in flight, as the engine does not wait for them either.
        os._exit(_EXIT_AFTER_INTERRUPT)
    # The interpreter would search all modules and resources for cycles, which takes half a second.
    gc.freeze()
    sys.exit(code)
