"""Concurrent steps and the display of their progress."""

import io
import re
import threading
import time

import pytest
from rich.console import Console

from local import progress
from local.progress import Display
from local.steps import Step, run_steps

DEADLINE = 10.0


@pytest.fixture
def output():
    return io.StringIO()


@pytest.fixture
def display(output):
    with Display(Console(file=output, width=200)) as shown:
        yield shown


def test_a_step_starts_when_the_steps_that_it_needs_are_done(display):
    order = []
    names = {
        "node": ["registry"],
        "registry": ["supervisor"],
        "supervisor": [],
        "builder": ["supervisor"],
    }
    run_steps(
        [Step(name, lambda _, n=name: order.append(n), needs) for name, needs in names.items()],
        display,
    )
    assert order[0] == "supervisor"
    assert order.index("registry") < order.index("node")
    assert set(order) == set(names)


def test_independent_steps_run_concurrently(display):
    both = threading.Barrier(2, timeout=DEADLINE)
    run_steps([Step("one", lambda _: both.wait()), Step("two", lambda _: both.wait())], display)


def test_the_first_error_is_raised_without_waiting_for_other_steps(display, output):
    begun = []
    forever = threading.Event()

    def fail(_):
        raise RuntimeError("no memory")

    steps = [
        Step("slow", lambda _: forever.wait(DEADLINE)),
        Step("registry", fail),
        Step("node", lambda _: begun.append("node"), ["registry"]),
    ]
    with pytest.raises(RuntimeError, match="no memory"):
        run_steps(steps, display)
    assert not begun
    assert "✗ registry" in output.getvalue()
    forever.set()


def test_a_cycle_of_steps_is_refused(display):
    with pytest.raises(ValueError, match="cycle"):
        run_steps([Step("one", print, ["two"]), Step("two", print, ["one"])], display)


def test_without_a_terminal_progress_is_printed_at_every_interval(monkeypatch, output):
    monkeypatch.setattr(progress, "_LINE_INTERVAL", 0.01)
    printed = threading.Event()

    def work(report):
        report("3 of 4 packages compiled")
        for _ in range(1000):
            if "packages" in output.getvalue():
                printed.set()
                return
            time.sleep(0.01)

    with Display(Console(file=output, width=200)) as display:
        run_steps([Step("build", work)], display)
    assert printed.is_set()
    assert re.search(r"… build \d:\d\d:\d\d \(3 of 4 packages compiled\)", output.getvalue())
    assert "\x1b" not in output.getvalue()


def test_a_step_that_ends_at_once_is_not_shown(display, output):
    run_steps([Step("nothing", lambda _: None)], display)
    assert output.getvalue() == ""
