"""The verbs of a progressive release: what is written, deployed, awaited and recorded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

from commands import release_commands
from commands.errors import BAD_INPUT, FAILED, CommandError
from commands.flagger_canary import CanaryState
from commands.followed_release import FollowedRelease, Outcome
from commands.release_records import ReleaseRecord
from settings import Service
from tests.unit.commands.canary_states import state
from tests.unit.stacks import CANARY, DIGEST, settings

if TYPE_CHECKING:
    from commands.deployer import Deployer

BUNDLED = {"mode": "bundled"}
PROGRESSIVE: dict[str, Any] = {"strategy": "progressive", "stable": {"version": "1.1.0"}}
IN_PROGRESS = state("Progressing", 10)
FAILED_STATE = state("Failed")
SERVING = state("Succeeded", served="1.1.0")
STARTED = "2026-01-01T00:00:00Z"


@dataclass
class FakeDeployer:
    """Deployer, release, records and cluster that record their calls in one list."""

    canary: CanaryState | None
    release_settings: dict[str, Any] = field(default_factory=lambda: PROGRESSIVE)
    newest_record: ReleaseRecord | None = None
    restored_settings: bool = False
    update_fails: bool = False
    started: list[FollowedRelease] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    name: str = "dev"

    def __post_init__(self) -> None:
        self.settings = settings(release=self.release_settings, observability=BUNDLED)
        self.stack = self
        self.records = self
        self._skips = not self.service.release.stable.analysis

    @property
    def service(self) -> Service:
        return self.settings.services["beacon"]

    def release(self, _: Service) -> "FakeRelease":
        return FakeRelease(self)

    def progressive_releases(self) -> "FakeDeployer":
        return self

    def read(self, _: object) -> Mapping[str, CanaryState]:
        return {"beacon": self.canary} if self.canary else {}

    def settle(self, *_: object) -> None:
        self.calls.append("settle")

    def select(self) -> None:
        self.calls.append("select")

    def check_version(self, _: Service, version: str) -> None:
        self.calls.append(f"check {version}")

    def update_service(self, *_: object) -> list[FollowedRelease]:
        self.calls.append("update service")
        if self.update_fails:
            raise CommandError("pulumi up of dev failed", FAILED)
        return self.started

    def update_release(self, *_: object) -> list[FollowedRelease]:
        self.calls.append("update release")
        return []

    def of(self, _: str) -> list[ReleaseRecord]:
        return [self.newest_record] if self.newest_record else []

    def newest(self, *_: object) -> ReleaseRecord | None:
        return self.newest_record

    def rejected(self, _: str) -> set[str]:
        one = self.newest_record
        return {one.version} if one and one.result == "rolledBack" else set()

    def start(self, _: str, version: str, strategy: str) -> None:
        self.calls.append(f"record start {version} {strategy}")

    def end(self, _: str, version: str, __: str, **how: Any) -> None:
        self.calls.append(f"record {how['result']} {version}: {how['decision'].reason}")


@dataclass
class FakeRelease:
    """The release in the stack file."""

    deployer: FakeDeployer

    @property
    def skips_analysis(self) -> bool:
        return self.deployer._skips

    def start(self, version: str, weight: int) -> str:
        self.deployer.calls.append(f"start {version} {weight}")
        return ""

    def skip_analysis(self) -> str:
        self.deployer._skips = True
        self.deployer.calls.append("skip analysis")
        return ""

    def end_skipped_analysis(self) -> None:
        self.deployer._skips = False
        self.deployer.calls.append("end skip")

    def restore(
        self, version: str, digest: str, started: datetime | None, *, skips_analysis: bool
    ) -> str:
        self.deployer._skips = skips_analysis or self.deployer.restored_settings
        since = f" of before {started:%Y-%m-%d}" if started else ""
        self.deployer.calls.append(f"restore {version}{since}")
        return ""

    def rollback(self, version: str | None, *, rejected: set[str]) -> str:
        self.deployer._skips = True
        self.deployer.calls.append(f"roll back to {version}, not {sorted(rejected)}")
        return ""

    def pause(self, paused: bool) -> str:
        self.deployer.calls.append(f"pause {paused}")
        return ""


def as_deployer(fake: FakeDeployer) -> "Deployer":
    return cast("Deployer", fake)


SKIPPED = ["settle", "end skip", "update release"]


def test_a_release_is_recorded_before_it_is_deployed() -> None:
    fake = FakeDeployer(SERVING)
    release_commands.start(as_deployer(fake), fake.service, "1.2.0", None)
    assert fake.calls == [
        "check 1.2.0",
        "start 1.2.0 10",
        "record start 1.2.0 progressive",
        "update service",
    ]


def test_releases_that_other_commands_follow_are_not_followed() -> None:
    time = datetime(2026, 1, 1, tzinfo=UTC)
    before = {"beacon": SERVING, "night": SERVING, "edge": IN_PROGRESS}
    started = [
        FollowedRelease(name, "1.1.0", time, one, IN_PROGRESS) for name, one in before.items()
    ]
    started[1].before = state("Succeeded", version="1.0.0", served="1.0.0")
    fake = FakeDeployer(SERVING, started=started)
    for followed in (
        release_commands.start(as_deployer(fake), fake.service, "1.2.0", None),
        release_commands.resume(as_deployer(fake), fake.service),
    ):
        assert [one.service for one in followed] == ["beacon", "night"]


def test_a_release_whose_update_fails_is_recorded_as_failed() -> None:
    fake = FakeDeployer(SERVING, update_fails=True)
    with pytest.raises(CommandError, match="pulumi up"):
        release_commands.start(as_deployer(fake), fake.service, "1.2.0", None)
    assert fake.calls[-1] == "record failed 1.2.0: the update failed"


def test_a_running_canary_keeps_its_weight_and_is_not_refused() -> None:
    fake = FakeDeployer(None, CANARY | {"canary": {"version": "1.1.0", "weight": 30}})
    release_commands.start(as_deployer(fake), fake.service, "1.1.0", None)
    assert fake.calls == ["start 1.1.0 30", "update service"]


def test_a_promotion_skips_the_rest_and_leaves_no_skip_behind() -> None:
    fake = FakeDeployer(IN_PROGRESS)
    release_commands.promote(as_deployer(fake), fake.service, is_forced=False)
    recorded = "record promoted 1.1.0: `make promote`, without further analysis"
    assert fake.calls == ["skip analysis", "update service", recorded, *SKIPPED]


@pytest.mark.parametrize("canary", [SERVING, FAILED_STATE, None], ids=["idle", "failed", "none"])
def test_only_a_release_in_progress_can_be_promoted(canary) -> None:
    fake = FakeDeployer(canary)
    with pytest.raises(CommandError, match="no release of beacon is in progress") as error:
        release_commands.promote(as_deployer(fake), fake.service, is_forced=False)
    assert (error.value.exit_code, fake.calls) == (BAD_INPUT, [])


def test_an_interrupted_promotion_is_completed() -> None:
    skipped = {**PROGRESSIVE, "stable": {"version": "1.1.0", "analysis": False}}
    fake = FakeDeployer(SERVING, skipped)
    release_commands.promote(as_deployer(fake), fake.service, is_forced=False)
    assert fake.calls[-3:] == SKIPPED


def test_a_rollback_in_progress_restores_what_serves_with_its_settings() -> None:
    running = ReleaseRecord("1.1.0", "progressive", STARTED)
    fake = FakeDeployer(IN_PROGRESS, newest_record=running)
    release_commands.rollback(as_deployer(fake), fake.service, None)
    recorded = "record rolledBack 1.1.0: `make rollback`: 1.0.0 serves"
    assert fake.calls == [
        "restore 1.0.0 of before 2026-01-01",
        recorded,
        "update release",
        *SKIPPED,
    ]


def test_a_rollback_without_a_release_in_progress_returns_to_an_earlier_version() -> None:
    bad = ReleaseRecord("0.9.0", "progressive", STARTED, result="rolledBack")
    fake = FakeDeployer(SERVING, newest_record=bad)
    release_commands.rollback(as_deployer(fake), fake.service, None)
    assert fake.calls == [
        "roll back to None, not ['0.9.0']",
        "record rolledBack 1.1.0: `make rollback`: an earlier version serves",
        "update release",
        *SKIPPED,
    ]


def ended(version: str = "1.1.0") -> FollowedRelease:
    started = datetime(2026, 1, 1, tzinfo=UTC)
    one = FollowedRelease("beacon", version, started, None, FAILED_STATE)
    one.outcome = Outcome.ROLLED_BACK
    return one


@pytest.mark.parametrize(
    ("restored_settings", "calls"), [(False, []), (True, SKIPPED)], ids=["version", "settings"]
)
def test_after_a_rollback_by_flagger_the_file_and_the_state_have_what_serves(
    monkeypatch, capsys, restored_settings, calls
) -> None:
    monkeypatch.delenv("CI", raising=False)
    fake = FakeDeployer(FAILED_STATE, restored_settings=restored_settings)
    release_commands.restore(as_deployer(fake), ended())
    restored = ["select", "restore 1.0.0 of before 2026-01-01", "update release"]
    assert fake.calls == [*restored, *calls]
    assert "commit Pulumi.dev.yaml" in capsys.readouterr().out


def test_in_ci_the_changed_file_is_left_for_a_pull_request(monkeypatch, capsys) -> None:
    monkeypatch.setenv("CI", "true")
    fake = FakeDeployer(FAILED_STATE)
    release_commands.restore(as_deployer(fake), ended())
    printed = capsys.readouterr().out
    assert "open a pull request with it" in printed
    assert "`make up` refuses 1.1.0" in printed
    assert DIGEST not in printed


def test_what_another_command_has_released_meanwhile_is_not_restored() -> None:
    fake = FakeDeployer(FAILED_STATE)
    release_commands.restore(as_deployer(fake), ended("1.0.9"))
    fake.canary = SERVING
    release_commands.restore(as_deployer(fake), ended())
    assert fake.calls == []


@pytest.mark.parametrize("strategy", ["rolling", "canary", "blueGreen"])
def test_only_a_progressive_release_can_be_paused(strategy) -> None:
    release = {"strategy": strategy, "stable": {"version": "1.0.0"}}
    service = settings(release=release).services["beacon"]
    with pytest.raises(CommandError, match=f"strategy is '{strategy}' in Pulumi.dev.yaml"):
        release_commands.check_pause(service, "dev")


def test_only_a_canary_has_a_weight_by_hand() -> None:
    service = settings(release=PROGRESSIVE, observability=BUNDLED).services["beacon"]
    with pytest.raises(CommandError, match="WEIGHT=5: beacon has the strategy 'progressive'"):
        release_commands.check_weight(service, 5)
    release_commands.check_weight(service, None)
