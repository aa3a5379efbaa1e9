"""Outcome of a drill: one row for each fault."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from commands.drill.detector import By
from settings import Fault

Verdict = Literal["rolled back", "never served", "promoted", "not detected"]
PASSED: tuple[Verdict, ...] = ("rolled back", "never served")


@dataclass(frozen=True)
class Outcome:
    """Result of one fault, from the deployment of the bad version to the end of its pods."""

    fault: Fault
    version: str
    began: float
    """Unix time of the begin of its deployment."""
    ended: float
    """Unix time."""
    detected_after: float | None
    """Seconds from the begin of the deployment. ``None``: it was not detected."""
    detected_by: By | None
    detail: str
    """The alert, the violated gate, or the reason of the failed rollout."""
    back_after: float | None
    """Seconds from the detection to the last response of the version. ``None``: there was none."""
    requests: int
    failed: int
    bad_responses: int | None
    """Responses of the version. ``None``: nothing counts them."""
    verdict: Verdict

    @property
    def has_passed(self) -> bool:
        """True if the version did not stay."""
        return self.verdict in PASSED

    @property
    def share(self) -> float | None:
        """The version's fraction of the responses."""
        if self.bad_responses is None or not self.requests:
            return None
        return min(self.bad_responses / self.requests, 1.0)

    def as_data(self) -> Mapping[str, Any]:
        """The outcome as JSON."""
        return {**asdict(self), "share": self.share, "passed": self.has_passed}


COLUMNS = (
    "fault",
    "detected after",
    "by",
    "back after",
    "requests",
    "failed",
    "its share",
    "verdict",
)


def cells(outcome: Outcome) -> Sequence[str]:
    """The row of :data:`COLUMNS`."""
    return (
        outcome.fault,
        _seconds(outcome.detected_after),
        f"{outcome.detected_by}: {outcome.detail}" if outcome.detected_by else "-",
        _seconds(outcome.back_after),
        f"{outcome.requests:,}",
        f"{outcome.failed:,}",
        "-" if outcome.share is None else f"{outcome.share:.1%}",
        outcome.verdict,
    )


def show(title: str, outcomes: Sequence[Outcome], console: Console) -> None:
    """Print the table."""
    table = Table(title=title, title_justify="left")
    for name in COLUMNS:
        is_number = name in ("detected after", "back after", "requests", "failed", "its share")
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for outcome in outcomes:
        table.add_row(*cells(outcome), style=None if outcome.has_passed else "red")
    console.print(table)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
