"""Steps that wait for each other, and how they are shown."""

import io
import re
import threading
import time

import pytest
from rich.console import Console

from local import progress
from local.progress import Display
from local.steps import Step, run

DEADLINE = 10.0


@pytest.fixture
def output():
    return io.StringIO()


@pytest.fixture
def display(output):
    with Display(Console(file=output, width=200)) as shown:
        yield shown


def test_a_step_begins_when_those_it_needs_are_done(display):
    order = []
    names = {"roof": ["walls"], "walls": ["ground"], "ground": [], "garden": ["ground"]}
    run(
        [Step(name, lambda _, n=name: order.append(n), needs) for name, needs in names.items()],
        display,
    )
    assert order.index("ground") == 0
    assert order.index("walls") < order.index("roof")
    assert set(order) == set(names)


def test_steps_that_need_nothing_run_side_by_side(display):
    both = threading.Barrier(2, timeout=DEADLINE)
    run([Step("one", lambda _: both.wait()), Step("two", lambda _: both.wait())], display)


def test_the_first_error_ends_the_plan_at_once(display, output):
    begun = []
    forever = threading.Event()

    def fail(_):
        raise RuntimeError("no ground")

    steps = [
        Step("slow", lambda _: forever.wait(DEADLINE)),
        Step("ground", fail),
        Step("walls", lambda _: begun.append("walls"), ["ground"]),
    ]
    with pytest.raises(RuntimeError, match="no ground"):
        run(steps, display)
    assert not begun
    assert "✗ ground" in output.getvalue()
    forever.set()


def test_steps_that_wait_for_each_other_are_refused(display):
    with pytest.raises(ValueError, match="chicken"):
        run([Step("chicken", print, ["egg"]), Step("egg", print, ["chicken"])], display)


def test_without_a_terminal_there_is_a_line_at_least_every_interval(monkeypatch, output):
    monkeypatch.setattr(progress, "_LINE_EVERY", 0.01)
    told = threading.Event()

    def work(say):
        say("3 of 4 packages compiled")
        for _ in range(1000):
            if "packages" in output.getvalue():
                told.set()
                return
            time.sleep(0.01)

    with Display(Console(file=output, width=200)) as display:
        run([Step("build", work)], display)
    assert told.is_set()
    assert re.search(r"… build \d:\d\d \(3 of 4 packages compiled\)", output.getvalue())
    assert "\x1b" not in output.getvalue()


def test_steps_that_found_everything_done_are_not_told(display, output):
    run([Step("nothing", lambda _: None)], display)
    assert output.getvalue() == ""
