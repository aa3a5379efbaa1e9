"""`make status`, with objects given by the tests."""

from typing import Any

import pytest

from commands import status


def deployment(service: str, track: str, ready: int, **more: str) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": service, "track": track, **more}
    return {
        "kind": "Deployment",
        "metadata": {"labels": labels},
        "status": {"replicas": 3, "readyReplicas": ready},
    }


def revision(service: str, version: str, ready: int) -> dict[str, Any]:
    labels = {
        "app.kubernetes.io/version": version,
        "serving.knative.dev/revision": f"{service}-stable-{version}",
    }
    return deployment(service, "stable", ready, **labels)


def runs(version: str, **more: object) -> dict[str, Any]:
    return {"version": version, "image": f"registry/it:{version}@sha256:{'a' * 64}", **more}


OUTPUTS = {
    "namespace": "shop",
    "services": {
        "orders": {
            "url": "http://orders",
            "stable": runs("1.0.0"),
            "canary": runs("1.1.0", weight=10),
        },
        "payments": {"url": "http://payments", "stable": runs("2.0.0"), "canary": None},
        "mailer": {"stable": runs("3.0.0"), "canary": None},
    },
}


COLORS = {
    "namespace": "shop",
    "services": {
        "payments": {
            "url": "http://payments",
            "stable": runs("2.1.0", color="green"),
            "canary": runs("2.0.0", color="blue", weight=0),
        }
    },
}


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Prints the status and returns it."""
    items = [
        deployment("orders", "stable", 3),
        deployment("orders", "canary", 1),
        deployment("payments", "stable", 2),
        deployment("payments", "green", 3),
        deployment("payments", "blue", 1),
        # A Knative Service has one for each revision.
        revision("thumbnails", "3.0.0", 1),
        revision("thumbnails", "3.1.0", 2),
        revision("mailer", "2.9.0", 3),
    ]
    monkeypatch.setattr(status.kubectl, "get", lambda *_, **__: {"items": items})

    def printed(outputs: dict[str, Any] = OUTPUTS, only: str = "") -> list[str]:
        status.show(outputs, only, {"COLUMNS": "120"}, None)
        return capsys.readouterr().out.splitlines()

    monkeypatch.setenv("COLUMNS", "120")
    return printed


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_each_track_of_each_service_has_a_row(show) -> None:
    lines = show()
    rows = [cells(line)[:5] for line in lines if line.startswith("│")]
    assert rows == [
        ["orders", "stable", "1.0.0", "90 %", "3/3"],
        ["orders", "canary", "1.1.0", "10 %", "1/3"],
        ["payments", "stable", "2.0.0", "100 %", "2/3"],
        ["mailer", "stable", "3.0.0", "-", "0/0"],
    ]
    assert lines[-2:] == ["orders    http://orders", "payments  http://payments"]


def test_the_colors_are_shown_with_their_tracks(show) -> None:
    rows = [cells(line)[1:5] for line in show(COLORS) if line.startswith("│")]
    assert rows == [
        ["stable (green)", "2.1.0", "100 %", "3/3"],
        ["canary (blue)", "2.0.0", "0 %", "1/3"],
    ]


def test_only_the_revisions_of_the_running_version_are_counted(show) -> None:
    thumbnails = {"namespace": "shop", "services": {"thumbnails": {"stable": runs("3.1.0")}}}
    (row,) = [cells(line)[1:5] for line in show(thumbnails) if line.startswith("│")]
    assert row == ["stable", "3.1.0", "-", "2/3"]
    (row,) = [cells(line)[1:5] for line in show(only="mailer") if line.startswith("│")]
    assert row == ["stable", "3.0.0", "-", "0/0"]


def test_one_service_is_shown_alone(show) -> None:
    text = "\n".join(show(only="payments"))
    assert "orders" not in text
    assert "http://payments" in text


def test_before_the_first_update_there_is_a_message(show) -> None:
    assert show({}) == ["nothing is deployed: run `make up`"]
    assert show(only="other") == ["other is not deployed: run `make up`"]


def test_a_service_without_routing_has_neither_traffic_nor_a_url(show) -> None:
    worker = {"stable": runs("1.0.0"), "canary": None}
    lines = show({"namespace": "shop", "services": {"payments": worker}})
    (row,) = (cells(line) for line in lines if line.startswith("│"))
    assert row[:5] == ["payments", "stable", "1.0.0", "-", "2/3"]
    assert lines[-1].startswith("└")
