"""`make metrics`, with responses of Prometheus given by the tests."""

import math
import re
from argparse import ArgumentParser, Namespace
from urllib.parse import urlencode

import promql_parser
import pytest
from rich.console import Console

from commands import metrics
from commands.errors import CommandError
from commands.observability_client import monitored
from components.observability.addresses import PROMETHEUS
from tests.unit.commands.fake_kubectl import Cluster, matrix, printed, vector
from tests.unit.stacks import GENERATED, settings

NOW, OVER = "/api/v1/query", "/api/v1/query_range"
STABLE, CANARY = ({"service": "beacon", "track": track} for track in ("stable", "canary"))
PODS = "version%29+%28service%3Apods%3Aready"
BUDGET = "slo%3Aerror_budget_remaining%3Aratio"
STACK = settings()
QUERIES = metrics.queries("beacon-test", monitored(STACK, STACK.services.values()))


def given(**options: str) -> Namespace:
    parser = ArgumentParser()
    metrics.add_arguments(parser)
    return parser.parse_args([f"--{name}={value}" for name, value in options.items()])


def show(cluster: Cluster, console: Console, **options: str) -> str:
    with cluster.client() as client:
        metrics.show(client, given(**options), console)
    return printed(console)


def row(text: str, track: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if f"│ {track}" in line)
    return [cell.strip() for cell in line.strip("│").split("│")]


def prepare_responses(cluster: Cluster) -> None:
    cluster.respond(PROMETHEUS, NOW, vector())
    builds = vector(({**STABLE, "version": "1.0.0"}, 2), ({**CANARY, "version": "1.1.0"}, 1))
    cluster.respond(PROMETHEUS, NOW, builds, containing=PODS)
    columns = {
        "pods": (2, 1),
        "requests/s": (90.5, 9.5),
        "errors": (0.0, 0.25),
        "p50": (0.002, 0.004),
        "p95": (0.02, math.nan),
        "p99": (0.2, 2.5),
        "CPU": (0.1234, 0.02),
        "memory": (2**25, 2**24),
    }
    for name, query in QUERIES.items():
        stable, canary = columns[name]
        body = vector((STABLE, stable), (CANARY, canary))
        cluster.respond(PROMETHEUS, NOW, body, containing=urlencode({"query": query}))


@pytest.mark.parametrize("query", QUERIES.values())
def test_every_query_is_promql(query: str) -> None:
    promql_parser.parse(query)


def test_the_pods_of_a_knative_service_have_the_name_of_their_revision() -> None:
    stack = settings(workload={"kind": "knative"}, observability={"mode": "bundled"})
    columns = metrics.queries("beacon-test", monitored(stack, stack.services.values()))
    (pattern, *_) = re.findall('pod=~"(.+?)"', columns["CPU"])
    revision = "beacon-stable-c6db37e037"
    # With a longer name of the service, that of a pod has no more of its Deployment.
    own = (f"{revision}-deployment-56fccbc66-flqcp", f"{revision}-deployflqcp")
    others = ("beacon-stable-56fccbc66-flqcp", "beacon-stable-x-stable-c6db37e037-deployment-5-f")
    found = [pod for pod in (*own, *others) if re.fullmatch(pattern, pod)]
    assert found == [*own]


@pytest.mark.parametrize(
    ("strategy", "deployments"),
    [
        ("canary", {"stable": "beacon-stable", "canary": "beacon-canary"}),
        ("blueGreen", {"stable": "beacon-blue", "canary": "beacon-green"}),
        (
            "progressive",
            {"stable": "beacon-progressive-primary", "canary": "beacon-progressive"},
        ),
    ],
)
def test_the_usage_of_a_track_is_that_of_the_pods_with_its_role(
    strategy: str, deployments: dict[str, str]
) -> None:
    stack = settings(release={"strategy": strategy}, observability={"mode": "bundled"})
    columns = metrics.queries("beacon-test", monitored(stack, stack.services.values()))
    for column in ("CPU", "memory"):
        promql_parser.parse(columns[column])
        for track, deployment in deployments.items():
            pods = f'pod=~"{deployment}-{GENERATED}"'
            (expr,) = (one for one in columns[column].split(" or ") if pods in one)
            assert f'"track", "{track}"' in expr


def test_each_track_has_its_rate_errors_and_durations(cluster: Cluster, console: Console) -> None:
    prepare_responses(cluster)
    text = show(cluster, console)
    assert row(text, "stable") == [
        *("beacon", "stable", "1.0.0", "2", "90.50", "0.00%", "2 ms", "20 ms", "200 ms"),
        *("0.123 cores", "32 MiB"),
    ]
    assert row(text, "canary") == [
        *("beacon", "canary", "1.1.0", "1", "9.50", "25.00%", "4 ms", "-", "2.50 s"),
        *("0.020 cores", "16 MiB"),
    ]


def test_each_objective_has_its_remaining_budget_or_is_not_measured(
    cluster: Cluster, console: Console
) -> None:
    prepare_responses(cluster)
    availability = (
        f"{BUDGET}%7Bnamespace%3D%22beacon-test%22%2Cservice%3D%22beacon%22%2Csli%3D%22av"
    )
    cluster.respond(PROMETHEUS, NOW, vector(({}, 0.75)), containing=availability)
    text = show(cluster, console)
    assert "beacon: error budget of availability (99.900% over 30d): 75.0% left" in text
    assert "error budget of latency (99.000% within 250ms over 30d): not measured" in text


def test_a_source_that_does_not_know_the_track_has_one_row(
    cluster: Cluster, console: Console
) -> None:
    cluster.respond(PROMETHEUS, NOW, vector())
    total = urlencode({"query": QUERIES["requests/s"]})
    cluster.respond(PROMETHEUS, NOW, vector(({"service": "beacon"}, 3)), containing=total)
    assert row(show(cluster, console), "all")[:5] == ["beacon", "all", "-", "-", "3.00"]


def test_a_track_that_does_not_run_has_no_row(cluster: Cluster, console: Console) -> None:
    cluster.respond(PROMETHEUS, NOW, vector())
    builds = vector(({**STABLE, "version": "1.0.0"}, 2))
    cluster.respond(PROMETHEUS, NOW, builds, containing=PODS)
    text = show(cluster, console)
    assert row(text, "stable")[:4] == ["beacon", "stable", "1.0.0", "-"]
    assert "│ canary" not in text


def test_before_the_first_scrape_there_is_a_message(cluster: Cluster, console: Console) -> None:
    cluster.respond(PROMETHEUS, NOW, vector())
    assert "Prometheus has no series of beacon yet" in show(cluster, console)


def test_a_query_has_a_column_for_each_label(cluster: Cluster, console: Console) -> None:
    body = vector(({"job": "a"}, 1), ({"pod": "b"}, 0.333333))
    cluster.respond(PROMETHEUS, NOW, body)
    lines = show(cluster, console, query="up").splitlines()
    assert [cell.strip() for cell in lines[1].strip("┃").split("┃")] == ["job", "pod", "value"]
    assert row("\n".join(lines), "a") == ["a", "", "1"]
    assert "0.3333" in lines[4]


def test_a_range_query_has_a_sparkline(cluster: Cluster, console: Console) -> None:
    cluster.respond(PROMETHEUS, OVER, matrix(({"job": "a"}, [0, 5, math.nan, 10])))
    text = show(cluster, console, query="up", range="1h")
    assert row(text, "a") == ["a", "▁▅ █", "0", "10", "10"]


def test_a_query_without_series_has_a_message(cluster: Cluster, console: Console) -> None:
    cluster.respond(PROMETHEUS, NOW, vector())
    assert "no series" in show(cluster, console, query="nothing")


def test_an_invalid_range_is_refused(cluster: Cluster, console: Console) -> None:
    with pytest.raises(CommandError, match="RANGE=soon"):
        show(cluster, console, range="soon")


@pytest.mark.parametrize(
    ("values", "line"),
    [((1, 2, 3), "▁▅█"), ((7, 7), "▁▁"), ((math.nan, 1), " ▁"), ((math.nan,), " "), ((), "")],
)
def test_a_sparkline_is_scaled_between_minimum_and_maximum(
    values: tuple[float, ...], line: str
) -> None:
    assert metrics.sparkline(values) == line


@pytest.mark.parametrize(
    ("value", "text"),
    [(3.0, "3"), (0.000123456, "0.0001235"), (1234.56, "1234.6"), (math.inf, "inf")],
)
def test_a_number_has_up_to_four_significant_digits(value: float, text: str) -> None:
    assert metrics.number(value) == text
