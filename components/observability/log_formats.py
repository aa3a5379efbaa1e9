"""Operators of the log agent that parse lines: JSON, logfmt, stack traces, levels, trace IDs."""

import json
from collections.abc import Iterator, Sequence

from components.observability.collector import Config
from components.observability.log_levels import LEVEL_OF_SPELLING
from components.observability.monitored_service import MonitoredService
from settings import LogKeys

_CONTINUATION = "|".join(
    (
        r"\s*$",
        r"\s+",
        r"goroutine \d+ ",
        r"\[signal ",
        r"created by ",
        r"exit status \d",
        r"Caused by: ",
        # A frame of a Go stack trace: main.(*server).serve(0xc000012345)
        r"[\w./%~@*()\[\]{},-]+\.[\w.*()\[\]{},-]+\(.*\)$",
        r"(runtime\.)?(panic|goexit)\(.*\)$",
    )
)
"""Patterns at the start of lines that continue the previous line."""


def log_operators(services: Sequence[MonitoredService]) -> list[Config]:
    """Operators that parse the runtime's format, JSON, levels and trace IDs."""
    is_json = 'body matches "^\\\\{.*\\\\}\\\\s*$"'
    return [
        {"id": "cri", "type": "container"},
        *(operator for service in services for operator in _roles(service)),
        # Lines of stdout do not continue those of stderr, which are in the same file.
        {
            "id": "stream",
            "type": "add",
            "field": "attributes.stream",
            "value": 'EXPR(attributes["log.file.path"] + " " + attributes["log.iostream"])',
        },
        {
            # A JSON line is complete: do not wait for further lines.
            "id": "shape",
            "type": "router",
            "routes": [{"output": "json", "expr": is_json}],
            "default": "together",
        },
        {
            "id": "together",
            "type": "recombine",
            "combine_field": "body",
            "is_first_entry": f"not (body matches {json.dumps(f'^({_CONTINUATION})')})",
            "source_identifier": "attributes.stream",
            "force_flush_period": "500ms",
            "max_log_size": "256KiB",
        },
        {
            "id": "json",
            "type": "json_parser",
            "if": is_json,
            "parse_to": "attributes.line",
            # Keep a line that is not valid JSON unchanged.
            "on_error": "send_quiet",
        },
        {
            # The text handlers of slog and logrus: time=… level=WARN msg=…
            "id": "logfmt",
            "type": "regex_parser",
            "if": f"not ({_IS_PARSED}) and body matches {json.dumps(_LOGFMT_LEVEL)}",
            "regex": _LOGFMT_LEVEL,
            "parse_to": "attributes.line",
            "on_error": "send_quiet",
        },
        *_first_of_keys(services, "level", "level"),
        {
            "id": "level-name",
            "type": "add",
            "if": '"level" in attributes',
            "field": "attributes.level",
            "value": f'EXPR({json.dumps(LEVEL_OF_SPELLING)}[{_LEVEL_WITHOUT_OFFSET}] ?? "")',
        },
        # An unknown level is not copied to the metadata: Loki rejects a line with large metadata.
        {
            "id": "level-unknown",
            "type": "remove",
            "if": 'attributes.level == ""',
            "field": "attributes.level",
        },
        {
            "id": "severity",
            "type": "severity_parser",
            "if": '"level" in attributes',
            "parse_from": "attributes.level",
            "on_error": "send_quiet",
        },
        *_first_of_keys(services, "trace_id", "trace"),
        *_first_of_keys(services, "span_id", "span"),
        {
            "id": "trace-ids",
            "type": "trace_parser",
            "if": _HAS_TRACE,
            "trace_id": {"parse_from": "attributes.trace"},
            "span_id": {"parse_from": "attributes.span"},
            "on_error": "send_quiet",
        },
        *(
            {
                "id": f"without-{key}",
                "type": "remove",
                "if": f'"{key}" in attributes',
                "field": f'attributes["{key}"]',
            }
            for key in ("line", "stream", "trace", "span", "logtag", "time", "log.file.path")
        ),
    ]


def _roles(service: MonitoredService) -> Iterator[Config]:
    """Operators that add the service and the role of pods whose labels have others.

    The attributes that a line already has are not replaced by the labels of its pod.
    """
    if not service.roles.rules:
        return
    for track, deployment in service.roles.deployments.items():
        pods = json.dumps(f"^{service.pod_pattern(track)}$")
        is_pod = (
            f'resource["k8s.namespace.name"] == "{service.namespace}" and '
            f'resource["k8s.pod.name"] matches {pods}'
        )
        for name, value in (("service.name", service.name), ("track", track)):
            yield {
                "id": f"{name.replace('.', '-')}-of-{deployment}",
                "type": "add",
                "if": is_pod,
                "field": f'resource["{name}"]',
                "value": value,
            }


def _first_of_keys(
    services: Sequence[MonitoredService], name: str, attribute: str
) -> Iterator[Config]:
    """Operators that copy the first of the keys that a line has to an attribute, as text.

    A service with keys of its own has an operator of its own.
    """
    default: tuple[str, ...] = getattr(LogKeys(), name)
    for service in services:
        keys: tuple[str, ...] = getattr(service.log_keys, name)
        if keys != default:
            container = (
                f'resource["k8s.namespace.name"] == "{service.namespace}" and '
                f'resource["k8s.container.name"] == "{service.name}"'
            )
            yield _first_key(f"{attribute}-of-{service.name}", keys, attribute, container)
    yield _first_key(
        f"{attribute}-of-line", default, attribute, f'not ("{attribute}" in attributes)'
    )


def _first_key(id_: str, keys: Sequence[str], attribute: str, condition: str) -> Config:
    values = " ?? ".join(f'attributes.line["{key}"]' for key in keys)
    return {
        "id": id_,
        "type": "add",
        "if": f"{_IS_PARSED} and ({values}) != nil and {condition}",
        "field": f"attributes.{attribute}",
        "value": f"EXPR(string({values}))",
    }


_IS_PARSED = '"line" in attributes'
_LOGFMT_LEVEL = r'(?:^|\s)(?:level|severity|lvl)="?(?P<level>[A-Za-z]+(?:[+-][0-9]+)?)'
# slog writes levels between its own as WARN+1.
_LEVEL_WITHOUT_OFFSET = (
    'lower(attributes.level) matches "^[a-z]+[+-][0-9]+$" '
    '? split(split(lower(attributes.level), "+")[0], "-")[0] : lower(attributes.level)'
)
# Matches the exact format: if the operator failed, the next line would be lost.
_HAS_TRACE = (
    '(attributes.trace ?? "") matches "^[0-9a-f]{32}$" and '
    '(attributes.span ?? "") matches "^([0-9a-f]{16})?$"'
)
