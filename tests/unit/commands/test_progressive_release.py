"""Changes of the stack file by the commands of rolling and progressive releases."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from commands.errors import BAD_INPUT, CommandError
from tests.unit.commands.test_release import NEW, OLD, STACK_FILE, Checkout, FakeStack, runs

STARTED = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["progressive", "rolling"])
def strategy(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str) -> Checkout:
    made = Checkout(tmp_path, monkeypatch)
    text = STACK_FILE.replace("strategy: canary", f"strategy: {strategy}")
    text = text.replace("slo: null", "metrics: {}")
    made.file.write_text(f"{text}  slipway:observability: {{mode: bundled}}\n")
    made.running["stable"] = runs("1.0.0", OLD)
    return made


progressive = pytest.mark.parametrize("strategy", ["progressive"], indirect=True)


def stable(checkout: Checkout) -> dict[str, Any]:
    return checkout.written()["stable"]


def test_a_new_version_is_built_from_the_working_tree(checkout: Checkout) -> None:
    message = checkout.release().start("1.1.0", 10)
    assert "app/VERSION: 1.0.0 -> 1.1.0 (built from the working tree)" in message
    assert "beacon: stable 1.0.0 -> 1.1.0" in message
    assert checkout.version_file.read_text() == "1.1.0\n"
    assert stable(checkout) == {"version": "1.1.0"}


def test_a_published_version_is_pinned(checkout: Checkout) -> None:
    checkout.published["0.9.0"] = NEW
    checkout.release().start("0.9.0", 10)
    assert stable(checkout) == {"version": "0.9.0", "digest": NEW}
    assert checkout.version_file.read_text() == "1.0.0\n"


def test_a_version_that_the_stack_has_run_is_never_built_again(checkout: Checkout) -> None:
    checkout.version_file.write_text("1.1.0\n")
    checkout.history[:] = [{"stable": {"version": "1.1.0", "digest": NEW}}]
    checkout.release().start("1.1.0", 10)
    assert stable(checkout) == {"version": "1.1.0", "digest": NEW}


def test_a_release_that_is_in_the_file_already_is_started_again_unchanged(
    checkout: Checkout,
) -> None:
    checkout.release().start("1.1.0", 10)
    written = checkout.file.read_text()
    assert "as it is in the file already" in checkout.release().start("1.1.0", 10)
    assert checkout.file.read_text() == written


def test_an_older_version_that_is_not_published_is_refused_and_nothing_is_written(
    checkout: Checkout,
) -> None:
    before = checkout.file.read_text()
    with pytest.raises(CommandError, match=r"VERSION=0\.9\.0 is not published") as error:
        checkout.release().start("0.9.0", 10)
    assert error.value.exit_code == BAD_INPUT
    assert checkout.file.read_text() == before


@progressive
def test_a_paused_release_is_resumed_and_the_next_one_is_not_paused(checkout: Checkout) -> None:
    before = checkout.written()
    assert checkout.release().pause(True) == "Pulumi.dev.yaml: beacon: release paused"
    assert checkout.written()["progressive"] == {"paused": True}
    checkout.release().pause(False)
    assert checkout.written() == before
    checkout.release().pause(True)
    checkout.release().start("1.1.0", 10)
    assert "progressive" not in checkout.written()


@progressive
def test_a_promotion_skips_the_analysis_of_this_version_only(checkout: Checkout) -> None:
    checkout.release().start("1.1.0", 10)
    checkout.release().pause(True)
    checkout.release().skip_analysis()
    assert stable(checkout) == {"version": "1.1.0", "analysis": False}
    assert "progressive" not in checkout.written()
    assert checkout.release().skips_analysis
    checkout.release().end_skipped_analysis()
    assert stable(checkout) == {"version": "1.1.0"}


@progressive
def test_a_new_version_has_an_analysis_after_an_interrupted_promotion(checkout: Checkout) -> None:
    checkout.release().skip_analysis()
    checkout.release().start("1.1.0", 10)
    assert stable(checkout) == {"version": "1.1.0"}


def released(checkout: Checkout, version: str, message: str) -> None:
    """Release and deploy a version with a configuration."""
    if version != checkout.written()["stable"]["version"]:
        checkout.release().start(version, 10)
    checkout.edit(config={"message": message})
    checkout.deploy()


@progressive
@pytest.mark.parametrize("skips_analysis", [True, False], ids=["in progress", "ended"])
def test_the_version_that_serves_is_restored_with_its_settings(
    checkout: Checkout, skips_analysis: bool
) -> None:
    released(checkout, "1.0.0", "old")
    released(checkout, "1.1.0", "new")
    message = checkout.release().restore("1.0.0", OLD, STARTED, skips_analysis=skips_analysis)
    assert "beacon: stable 1.1.0 -> 1.0.0" in message
    assert "as released: config.message" in message
    # Flagger would analyze the other configuration.
    assert stable(checkout) == {"version": "1.0.0", "digest": OLD, "analysis": False}
    assert checkout.settings_in_file()[0]["config"] == {"message": "old"}


@progressive
def test_without_other_settings_flagger_has_nothing_to_analyze_after_its_rollback(
    checkout: Checkout,
) -> None:
    released(checkout, "1.0.0", "old")
    released(checkout, "1.1.0", "old")
    checkout.release().restore("1.0.0", OLD, STARTED, skips_analysis=False)
    assert stable(checkout) == {"version": "1.0.0", "digest": OLD}


@progressive
def test_a_configuration_that_failed_with_the_version_that_serves_is_not_restored(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deployed(message: str) -> dict[str, Any]:
        release = {"stable": {"version": "1.0.0"}}
        return {"services": {"beacon": {"config": {"message": message}, "release": release}}}

    history = [deployed("bad"), deployed("bad"), deployed("good"), deployed("older")]
    monkeypatch.setattr(FakeStack, "configurations", lambda *_: iter(history))
    checkout.edit(config={"message": "bad"})
    checkout.release().restore("1.0.0", OLD, STARTED, skips_analysis=False)
    assert checkout.settings_in_file()[0]["config"] == {"message": "good"}


def test_a_rollback_does_not_return_to_a_version_that_was_rolled_back(checkout: Checkout) -> None:
    checkout.history[:] = [
        {"stable": {"version": "1.0.0"}},
        {"stable": {"version": "0.9.0", "digest": NEW}},
        {"stable": {"version": "0.8.0", "digest": NEW}},
    ]
    checkout.release().rollback(rejected={"0.9.0"})
    assert stable(checkout)["version"] == "0.8.0"


def test_a_rollback_without_another_version_says_which_ones_do_not_count(
    checkout: Checkout,
) -> None:
    checkout.history[:] = [{"stable": {"version": "0.9.0", "digest": NEW}}]
    with pytest.raises(CommandError, match=r"that was not rolled back, except 1\.0\.0: set one"):
        checkout.release().rollback(rejected={"0.9.0"})


@progressive
def test_an_interrupted_rollback_is_completed_and_goes_no_further_back(
    checkout: Checkout,
) -> None:
    checkout.history[:] = [{"stable": {"version": "0.9.0", "digest": NEW}}]
    checkout.release().rollback()
    assert stable(checkout) == {"version": "0.9.0", "digest": NEW, "analysis": False}
    checkout.pending.clear()
    assert "as `make rollback` wrote it" in checkout.release().rollback()
