"""Rules for operation: labels, the kubeconfig context, debugging and retention."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from policy.objects import PROVIDER, Object, get, get_list, get_mapping
from policy.rule import Stack, rule

LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/part-of", "app.kubernetes.io/managed-by")
RETENTION_DAYS = 7
"""Enough to compare today with the same day of last week."""

_DAYS = {"y": 365.0, "w": 7.0, "d": 1.0, "h": 1 / 24, "m": 1 / 1440, "s": 1 / 86400, "ms": 0.0}
_RETENTION = re.compile(
    r"""(?mx) (?: --storage\.tsdb\.retention\.time= | ^\s*["']?retention_period["']?:\s*["']? )
    ([0-9ywdhms]+)"""
)
_DEBUG_SETTINGS = ("debug", "faults.enabled", "profiling.enabled", "profiling")


@rule("recommended-labels")
def recommended_labels(obj: Object, _: Stack) -> Iterator[str]:
    """Objects have the recommended labels name, part-of and managed-by."""
    missing = [label for label in LABELS if not obj.labels.get(label)]
    if missing and obj.kind != PROVIDER:
        yield f"add the labels {', '.join(missing)}: components take them from Identity.labels"


@rule("kubeconfig-context", environment="production")
def kubeconfig_context(obj: Object, _: Stack) -> Iterator[str]:
    """The stack names its kubeconfig context instead of using the current one."""
    if obj.kind == PROVIDER and not obj.spec.get("context"):
        yield "set slipway:cluster.context to the kubeconfig context of the cluster"


@rule("no-debug", environment="production")
def no_debug(obj: Object, _: Stack) -> Iterator[str]:
    """Services run without debugging, fault injection and profiling."""
    if obj.kind != "ConfigMap":
        return
    for key, text in get_mapping(obj.manifest, "data").items():
        config = _parse(key, text)
        for setting in _DEBUG_SETTINGS:
            if get(config, *setting.split(".")) is True:
                yield f"{key} sets {setting} to true: set config.{setting} of the service to false"


@rule("retention", environment="production")
def retention(obj: Object, _: Stack) -> Iterator[str]:
    """Metrics and logs are retained for at least 7 days."""
    texts = [*get_mapping(obj.manifest, "data").values()]
    for container in obj.containers:
        texts += get_list(container.spec, "args")
    for text in texts:
        for found in _RETENTION.finditer(str(text)):
            if _days(found[1]) < RETENTION_DAYS:
                yield (
                    f"it retains data for {found[1]}: set retentionDays in slipway:observability"
                    f" to at least {RETENTION_DAYS}"
                )


def _parse(file_name: str, text: Any) -> Any:  # noqa: ANN401
    if not file_name.endswith((".yaml", ".yml", ".json")):
        return None
    try:
        return yaml.safe_load(str(text))
    except yaml.YAMLError:
        return None


def _days(duration: str) -> float:
    parts = re.findall(r"(\d+)(ms|[ywdhms])", duration)
    return sum(int(number) * _DAYS[unit] for number, unit in parts)
