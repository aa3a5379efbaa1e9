"""Builds of ``make dev``: edits that start one, invalid services, and log lines."""

from typing import Any

import pytest
from watchfiles import Change

from commands.dev.loop import DevLoop, SourceFilter, parse_line
from commands.errors import CommandError
from tests.unit.stacks import CANARY, DIGEST, settings

PUBLISHED = {"stable": {"version": "1.0.0", "digest": DIGEST}}


@pytest.mark.parametrize(
    ("path", "is_built"),
    [
        ("/src/main.go", True),
        ("/src/assets/index.html", True),
        ("/src/main_test.go", False),
        ("/src/.git/index", False),
        ("/src/.main.go.swp", False),
    ],
)
def test_an_edit_of_a_file_of_the_program_starts_a_build(path: str, is_built: bool) -> None:
    assert SourceFilter()(Change.modified, path) is is_built


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ({"source": None, "release": PUBLISHED}, "source is missing"),
        ({"release": CANARY}, "has a canary"),
    ],
)
def test_a_service_without_a_source_or_with_a_canary_is_refused(
    service: dict[str, Any], message: str
) -> None:
    found = settings(**service)
    (only,) = found.services.values()
    with pytest.raises(CommandError, match=message):
        DevLoop(found, "dev", only, {})


def test_a_line_of_kubectl_logs_has_a_time_in_nanoseconds_and_a_text() -> None:
    assert parse_line("2026-11-29T10:20:13.463000001Z starting up\n") == (
        1795947613463000001,
        "starting up",
    )
    assert parse_line("2026-11-29T10:20:13Z \n") == (1795947613000000000, "")
