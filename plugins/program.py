"""Runs one Pulumi program, for the language host and in a process of its own.

    python program.py <address of the engine> < RunRequest

An error is shown to the user once: the message alone for `pulumi.RunError`, which is how a program
reports bad input, and the traceback from the program's own file on for any other exception.
"""

import asyncio
import logging
import os
import runpy
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

try:
    import pulumi
    import pulumi.runtime
    from pulumi.runtime.proto import language_pb2
except ImportError as problem:
    sys.exit(f"{problem}\nThe Pulumi SDK is not installed in {sys.prefix}: `pulumi install` does.")

_EXIT_AFTER_MESSAGE = 32  # tells the language host that the user has been told


def main() -> int:
    """Run the program that the request on standard input describes; its exit code."""
    request = language_pb2.RunRequest.FromString(sys.stdin.buffer.read())
    pulumi.runtime.set_all_config(dict(request.config), list(request.configSecretKeys))
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            project=request.project,
            stack=request.stack,
            organization=request.organization or "organization",
            root_directory=request.info.root_directory,
            monitor=request.monitor_address,
            engine=sys.argv[1],
            parallel=request.parallel,
            dry_run=request.dryRun,
        )
    )
    # A failed program leaves tasks behind that nobody waits for, which asyncio would report.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    entry = request.info.entry_point or "."
    program = Path(entry).resolve()
    main_file = program / "__main__.py" if program.is_dir() else program
    if not main_file.is_file():
        pulumi.log.error(f"unable to find main python program `{main_file.name}` in `{program}`")
        return _EXIT_AFTER_MESSAGE
    sys.argv = [entry, *request.args]

    def run() -> None:
        runpy.run_path(entry, run_name="__main__")

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # As many threads as Pulumi's own executor has: each resource call in flight holds one.
    with ThreadPoolExecutor(max_workers=max(request.parallel, 1) * 4) as threads:
        loop.set_default_executor(threads)
        try:
            loop.run_until_complete(pulumi.runtime.run_in_stack(run))
        except pulumi.RunError as problem:
            pulumi.log.error(str(problem))
            return _EXIT_AFTER_MESSAGE
        except Exception as problem:
            trace = traceback.format_exception(
                type(problem), problem, _from(main_file, problem.__traceback__)
            )
            pulumi.log.error(f"Program failed with an unhandled exception:\n{''.join(trace)}")
            return _EXIT_AFTER_MESSAGE
    return 0


def _from(file: Path, trace: TracebackType | None) -> TracebackType | None:
    """The part of a traceback that begins in `file`, or all of it if it never gets there."""
    part = trace
    while part and Path(part.tb_frame.f_code.co_filename).resolve() != file:
        part = part.tb_next
    return part or trace


if __name__ == "__main__":
    try:
        code = main()
    except KeyboardInterrupt:
        # The engine is told to stop by the same signal and does not wait for calls in flight.
        os._exit(130)
    sys.exit(code)
