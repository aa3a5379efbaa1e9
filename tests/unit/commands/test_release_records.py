"""Records of releases in the cluster."""

import json
from typing import Any
from unittest.mock import Mock, call

import pytest

from commands import release_history
from commands.notifications import Notifier, VersionChange
from commands.release_records import (
    DATA_KEY,
    MAX_RECORDS,
    Decision,
    ReleaseRecord,
    ReleaseRecords,
)
from tests.unit.commands.fake_kubectl import Cluster
from tests.unit.stacks import CANARY, DIGEST, changed, settings

BY = Decision("ann", "errors 6.8 > 1")
START = "2026-01-01T00:00:00Z"


def record(version: str, result: str = "promoted", **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"version": version, "strategy": "canary", "started": START}
    return {**made, "result": result, **more}


class Records:
    """Records in a fake cluster, whose ConfigMap is the last one that was applied."""

    def __init__(self, cluster: Cluster, notifier: Notifier | None = None) -> None:
        self.cluster = cluster
        client = cluster.client()
        self.records = ReleaseRecords(client.settings, client.environment, notifier)

    def have(self, *records: dict[str, Any]) -> None:
        data = {DATA_KEY: json.dumps(records)}
        self.cluster.kubectl_prints("get configmap", json.dumps({"data": data}))

    def written(self) -> list[dict[str, Any]]:
        manifest = self.cluster.applied()[-1]
        return json.loads(manifest["data"][DATA_KEY])


@pytest.fixture
def records(cluster: Cluster) -> Records:
    return Records(cluster)


def test_receivers_are_notified_of_starts_and_ends(cluster: Cluster) -> None:
    notifier = Mock(spec=Notifier)
    records = Records(cluster, notifier)
    records.have(record("1.0.0"))
    records.records.start("beacon", "1.1.0", "progressive")
    records.have(record("1.1.0", "running"), record("0.9.0", "rolledBack"), record("1.0.0"))
    records.records.start("beacon", "1.1.0", "progressive")  # the same one, resumed
    for result in ("rolledBack", "promoted", "failed"):
        records.records.end("beacon", "1.1.0", "progressive", result=result, decision=BY)
    change = VersionChange("beacon", "1.1.0", "1.0.0")
    how = {"reason": "errors 6.8 > 1", "decided_by": "ann"}
    assert notifier.mock_calls == [
        call.started(change, weight=None),
        call.rolled_back(change, **how),
        call.promoted(change, **how),
    ]


def test_a_release_that_starts_and_ends_is_one_record(records: Records) -> None:
    records.records.start("beacon", "1.1.0", "canary")
    (started,) = records.written()
    assert (started["version"], started["result"], started["ended"]) == ("1.1.0", "running", None)
    records.have(started)
    records.records.end("beacon", "1.1.0", "canary", result="promoted", decision=BY, digest=DIGEST)
    (ended,) = records.written()
    assert ended == {
        **started,
        "ended": ended["ended"],
        "result": "promoted",
        "decidedBy": "ann",
        "reason": "errors 6.8 > 1",
        "digest": DIGEST,
    }
    assert records.cluster.applied()[-1]["metadata"] == {
        "name": "beacon-releases",
        "namespace": "beacon-test",
        "labels": {
            "app.kubernetes.io/name": "beacon",
            "app.kubernetes.io/part-of": "slipway",
            "slipway/release-records": "true",
        },
    }


def test_an_interrupted_release_that_is_started_again_keeps_its_record(records: Records) -> None:
    records.have(record("1.1.0", "running"))
    records.records.start("beacon", "1.1.0", "canary")
    assert records.cluster.applied() == []


def test_a_running_release_ends_when_another_version_replaces_it(records: Records) -> None:
    records.have(record("1.1.0", "running"))
    records.records.start("beacon", "1.2.0", "canary")
    new, old = records.written()
    assert (new["version"], new["result"]) == ("1.2.0", "running")
    assert (old["result"], old["reason"]) == ("failed", "replaced by 1.2.0")


def test_the_rollback_of_a_promoted_version_is_a_record_of_its_own(records: Records) -> None:
    records.have(record("1.1.0", "promoted"))
    records.records.end("beacon", "1.1.0", "canary", result="rolledBack", decision=BY)
    assert [one["result"] for one in records.written()] == ["rolledBack", "promoted"]


def test_the_oldest_releases_are_forgotten(records: Records) -> None:
    records.have(*(record(f"1.0.{n}") for n in range(MAX_RECORDS)))
    records.records.start("beacon", "1.1.0", "canary")
    written = records.written()
    assert (len(written), written[0]["version"]) == (MAX_RECORDS, "1.1.0")


def test_a_version_is_rolled_back_if_its_last_release_was(records: Records) -> None:
    records.have(record("1.1.0"), record("1.1.0", "rolledBack"), record("1.0.0", "rolledBack"))
    assert records.records.rolled_back("beacon", "1.1.0") is None
    assert records.records.rolled_back("beacon", "1.0.0") is not None
    assert records.records.rolled_back("beacon", "0.9.0") is None
    assert records.records.rejected("beacon") == {"1.0.0"}


@pytest.mark.parametrize(
    "data",
    [
        "not JSON",
        '{"version": "1.0.0"}',
        '[{"version": "1.0.0"}]',
        json.dumps([record("1.0.0", started="yesterday")]),
        json.dumps([record("1.0.0", "unknown")]),
        json.dumps([record("1.0.0", reason=["not text"])]),
        '["text"]',
        "[1]",
    ],
)
def test_unreadable_records_are_ignored_with_a_message(records: Records, capsys, data) -> None:
    manifest = {"data": {DATA_KEY: data}}
    records.cluster.kubectl_prints("get configmap", json.dumps(manifest))
    assert records.records.of("beacon") == []
    assert "beacon-test/beacon-releases has no readable releases" in capsys.readouterr().out


def test_keys_that_a_newer_program_writes_are_ignored(records: Records) -> None:
    records.have(record("1.0.0", approvedBy="ann"))
    assert records.records.of("beacon") == [
        ReleaseRecord("1.0.0", "canary", START, result="promoted")
    ]


def test_a_cluster_that_cannot_be_read_or_changed_does_not_stop_a_release(
    records: Records, capsys
) -> None:
    for command, reason in (
        ("apply", ": cannot change the cluster: connection refused"),
        ("get", ""),  # the records that it may have are not replaced
    ):
        records.cluster.kubectl_prints(command, "", "connection refused", 1)
        records.records.end("beacon", "1.1.0", "canary", result="promoted", decision=BY)
        printed = capsys.readouterr().out.splitlines()
        assert printed[-1] == f"beacon 1.1.0 is not recorded as promoted{reason}"
    assert printed[0].startswith("the releases of beacon are not known: cannot read the cluster")
    assert len(records.cluster.applied()) == 1


@pytest.mark.parametrize(
    ("version", "release", "ended"),
    [
        ("1.1.0", {"stable": {"version": "1.1.0"}}, ["promoted"]),
        ("1.2.0", {"stable": {"version": "1.1.0"}}, ["rolledBack"]),
        ("1.2.0", changed(CANARY, {"canary": {"version": "1.2.0"}}), []),
        ("1.1.0", {"strategy": "progressive", "stable": {"version": "1.1.0"}}, []),
    ],
    ids=["promoted", "ended", "still a canary", "of Flagger"],
)
def test_the_next_update_records_an_end_that_was_not_recorded(
    records: Records, version, release, ended
) -> None:
    records.have(record(version, "running"))
    data = {DATA_KEY: json.dumps([record(version, "running")])}
    found = [{"kind": "ConfigMap", "metadata": {"name": "beacon-releases"}, "data": data}]
    services = settings(release=release, observability={"mode": "bundled"}).services.values()
    records.records.end_missed(services, found)
    applied = records.cluster.applied()
    assert [json.loads(one["data"][DATA_KEY])[0]["result"] for one in applied] == ended


def test_the_history_has_a_row_for_each_release(records: Records, capsys) -> None:
    records.have(
        record("1.1.0", "rolledBack", ended=START, decidedBy="Flagger", reason="errors [1] > 1"),
        record("1.0.0", digest=DIGEST),
    )
    release_history.show(records.records, ["beacon"])
    printed = capsys.readouterr().out
    for shown in ("rolled back", "Flagger", "errors [1] > 1", DIGEST[7:19]):
        assert shown in printed


def test_a_history_without_releases_says_so(records: Records, capsys) -> None:
    release_history.show(records.records, ["beacon"])
    assert capsys.readouterr().out == "no release is recorded yet\n"
