"""What a report shows of the load of a drill."""

from commands.drill.drill_report import failures, load_panels
from commands.load import Result


def result(sent: float, error: str = "", version: str = "beacon-stable-1") -> Result:
    return Result(sent, 0.1, 500 if error else 200, version, error, "")


def test_rate_and_failures_of_the_load_are_those_of_equal_intervals() -> None:
    results = [result(number / 10) for number in range(95)] + [result(9.5, "500")]
    requests, latency = load_panels(results, 0, 10)
    clients, failed = requests.lines
    assert sum(clients.values) == 96
    assert [value for value in failed.values if value] == [1]
    assert [line.name for line in latency.lines] == ["clients p50", "clients p95", "clients p99"]
    assert round(latency.lines[0].values[3]) == 100


def test_failed_requests_are_counted_by_reason_and_by_the_pod_that_responded() -> None:
    results = [
        result(1),
        result(2, "500 Internal Server Error", "beacon-canary-1"),
        result(3, "500 Internal Server Error", "beacon-canary-1"),
        result(4, "connection refused", ""),
    ]
    (table,) = failures(results)
    assert [row[:3] for row in table.rows] == [
        ("500 Internal Server Error", "beacon-canary-1", "2"),
        ("connection refused", "-", "1"),
    ]


def test_a_load_without_a_failed_request_has_no_table_of_them() -> None:
    assert failures([result(1)]) == []
