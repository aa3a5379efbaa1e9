"""Changes of the stack file by canary, promote and rollback."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from ruamel.yaml import YAML

from commands import release as release_module
from commands import stack_file
from commands.errors import BAD_INPUT, CommandError
from commands.pending_release import PendingRelease
from commands.registry import RegistryError
from commands.release import Release
from settings import TRACK_KEYS, ReleaseSettings, stable_settings
from settings.stack_config import read

if TYPE_CHECKING:
    from commands.pulumi import Stack
    from settings import Service

OLD = "sha256:" + "a" * 64
NEW = "sha256:" + "b" * 64

STACK_FILE = """\
# The development stack.
config:
  slipway:services:
    beacon:
      source: app
      release: # what runs
        strategy: canary
        stable:
          version: 1.0.0
      slo: null
      routing: {hosts: [beacon.localhost]}
  slipway:namespace:
    name: "beacon" # quoted on purpose
  slipway:registry:
    host: localhost:5000
"""


def runs(version: str, digest: str) -> dict[str, str]:
    return {"version": version, "image": f"localhost:5000/slipway/beacon@{digest}"}


class FakeStack:
    """A stack with these outputs and this history."""

    name = "dev"

    def __init__(
        self,
        outputs: dict[str, Any],
        releases: list[dict[str, Any]],
        settings: dict[str, dict[str, Any]],
        deployed: Path,
    ) -> None:
        self._outputs = outputs
        self._releases = releases
        self._settings = settings
        self._deployed = deployed

    def outputs(self) -> dict[str, Any]:
        return {"services": {"beacon": self._outputs}}

    def releases(self, service: str) -> list[dict[str, Any]]:
        assert service == "beacon"
        return self._releases

    def configurations(self, before: object = None) -> Iterator[dict[str, Any]]:
        # Only the newest update was started after any time.
        for release in self._releases[1:] if before else self._releases:
            settings = self._settings.get(release.get("stable", {}).get("version", ""), {})
            service = {**_decrypted(settings), "release": release}
            yield {"services": {"beacon": service}}

    @contextmanager
    def deployed_configuration(self) -> Iterator[Path | None]:
        yield self._deployed if self._deployed.is_file() else None


def _decrypted(value: Any) -> Any:
    if isinstance(value, dict):
        encrypted = "secure" in value
        return "hunter2" if encrypted else {key: _decrypted(one) for key, one in value.items()}
    return value


class Checkout:
    """Stack file, app/VERSION, registry, and the state of the stack."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = folder / "Pulumi.dev.yaml"
        self.file.write_text(STACK_FILE)
        self.version_file = folder / "app" / "VERSION"
        self.version_file.parent.mkdir()
        self.version_file.write_text("1.0.0\n")
        self.source: str | None = "app"
        self.published: dict[str, str | Exception] = {}
        self.in_cluster: dict[str, str] = {}
        self.running: dict[str, Any] = {}
        self.history: list[dict[str, Any]] = []
        self.settings: dict[str, dict[str, Any]] = {}
        """Settings of the service that each version of stable was last deployed with."""
        self.deployed = folder / "deployed" / "Pulumi.dev.yaml"
        self.pending = PendingRelease(folder / "pending.json")
        monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", folder)
        monkeypatch.setattr(release_module, "published_digest", self._published_digest)

    def _published_digest(self, _: str, version: str, __: object) -> str | None:
        found = self.published.get(version)
        if isinstance(found, Exception):
            raise found
        return found

    def release(self) -> Release:
        """The release as the stack file has it."""
        written = stack_file.ReleaseFile("dev", "beacon").release
        release = ReleaseSettings.model_validate(json.loads(json.dumps(written)))
        service = SimpleNamespace(name="beacon", source=self.source, release=release)
        stack = FakeStack(self.running, self.history, self.settings, self.deployed)
        return Release(
            cast("Stack", stack),
            cast("Service", service),
            "localhost:5000/slipway/beacon",
            {},
            self.pending,
            cluster_digests=lambda: self.in_cluster,
        )

    def deploy(self) -> None:
        """Deploy the stack file successfully."""
        written = self.written()
        self.settings[written["stable"]["version"]] = json.loads(
            json.dumps(stable_settings(read(self.file), "beacon"))
        )
        self.deployed.parent.mkdir(exist_ok=True)
        self.deployed.write_text(self.file.read_text())
        self.history.insert(0, json.loads(json.dumps(written)))
        self.running = {
            track: runs(written[key]["version"], written[key].get("digest", OLD))
            for key, track in (("stable", "stable"), ("canary", "canary"), ("idle", "canary"))
            if key in written
        }
        self.pending.clear()

    def written(self) -> dict[str, Any]:
        """The release in the stack file, without the settings of stable."""
        release = dict(stack_file.ReleaseFile("dev", "beacon").release)
        stable = {key: value for key, value in release["stable"].items() if key != "settings"}
        return {**release, "stable": stable}

    def edit(self, **settings: Any) -> None:
        """Set keys of the service."""
        yaml = YAML()
        document = yaml.load(self.file.read_text())
        document["config"]["slipway:services"]["beacon"].update(settings)
        with self.file.open("w") as out:
            yaml.dump(document, out)

    def settings_in_file(self) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """Settings of the service, and those of stable, in the stack file."""
        service = read(self.file)["services"]["beacon"]
        own = {key: value for key, value in service.items() if key in TRACK_KEYS}
        return own, service["release"]["stable"].get("settings")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    return Checkout(tmp_path, monkeypatch)


def test_a_canary_of_a_new_version_changes_app_version_and_pins_stable(checkout: Checkout) -> None:
    checkout.running["stable"] = runs("1.0.0", OLD)
    checkout.release().canary("1.1.0", 10)
    assert checkout.version_file.read_text() == "1.1.0\n"
    assert checkout.written()["stable"] == {"version": "1.0.0", "digest": OLD}
    assert checkout.written()["canary"] == {"version": "1.1.0", "weight": 10}


def test_a_canary_of_a_source_without_a_version_file_writes_none(checkout: Checkout) -> None:
    checkout.version_file.unlink()
    checkout.running["stable"] = runs("1.0.0", OLD)
    assert "app: 1.1.0 is built" in checkout.release().canary("1.1.0", 10)
    assert not checkout.version_file.exists()
    assert checkout.written()["canary"] == {"version": "1.1.0", "weight": 10}


def test_without_a_version_file_a_new_canary_is_newer_than_stable(checkout: Checkout) -> None:
    checkout.version_file.unlink()
    checkout.running["stable"] = runs("1.0.0", OLD)
    with pytest.raises(CommandError, match=r"stable is 1\.0\.0 already: use a published version"):
        checkout.release().canary("0.9.0", 10)


def test_without_a_source_a_canary_is_a_published_version(checkout: Checkout) -> None:
    checkout.source = None
    checkout.running["stable"] = runs("1.0.0", OLD)
    with pytest.raises(CommandError, match="beacon has no source to build it from"):
        checkout.release().canary("1.1.0", 10)
    checkout.published["1.1.0"] = NEW
    checkout.release().canary("1.1.0", 10)
    assert checkout.written()["canary"]["digest"] == NEW


def test_a_canary_of_a_published_version_is_pinned(checkout: Checkout) -> None:
    checkout.running["stable"] = runs("1.0.0", OLD)
    checkout.published["0.9.0"] = NEW
    checkout.release().canary("0.9.0", 10)
    assert checkout.version_file.read_text() == "1.0.0\n"
    assert checkout.written()["canary"]["digest"] == NEW


def test_comments_and_quotes_of_the_stack_file_are_kept(checkout: Checkout) -> None:
    checkout.running["stable"] = runs("1.0.0", OLD)
    checkout.release().canary("1.1.0", 10)
    text = checkout.file.read_text()
    for kept in ("# The development stack.", "# what runs", '"beacon" # quoted on purpose'):
        assert kept in text


def test_promote_pins_the_image_that_the_canary_runs(checkout: Checkout) -> None:
    checkout.running["stable"] = runs("1.0.0", OLD)
    checkout.release().canary("1.1.0", 10)
    checkout.running["canary"] = runs("1.1.0", NEW)
    checkout.release().promote()
    assert checkout.written()["stable"] == {"version": "1.1.0", "digest": NEW}
    assert "canary" not in checkout.written()


def test_rollback_ends_a_canary_and_keeps_stable(checkout: Checkout) -> None:
    checkout.running["stable"] = runs("1.0.0", OLD)
    checkout.release().canary("1.1.0", 10)
    checkout.release().rollback()
    assert checkout.written()["stable"]["version"] == "1.0.0"
    assert "canary" not in checkout.written()


def test_rollback_without_a_canary_sets_the_previous_version(
    checkout: Checkout,
) -> None:
    checkout.history[:] = [
        {"stable": {"version": "1.0.0"}},
        {"stable": {"version": "0.9.0", "digest": NEW}},
    ]
    checkout.release().rollback()
    assert checkout.written()["stable"] == {"version": "0.9.0", "digest": NEW}


def test_the_job_before_a_version_does_not_run_for_a_rollback_and_for_no_later_change(
    checkout: Checkout,
) -> None:
    job = "        strategy: canary\n        beforeStart: {args: [migrate]}\n"
    checkout.file.write_text(STACK_FILE.replace("        strategy: canary\n", job))
    checkout.history[:] = [{"stable": {"version": "0.9.0", "digest": NEW}}]
    checkout.release().rollback()
    rolled_back = {"version": "0.9.0", "digest": NEW, "beforeStart": False}
    assert checkout.written()["stable"] == rolled_back
    checkout.deploy()
    checkout.release().canary("1.1.0", 10)
    assert checkout.written()["stable"] == rolled_back
    assert "beforeStart" not in checkout.written()["canary"]
    checkout.deploy()
    checkout.release().promote()
    assert "beforeStart" not in checkout.written()["stable"]


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("", "VERSION= is not a version"),
        ("1.1.0-x-", "VERSION=1.1.0-x- is not a version"),
        (f"1.1.0-{'x' * 70}", "is not a version"),
        ("1.1.0+build", "VERSION=1.1.0+build is not a version"),
        ("latest", "VERSION=latest is not a version"),
        ("1.0.0", "VERSION=1.0.0 is the stable version already"),
        ("0.1.0", "VERSION=0.1.0 is not published"),
        ("1.0.0-rc.1", "VERSION=1.0.0-rc.1 is not published"),
    ],
)
def test_an_invalid_canary_is_refused_and_nothing_is_written(
    checkout: Checkout, version: str, message: str
) -> None:
    checkout.running["stable"] = runs("1.0.0", OLD)
    with pytest.raises(CommandError, match=re.escape(message)) as error:
        checkout.release().canary(version, 10)
    assert error.value.exit_code == BAD_INPUT
    assert checkout.file.read_text() == STACK_FILE
    assert checkout.version_file.read_text() == "1.0.0\n"


def test_a_canary_before_the_first_deployment_is_refused(checkout: Checkout) -> None:
    with pytest.raises(CommandError, match="run `make up` first"):
        checkout.release().canary("1.1.0", 10)


def test_a_weighted_canary_needs_the_canary_strategy(checkout: Checkout) -> None:
    checkout.file.write_text(STACK_FILE.replace("strategy: canary", "strategy: rolling"))
    with pytest.raises(CommandError, match="needs 'canary'"):
        checkout.release().canary("1.1.0", 10)


def test_promote_without_a_canary_is_refused(checkout: Checkout) -> None:
    with pytest.raises(CommandError, match="no canary"):
        checkout.release().promote()


def test_rollback_without_a_previous_version_is_refused(checkout: Checkout) -> None:
    checkout.history[:] = [{"stable": {"version": "1.0.0"}}]
    with pytest.raises(CommandError, match="has never run another stable version"):
        checkout.release().rollback()


THIRD = "sha256:" + "c" * 64


@pytest.mark.parametrize(
    "known",
    [
        {"history": [{"stable": {"version": "0.9.0", "digest": NEW}}]},
        {"history": [{"stable": {"version": "0.9.0"}, "canary": None}], "in_cluster": NEW},
        {"history": [{"canary": {"version": "0.9.0", "digest": NEW}, "stable": {}}]},
        {"running": {"canary": runs("0.9.0", NEW)}},
        {"in_cluster": NEW},
    ],
    ids=["history", "history without a digest", "canary", "state", "cluster"],
)
@pytest.mark.parametrize(
    "published",
    [NEW, None, RegistryError("no such host"), THIRD],
    ids=["same", "none", "unreachable", "moved"],
)
def test_a_rollback_deploys_the_known_digest_and_never_that_of_a_moved_tag(
    checkout: Checkout, known: dict[str, Any], published: Any
) -> None:
    checkout.history[:] = known.get("history", [])
    checkout.running.update(known.get("running", {}))
    checkout.in_cluster = {"0.9.0": known["in_cluster"]} if "in_cluster" in known else {}
    checkout.published["0.9.0"] = published
    if published == THIRD:
        with pytest.raises(CommandError, match=f"is {THIRD} in the registry, and {NEW} in dev"):
            checkout.release().rollback("0.9.0")
        assert checkout.file.read_text() == STACK_FILE
    else:
        checkout.release().rollback("0.9.0")
        assert checkout.written()["stable"] == {"version": "0.9.0", "digest": NEW}


def test_a_rollback_to_the_previous_version_ignores_a_moved_tag(checkout: Checkout) -> None:
    checkout.history[:] = [{"stable": {"version": "0.9.0", "digest": NEW}}]
    checkout.published["0.9.0"] = THIRD
    with pytest.raises(CommandError, match="another image was pushed with this tag"):
        checkout.release().rollback()


def test_a_rollback_to_a_version_that_was_never_deployed_is_refused(checkout: Checkout) -> None:
    checkout.published["0.9.0"] = NEW
    with pytest.raises(CommandError, match=r"beacon 0\.9\.0 was never deployed to dev"):
        checkout.release().rollback("0.9.0")
    assert checkout.file.read_text() == STACK_FILE


def test_a_canary_of_a_version_whose_tag_was_moved_is_refused(checkout: Checkout) -> None:
    checkout.running["stable"] = runs("1.0.0", OLD)
    checkout.history[:] = [{"stable": {"version": "0.9.0", "digest": NEW}}]
    checkout.published["0.9.0"] = THIRD
    with pytest.raises(CommandError, match=f"is {THIRD} in the registry, and {NEW} in dev"):
        checkout.release().canary("0.9.0", 10)


@pytest.mark.parametrize("command", ["canary", "promote"])
def test_a_digest_is_not_looked_up_for_a_version_that_should_run(
    checkout: Checkout, command: str
) -> None:
    if command == "promote":
        with_canary(checkout)
        checkout.running.pop("canary")
        checkout.published["1.2.0"] = THIRD
        with pytest.raises(CommandError, match=r"canary 1\.2\.0 of beacon is not deployed yet"):
            checkout.release().promote()
    else:
        checkout.published["1.0.0"] = THIRD
        with pytest.raises(CommandError, match=r"stable 1\.0\.0 is not deployed yet"):
            checkout.release().canary("1.1.0", 10)


def with_canary(checkout: Checkout) -> None:
    """Deploy stable 1.0.0, then stable 1.1.0, then a canary 1.2.0."""
    checkout.file.write_text(
        STACK_FILE.replace("version: 1.0.0", f"version: 1.1.0\n          digest: {OLD}")
    )
    checkout.history[:] = [{"stable": {"version": "1.0.0", "digest": NEW}}]
    checkout.deploy()
    checkout.release().canary("1.2.0", 10)
    checkout.deploy()


def test_an_interrupted_rollback_is_repeated_without_a_second_change(checkout: Checkout) -> None:
    with_canary(checkout)
    assert "canary 1.2.0 ended" in checkout.release().rollback()
    written = checkout.file.read_text()
    message = checkout.release().rollback()
    assert message.count("\n") == 0
    assert "stable 1.1.0, as `make rollback` wrote it" in message
    assert checkout.file.read_text() == written
    checkout.deploy()
    assert "1.1.0 -> 1.0.0" in checkout.release().rollback()
    assert "stable 1.0.0, as `make rollback` wrote it" in checkout.release().rollback()
    assert checkout.written()["stable"]["version"] == "1.0.0"


def test_an_interrupted_promotion_is_repeated_without_a_second_change(checkout: Checkout) -> None:
    with_canary(checkout)
    checkout.release().promote()
    written = checkout.file.read_text()
    checkout.release().check_promotion()
    assert "stable 1.2.0, as the interrupted promotion wrote it" in checkout.release().promote()
    assert checkout.file.read_text() == written
    checkout.deploy()
    with pytest.raises(CommandError, match="no canary"):
        checkout.release().promote()


def test_an_interrupted_promotion_can_be_rolled_back(checkout: Checkout) -> None:
    with_canary(checkout)
    checkout.release().promote()
    checkout.release().rollback()
    assert checkout.written()["stable"] == {"version": "1.1.0", "digest": OLD}


def test_a_rollback_ends_a_canary_that_was_never_deployed(checkout: Checkout) -> None:
    with_canary(checkout)
    checkout.release().rollback()
    checkout.release().canary("1.3.0", 10)
    assert "canary 1.3.0 ended" in checkout.release().rollback()
    assert checkout.written()["stable"]["version"] == "1.1.0"
    checkout.release().rollback()
    assert checkout.written()["stable"]["version"] == "1.1.0"


def test_a_manually_edited_version_is_rolled_back_to_the_deployed_one(checkout: Checkout) -> None:
    with_canary(checkout)
    checkout.release().rollback()
    file = stack_file.ReleaseFile("dev", "beacon").pin_stable("1.4.0", NEW)
    file.save()
    checkout.release().rollback()
    assert checkout.written()["stable"] == {"version": "1.1.0", "digest": OLD}


def test_a_rollback_with_a_version_goes_further_than_an_interrupted_one(
    checkout: Checkout,
) -> None:
    with_canary(checkout)
    checkout.release().rollback()
    checkout.history.append({"stable": {"version": "0.9.0", "digest": NEW}})
    checkout.release().rollback("0.9.0")
    assert checkout.written()["stable"]["version"] == "0.9.0"


def test_another_weight_keeps_the_digest_of_the_canary(checkout: Checkout) -> None:
    with_canary(checkout)
    checkout.running["canary"] = runs("1.2.0", NEW)
    checkout.release().canary("1.2.0", 50)
    canary = {"version": "1.2.0", "weight": 50, "digest": NEW}
    assert checkout.written()["canary"] == canary
    checkout.release().canary("1.2.0", 60)
    assert checkout.written()["canary"] == {**canary, "weight": 60}


def test_a_canary_that_was_never_deployed_is_built_again(checkout: Checkout) -> None:
    with_canary(checkout)
    checkout.release().canary("1.3.0", 10)
    checkout.running["canary"] = runs("1.3.0", NEW)
    checkout.release().canary("1.3.0", 10)
    assert checkout.written()["canary"] == {"version": "1.3.0", "weight": 10}


DEPLOYED = {
    "config": {"message": "old", "level": "info"},
    "env": {"MODE": "a", "KEY": {"secret": {"secure": "v1:old"}}},
    "workload": {"replicas": 2},
}
EDITED = {
    "config": {"message": "new", "more": True},
    "env": {"MODE": "b", "KEY": {"secret": {"secure": "v1:new"}}},
    "workload": {"replicas": 4},
    "args": ["--fast"],
}


@pytest.fixture
def edited(checkout: Checkout) -> Checkout:
    """Stable 1.0.0 is deployed; the settings of the service have changed since."""
    checkout.edit(**DEPLOYED)
    checkout.deploy()
    checkout.edit(**EDITED)
    return checkout


def test_stable_keeps_the_settings_that_it_was_deployed_with_during_a_canary(
    edited: Checkout,
) -> None:
    edited.release().canary("1.1.0", 10)
    assert edited.settings_in_file() == (EDITED, DEPLOYED)
    edited.deploy()
    later = {**EDITED, "args": ["--faster"]}
    edited.edit(**later)
    edited.release().canary("1.1.0", 50)
    assert edited.settings_in_file() == (later, DEPLOYED)


def test_a_promotion_gives_stable_the_settings_of_the_canary(edited: Checkout) -> None:
    edited.release().canary("1.1.0", 10)
    edited.deploy()
    edited.release().promote()
    assert edited.settings_in_file() == (EDITED, None)


def test_a_rollback_of_a_canary_restores_the_settings_and_names_them(edited: Checkout) -> None:
    edited.release().canary("1.1.0", 10)
    edited.deploy()
    message = edited.release().rollback()
    assert edited.settings_in_file() == (DEPLOYED, None)
    restored = set(message.rpartition(": as released: ")[2].split(", "))
    changed = {"args", "config.message", "config.more", "config.level", "workload.replicas"}
    assert restored == changed | {"env.MODE", "env.KEY.secret"}


def test_a_rollback_without_a_canary_restores_the_settings_of_the_previous_version(
    edited: Checkout,
) -> None:
    edited.edit(release={"strategy": "canary", "stable": {"version": "1.1.0", "digest": NEW}})
    edited.deploy()
    edited.running["stable"] = runs("1.1.0", NEW)
    edited.in_cluster["1.0.0"] = OLD
    edited.release().rollback()
    settings, _ = edited.settings_in_file()
    # The history has no encrypted values: that of the stack file stays.
    kept = {**DEPLOYED, "env": {"MODE": "a", "KEY": {"secret": {"secure": "v1:new"}}}}
    assert settings == kept
    assert "hunter2" not in edited.file.read_text()


def test_a_secret_that_the_stack_file_has_no_longer_is_not_restored(
    edited: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    edited.edit(
        release={"strategy": "canary", "stable": {"version": "1.1.0", "digest": NEW}},
        env={"MODE": "b"},
    )
    edited.deploy()
    edited.in_cluster["1.0.0"] = OLD
    edited.release().rollback()
    assert edited.settings_in_file()[0]["env"] == {"MODE": "a"}
    assert "hunter2" not in edited.file.read_text()
    assert "--secret --path slipway:services.beacon.env.KEY.secret" in capsys.readouterr().out


def test_a_key_is_set_for_all_tracks_at_once(edited: Checkout) -> None:
    edited.release().canary("1.1.0", 10)
    message = edited.release().set_value("config.level", "debug")
    assert message == "Pulumi.dev.yaml: beacon: config.level: none -> debug, for stable and canary"
    service, stable = edited.settings_in_file()
    assert stable is not None
    assert service["config"]["level"] == stable["config"]["level"] == "debug"
    edited.release().set_value("workload.rollout.maxSurge", "25%")
    _, stable = edited.settings_in_file()
    assert stable is not None
    assert stable["workload"] == {"replicas": 2, "rollout": {"maxSurge": "25%"}}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("workload.replicas", "many", "workload.replicas is"),
        ("config.[", "{", "is not a YAML value"),
        ("release.stable.version", "2.0.0", "KEY=release.stable.version VALUE=2.0.0: use a key"),
        ("config.level", "", "KEY=config.level VALUE=: use a key"),
    ],
)
def test_a_wrong_value_is_refused_and_nothing_is_written(
    edited: Checkout, key: str, value: str, message: str
) -> None:
    before = edited.file.read_text()
    with pytest.raises(CommandError, match=re.escape(message)):
        edited.release().set_value(key, value)
    assert edited.file.read_text() == before


def test_a_version_whose_settings_are_not_known_gets_those_that_are_deployed(
    edited: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    edited.in_cluster["0.9.0"] = NEW
    edited.release().rollback("0.9.0")
    assert edited.settings_in_file() == (DEPLOYED, None)
    assert "the settings of 0.9.0 are not known" in capsys.readouterr().out


@pytest.fixture
def blue_green(checkout: Checkout) -> Checkout:
    """Version 1.0.0 is live, and 1.1.0 is deployed to the idle color with another message."""
    text = checkout.file.read_text().replace("strategy: canary", "strategy: blueGreen")
    checkout.file.write_text(text)
    checkout.edit(config={"message": "old"})
    checkout.deploy()
    checkout.edit(config={"message": "new"})
    checkout.release().start_idle("1.1.0")
    checkout.deploy()
    return checkout


def colors(checkout: Checkout) -> tuple[str, str, str]:
    """Version of stable, the live color, and the version of the idle one."""
    written = checkout.written()
    live = written.get("blueGreen", {}).get("live", "blue")
    return written["stable"]["version"], live, written.get("idle", {}).get("version", "")


def messages(checkout: Checkout) -> tuple[str, str]:
    """Messages in the settings of stable and of the idle color."""
    service = read(checkout.file)["services"]["beacon"]
    found = (service["release"][key].get("settings", service) for key in ("stable", "idle"))
    stable, idle = (one["config"]["message"] for one in found)
    return stable, idle


def test_a_release_deploys_the_version_to_the_idle_color_only(blue_green: Checkout) -> None:
    assert colors(blue_green) == ("1.0.0", "blue", "1.1.0")
    assert messages(blue_green) == ("old", "new")
    assert blue_green.version_file.read_text() == "1.1.0\n"
    message = blue_green.release().start_idle("1.1.0")
    assert message.endswith("1.0.0 is live (blue), 1.1.0 is idle (green)")


def test_a_promotion_and_a_rollback_swap_the_colors_with_their_settings(
    blue_green: Checkout,
) -> None:
    message = blue_green.release().promote()
    assert message.endswith("beacon: 1.0.0 -> 1.1.0 is live (blue -> green)")
    assert colors(blue_green) == ("1.1.0", "green", "1.0.0")
    assert messages(blue_green) == ("new", "old")
    blue_green.deploy()
    promoted = blue_green.written()
    assert "1.0.0 -> 1.1.0" not in blue_green.release().rollback()
    assert colors(blue_green) == ("1.0.0", "blue", "1.1.0")
    assert messages(blue_green) == ("old", "new")
    blue_green.deploy()
    blue_green.release().promote()
    assert blue_green.written() == promoted


@pytest.mark.parametrize("command", ["promote", "rollback"])
def test_an_interrupted_switch_is_not_undone_by_the_same_command(
    command: str, blue_green: Checkout
) -> None:
    if command == "rollback":
        blue_green.release().promote()
        blue_green.deploy()
    getattr(blue_green.release(), command)()
    written = blue_green.written()
    assert "wrote it" in getattr(blue_green.release(), command)()
    assert blue_green.written() == written


def test_a_promoted_version_cannot_be_promoted_back_to_the_previous_one(
    blue_green: Checkout,
) -> None:
    blue_green.release().promote()
    blue_green.deploy()
    with pytest.raises(
        CommandError, match=r"1\.1\.0 is promoted already.*`make rollback` switches"
    ):
        blue_green.release().promote()


def test_a_rollback_before_a_promotion_ends_the_idle_version_and_restores_the_settings(
    blue_green: Checkout,
) -> None:
    assert "idle 1.1.0 ended" in blue_green.release().rollback()
    assert colors(blue_green) == ("1.0.0", "blue", "")
    own, stable = blue_green.settings_in_file()
    assert (own["config"], stable) == ({"message": "old"}, None)


def test_a_rollback_to_an_earlier_version_replaces_the_live_one(blue_green: Checkout) -> None:
    blue_green.release().promote()
    blue_green.deploy()
    blue_green.running = {}
    blue_green.history.append({"stable": {"version": "0.9.0", "digest": NEW}})
    blue_green.release().rollback("0.9.0")
    assert colors(blue_green) == ("0.9.0", "green", "")


def test_a_value_is_set_in_both_colors(blue_green: Checkout) -> None:
    for switch in (False, True):
        if switch:
            blue_green.release().promote()
            blue_green.deploy()
        message = f"set {switch}"
        printed = blue_green.release().set_value("config.message", message)
        assert printed.endswith("for both colors")
        assert messages(blue_green) == (message, message)


@pytest.mark.parametrize(
    ("strategy", "version", "error"),
    [
        ("canary", "1.1.0", "strategy is 'canary' in Pulumi.dev.yaml: an idle color needs 'blueG"),
        ("blueGreen", "1.0.0", "VERSION=1.0.0 is the live version already: use another one"),
        ("blueGreen", "next", "VERSION=next is not a version"),
    ],
)
def test_a_version_that_the_idle_color_cannot_have_is_refused(
    strategy: str, version: str, error: str, checkout: Checkout
) -> None:
    text = checkout.file.read_text().replace("strategy: canary", f"strategy: {strategy}")
    checkout.file.write_text(text)
    with pytest.raises(CommandError, match=re.escape(error)):
        checkout.release().start_idle(version)
    assert checkout.file.read_text() == text
