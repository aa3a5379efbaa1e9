import re
from typing import Any

import pytest

from components.observability.log_formats import log_operators


def operator(kind: str) -> dict[str, Any]:
    return next(one for one in log_operators([]) if one["type"] == kind)


def matches(expression: str, line: str) -> bool:
    """Return whether ``body matches "…"`` is true: the pattern is the same in Go and Python."""
    (pattern,) = re.findall(r'body matches "((?:[^"\\]|\\.)*)"', expression)
    return bool(re.search(pattern.replace("\\\\", "\\"), line))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\tat com.example.Main(Main.java:1)",
        "    indented",
        "goroutine 1 [running]:",
        "main.main()",
        "main.(*server).serve(0xc0000b2000, {0x1, 0x2})",
        "net/http.HandlerFunc.ServeHTTP(0x14, {0x5, 0x6}, 0x7)",
        "panic({0x4a2f20?, 0x4f1c30?})",
        "created by net/http.(*Server).Serve in goroutine 1",
        "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x0]",
        "Caused by: java.io.IOException",
        "exit status 2",
    ],
)
def test_lines_of_a_stack_trace_are_joined_to_the_first(line: str) -> None:
    assert matches(operator("recombine")["is_first_entry"], line)
    assert operator("recombine")["is_first_entry"].startswith("not (")


@pytest.mark.parametrize(
    "line",
    [
        "line 17 of 10000",
        "panic: runtime error: index out of range",
        "I1121 12:00:00.000000 1 main.go:1] started",
        "2026-11-21T12:00:00Z something happened (twice)",
        'level=info msg="ready (1)"',
        "[INFO] plugin/reload: Running",
        '{"level": "info", "unfinished',
    ],
)
def test_other_lines_are_not_joined(line: str) -> None:
    assert not matches(operator("recombine")["is_first_entry"], line)


def test_json_lines_skip_the_joining() -> None:
    shape = operator("router")
    (route,) = shape["routes"]
    assert (route["output"], shape["default"]) == ("json", operator("recombine")["id"])
    assert operator("json_parser")["id"] == "json"
    assert matches(route["expr"], '{"level":"info"}')
    assert not matches(route["expr"], "text")
