"""What the release commands write into a stack file, and what they refuse."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from commands import release as release_module
from commands import stack_file
from commands.errors import BAD_INPUT, CommandError
from commands.note import Note
from commands.release import Release

if TYPE_CHECKING:
    from commands.pulumi import Stack
    from settings import Settings

OLD = "sha256:" + "a" * 64
NEW = "sha256:" + "b" * 64

STACK_FILE = """\
# The development stack.
config:
  slipway:release: # what runs
    strategy: canary
    stable:
      version: 1.0.0
  slipway:namespace:
    name: "beacon" # quoted on purpose
"""


class FakeStack:
    """A stack of which a test says what it ran and runs."""

    name = "dev"

    def __init__(self, outputs: dict[str, Any], releases: list[dict[str, Any]]) -> None:
        self._outputs = outputs
        self._releases = releases

    def outputs(self) -> dict[str, Any]:
        return self._outputs

    def releases(self) -> list[dict[str, Any]]:
        return self._releases


class Bench:
    """A checkout with one stack file, a version file and a registry."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = folder / "Pulumi.dev.yaml"
        self.file.write_text(STACK_FILE)
        self.version_file = folder / "VERSION"
        self.version_file.write_text("1.0.0\n")
        self.published: dict[str, str] = {}
        self.running: dict[str, Any] = {}
        self.ran: list[dict[str, Any]] = []
        self.note = Note(folder / "moves" / "dev.json")
        monkeypatch.setattr(stack_file, "PROJECT", folder)
        monkeypatch.setattr(release_module, "VERSION_FILE", self.version_file)
        monkeypatch.setattr(
            release_module,
            "published_digest",
            lambda image, version, env: self.published.get(version),
        )

    def release(self) -> Release:
        """The release commands on what the stack file says now."""
        written = stack_file.StackFile("dev").release
        tracks = {
            track: SimpleNamespace(**{"digest": None, **written[track]})
            if track in written
            else None
            for track in ("stable", "canary")
        }
        settings = SimpleNamespace(
            image=SimpleNamespace(name="localhost:5000/slipway/beacon"),
            release=SimpleNamespace(strategy=written["strategy"], **tracks),
        )
        stack = FakeStack(self.running, self.ran)
        return Release(cast("Stack", stack), cast("Settings", settings), {}, self.note)

    def deploy(self) -> None:
        """What an update does that succeeds."""
        written = self.written()
        self.ran.insert(0, json.loads(json.dumps(written)))
        self.running = {
            track: runs(written[track]["version"], written[track].get("digest", OLD))
            for track in ("stable", "canary")
            if track in written
        }
        self.note.clear()

    def written(self) -> dict[str, Any]:
        return dict(stack_file.StackFile("dev").release)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def runs(version: str, digest: str) -> dict[str, str]:
    return {"version": version, "image": f"localhost:5000/slipway/beacon@{digest}"}


def test_a_canary_of_a_new_version_moves_the_version_file_and_pins_stable(bench: Bench) -> None:
    bench.running["stable"] = runs("1.0.0", OLD)
    bench.release().canary("1.1.0", 10)
    assert bench.version_file.read_text() == "1.1.0\n"
    assert bench.written()["stable"] == {"version": "1.0.0", "digest": OLD}
    assert bench.written()["canary"] == {"version": "1.1.0", "weight": 10}


def test_a_canary_of_a_published_version_is_pinned_and_never_rebuilt(bench: Bench) -> None:
    bench.running["stable"] = runs("1.0.0", OLD)
    bench.published["0.9.0"] = NEW
    bench.release().canary("0.9.0", 10)
    assert bench.version_file.read_text() == "1.0.0\n"
    assert bench.written()["canary"]["digest"] == NEW


def test_an_edit_keeps_comments_and_quotes(bench: Bench) -> None:
    bench.running["stable"] = runs("1.0.0", OLD)
    bench.release().canary("1.1.0", 10)
    text = bench.file.read_text()
    for kept in ("# The development stack.", "# what runs", '"beacon" # quoted on purpose'):
        assert kept in text


def test_promote_pins_the_image_that_the_canary_runs(bench: Bench) -> None:
    bench.running["stable"] = runs("1.0.0", OLD)
    bench.release().canary("1.1.0", 10)
    bench.running["canary"] = runs("1.1.0", NEW)
    bench.release().promote()
    assert bench.written()["stable"] == {"version": "1.1.0", "digest": NEW}
    assert "canary" not in bench.written()


def test_rollback_ends_a_canary_and_keeps_stable(bench: Bench) -> None:
    bench.running["stable"] = runs("1.0.0", OLD)
    bench.release().canary("1.1.0", 10)
    bench.release().rollback()
    assert bench.written()["stable"]["version"] == "1.0.0"
    assert "canary" not in bench.written()


def test_rollback_without_a_canary_returns_to_the_stable_version_before(bench: Bench) -> None:
    bench.ran[:] = [
        {"stable": {"version": "1.0.0"}},
        {"stable": {"version": "0.9.0", "digest": NEW}},
    ]
    bench.release().rollback()
    assert bench.written()["stable"] == {"version": "0.9.0", "digest": NEW}


@pytest.mark.parametrize(
    ("version", "weight", "says"),
    [
        ("1.1.0", 101, "WEIGHT=101 is out of bounds: use a percentage from 0 to 100"),
        ("1.1.0", -1, "WEIGHT=-1 is out of bounds"),
        ("", 10, "VERSION= is not a version"),
        ("1.1.0-x-", 10, "VERSION=1.1.0-x- is not a version"),
        (f"1.1.0-{'x' * 70}", 10, "is not a version"),
        ("1.1.0+build", 10, "VERSION=1.1.0+build is not a version"),
        ("latest", 10, "VERSION=latest is not a version"),
        ("1.0.0", 10, "VERSION=1.0.0 is what stable runs already"),
        ("0.1.0", 10, "VERSION=0.1.0 is not published"),
        ("1.0.0-rc.1", 10, "VERSION=1.0.0-rc.1 is not published"),
    ],
)
def test_a_canary_that_cannot_be_is_refused_and_nothing_is_written(
    bench: Bench, version: str, weight: int, says: str
) -> None:
    bench.running["stable"] = runs("1.0.0", OLD)
    with pytest.raises(CommandError, match=re.escape(says)) as refused:
        bench.release().canary(version, weight)
    assert refused.value.exit_code == BAD_INPUT
    assert bench.file.read_text() == STACK_FILE
    assert bench.version_file.read_text() == "1.0.0\n"


def test_a_canary_before_the_first_deployment_is_refused(bench: Bench) -> None:
    with pytest.raises(CommandError, match="run `make up` first"):
        bench.release().canary("1.1.0", 10)


def test_a_weighted_canary_needs_the_canary_strategy(bench: Bench) -> None:
    bench.file.write_text(STACK_FILE.replace("strategy: canary", "strategy: rolling"))
    with pytest.raises(CommandError, match="needs 'canary'"):
        bench.release().canary("1.1.0", 10)


def test_promote_without_a_canary_is_refused(bench: Bench) -> None:
    with pytest.raises(CommandError, match="no canary"):
        bench.release().promote()


def test_rollback_of_a_stack_that_ran_one_version_only_is_refused(bench: Bench) -> None:
    bench.ran[:] = [{"stable": {"version": "1.0.0"}}]
    with pytest.raises(CommandError, match="has never run another stable version"):
        bench.release().rollback()


def with_canary(bench: Bench) -> None:
    """Stable 1.1.0 after 1.0.0, and a canary 1.2.0, all of it deployed."""
    bench.file.write_text(
        STACK_FILE.replace("version: 1.0.0", f"version: 1.1.0\n      digest: {OLD}")
    )
    bench.ran[:] = [{"stable": {"version": "1.0.0", "digest": NEW}}]
    bench.deploy()
    bench.release().canary("1.2.0", 10)
    bench.deploy()


def test_a_rollback_that_was_cut_off_is_finished_and_not_made_twice(bench: Bench) -> None:
    with_canary(bench)
    assert "canary 1.2.0 ended" in bench.release().rollback()
    written = bench.file.read_text()
    told = bench.release().rollback()
    assert told.count("\n") == 0
    assert "stable 1.1.0, as the last rollback wrote" in told
    assert bench.file.read_text() == written
    bench.deploy()
    assert "1.1.0 -> 1.0.0" in bench.release().rollback()
    assert "stable 1.0.0, as the last rollback wrote" in bench.release().rollback()
    assert bench.written()["stable"]["version"] == "1.0.0"


def test_a_promotion_that_was_cut_off_is_finished(bench: Bench) -> None:
    with_canary(bench)
    bench.release().promote()
    written = bench.file.read_text()
    bench.release().check_promotion()
    assert "stable 1.2.0, as the last promotion wrote" in bench.release().promote()
    assert bench.file.read_text() == written
    bench.deploy()
    with pytest.raises(CommandError, match="no canary"):
        bench.release().promote()


def test_a_promotion_that_was_cut_off_can_be_rolled_back(bench: Bench) -> None:
    with_canary(bench)
    bench.release().promote()
    bench.release().rollback()
    assert bench.written()["stable"] == {"version": "1.1.0", "digest": OLD}


def test_a_rollback_of_a_canary_that_never_came_up_ends_it(bench: Bench) -> None:
    with_canary(bench)
    bench.release().rollback()
    bench.release().canary("1.3.0", 10)
    assert "canary 1.3.0 ended" in bench.release().rollback()
    assert bench.written()["stable"]["version"] == "1.1.0"
    bench.release().rollback()
    assert bench.written()["stable"]["version"] == "1.1.0"


def test_a_version_typed_into_the_file_is_rolled_back_to_what_ran(bench: Bench) -> None:
    with_canary(bench)
    bench.release().rollback()
    file = stack_file.StackFile("dev").pin_stable("1.4.0", NEW)
    file.save()
    bench.release().rollback()
    assert bench.written()["stable"] == {"version": "1.1.0", "digest": OLD}


def test_a_rollback_names_a_version_to_go_further_than_the_one_that_was_cut_off(
    bench: Bench,
) -> None:
    with_canary(bench)
    bench.release().rollback()
    bench.published["0.9.0"] = NEW
    bench.release().rollback("0.9.0")
    assert bench.written()["stable"]["version"] == "0.9.0"


def test_another_weight_keeps_the_image_that_the_canary_runs(bench: Bench) -> None:
    with_canary(bench)
    bench.running["canary"] = runs("1.2.0", NEW)
    bench.release().canary("1.2.0", 50)
    canary = {"version": "1.2.0", "weight": 50, "digest": NEW}
    assert bench.written()["canary"] == canary
    bench.release().canary("1.2.0", 60)
    assert bench.written()["canary"] == {**canary, "weight": 60}


def test_a_canary_that_never_came_up_is_built_again(bench: Bench) -> None:
    with_canary(bench)
    bench.release().canary("1.3.0", 10)
    bench.running["canary"] = runs("1.3.0", NEW)
    bench.release().canary("1.3.0", 10)
    assert bench.written()["canary"] == {"version": "1.3.0", "weight": 10}
