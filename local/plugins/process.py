"""Process of a Pulumi plugin: serves until the engine interrupts it or ends."""

import os
import select
import signal
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc

_MAX_REQUESTS = 32
_GRACE = 3.0
"""Seconds for requests in flight to end; the engine kills a plugin after 5."""


def serve(register: Callable[[grpc.Server], None], stop: Callable[[], None]) -> None:
    """Serve on a free loopback port, print it for the engine, and never return.

    `register` adds the servicer to the server. `stop` is called once, before the process ends.
    """
    server = grpc.server(ThreadPoolExecutor(_MAX_REQUESTS))
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()

    # The kernel delivers a signal to any thread; only the wake-up descriptor reaches the main one.
    interrupted, wakeup = os.pipe()
    os.set_blocking(wakeup, False)
    signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    # The engine holds the other end of standard input and never writes to it.
    has_engine = stat.S_ISFIFO(os.fstat(0).st_mode)

    print(port, flush=True)
    select.select([interrupted, *([0] if has_engine else [])], [], [])
    stop()
    server.stop(_GRACE).wait()
    # Not sys.exit, which waits for requests that are still in flight.
    os._exit(0)
