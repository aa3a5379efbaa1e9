"""Stack files as the commands leave them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands import stack_file
from commands.stack_file import ReleaseFile

SALT = "encryptionsalt: v1:abc=:v1:def\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    return tmp_path / "Pulumi.dev.yaml"


@pytest.mark.parametrize("salt", [SALT, SALT.replace(" ", "\n  ")], ids=["line", "folded"])
def test_the_salt_that_pulumi_writes_is_taken_back(file: Path, salt: str) -> None:
    file.write_text(f"# Mine.\nconfig:\n  slipway:namespace:\n    name: beacon\n{salt}")
    stack_file.remove_encryption_salt("dev")
    assert file.read_text() == "# Mine.\nconfig:\n  slipway:namespace:\n    name: beacon\n"


@pytest.mark.parametrize(
    "login",
    [
        "\n    password:\n      secure: v1:xyz",
        " {username: u, password: {secure: v1:xyz}}",
        '\n    - "secure": v1:xyz',
        " {cut: off",
    ],
    ids=["block", "flow", "list", "no YAML"],
)
def test_a_salt_that_a_secret_may_need_stays(file: Path, login: str) -> None:
    text = f"config:\n  slipway:registry:{login}\n{SALT}"
    file.write_text(text)
    stack_file.remove_encryption_salt("dev")
    assert file.read_text() == text


def test_a_salt_is_not_kept_for_the_word_of_a_comment(file: Path) -> None:
    file.write_text(f"config: {{}} # {{secure: nothing}}\n{SALT}")
    stack_file.remove_encryption_salt("dev")
    assert file.read_text() == "config: {} # {secure: nothing}\n"


def test_a_file_keeps_its_mode(file: Path) -> None:
    file.write_text(f"config: {{}}\n{SALT}")
    file.chmod(0o640)
    stack_file.remove_encryption_salt("dev")
    assert file.stat().st_mode & 0o777 == 0o640


COMMENTED = """\
config:
  slipway:services:
    other:
      release:
        stable:
          version: "3.0.0"
    beacon:
      release: # what runs
        strategy: canary
        # The version of all customers.
        stable: # never by hand
          version: "1.0.0" # as tested
        # The end of the release.

      # Who reaches it: ask the network team.
      routing:
        host: beacon.localhost
"""


@pytest.mark.parametrize(
    "text",
    [
        COMMENTED,
        COMMENTED.replace(
            '\n          version: "1.0.0" # as tested', ' {version: "1.0.0"}'
        ).replace("stable: # never by hand", "stable:"),
    ],
    ids=["block", "flow"],
)
def test_a_release_from_canary_to_promotion_changes_nothing_but_values(
    file: Path, text: str
) -> None:
    file.write_text(text)
    ReleaseFile("dev", "beacon").pin_stable("1.0.0", "sha256:a").start_canary(
        "1.1.0", 10, None
    ).save()
    ReleaseFile("dev", "beacon").start_canary("1.1.0", 50, "sha256:b").save()
    with_canary = file.read_text().splitlines()
    ReleaseFile("dev", "beacon").pin_stable("1.1.0", "sha256:b").end_canary().save()
    without = file.read_text()
    is_flow = "{" in text
    pinned = (
        text.replace('"1.0.0"}', '"1.1.0", digest: sha256:b}')
        if is_flow
        else text.replace('"1.0.0" # as tested', '"1.1.0" # as tested\n          digest: sha256:b')
    )
    assert without == pinned
    canary = ["canary:", "  version: 1.1.0", "  weight: 50", "  digest: sha256:b"]
    lines = [f"        {line}" for line in (*canary, "# The end of the release.")]
    at = with_canary.index(lines[0])
    assert with_canary[at : at + 5] == lines


def test_the_end_of_a_canary_leaves_the_comment_after_it(file: Path) -> None:
    file.write_text(
        COMMENTED.replace(
            "        # The end",
            "        canary:\n          version: 1.1.0\n          weight: 10 # percent\n"
            "        # The end",
        )
    )
    ReleaseFile("dev", "beacon").end_canary().save()
    assert file.read_text() == COMMENTED


def test_the_release_of_a_service_that_has_none_of_its_own_is_added(file: Path) -> None:
    text = "config:\n  slipway:services:\n    beacon:\n      source: app # here\n  # The end.\n"
    file.write_text(text)
    ReleaseFile("dev", "beacon").pin_stable("1.0.0", "sha256:a").save()
    release = (
        "      release:\n        stable:\n          version: 1.0.0\n          digest: sha256:a\n"
    )
    assert file.read_text() == text.replace("  # The end", f"{release}  # The end")


BASE = """\
config:
  slipway:defaults:
    config: {level: info}
  slipway:services:
    beacon:
      config: {message: Hello}
      release:
        strategy: canary
        stable:
          version: 1.0.0
          digest: sha256:a
        canary:
          version: 1.1.0
          weight: 5
"""
EXTENDED = """\
config:
  slipway:extends: prod
  slipway:cluster:
    context: east
  # The end.
"""


@pytest.mark.parametrize(
    ("change", "written"),
    [
        (lambda file: file.end_canary(), {"release": {"canary": None}}),
        (
            lambda file: file.set_weight(50),
            {"release": {"canary": {"version": "1.1.0", "weight": 50}}},
        ),
        (
            lambda file: file.pin_stable("2.0.0", None),
            {"release": {"stable": {"version": "2.0.0"}}},
        ),
        (lambda file: file.pin_stable("1.0.0", "sha256:a"), {}),
        (lambda file: file.set_value("config.level", "debug"), {"config": {"level": "debug"}}),
        (
            lambda file: file.restore_settings({"config": {"message": "Hello"}}),
            {"config": {"level": None}},
        ),
        (lambda file: file.restore_settings({"config": {"message": "Hello", "level": "info"}}), {}),
    ],
)
def test_a_file_that_extends_another_one_gets_the_differences_only(
    file: Path, change: Callable[[ReleaseFile], object], written: dict[str, Any]
) -> None:
    file.with_name("Pulumi.prod.yaml").write_text(BASE)
    file.write_text(EXTENDED)
    before = ReleaseFile("dev", "beacon")
    change(before)
    before.save()
    config = yaml.safe_load(file.read_text())["config"]
    assert config.get("slipway:services", {}) == ({"beacon": written} if written else {})
    assert file.read_text().endswith("  # The end.\n")
    assert file.with_name("Pulumi.prod.yaml").read_text() == BASE
    after = ReleaseFile("dev", "beacon")
    assert after.release == before.release


def test_a_change_of_an_own_value_preserves_the_file(file: Path) -> None:
    file.with_name("Pulumi.prod.yaml").write_text(BASE)
    release = "release:\n        stable: # ours\n          version: 1.0.0 # as tested\n"
    text = f"{EXTENDED}  slipway:services:\n    beacon:\n      {release}"
    file.write_text(text)
    ReleaseFile("dev", "beacon").pin_stable("1.2.0", None).save()
    assert file.read_text() == text.replace("1.0.0", "1.2.0")


def test_a_complete_file_has_the_sections_of_both_and_the_encryption_of_its_own(file: Path) -> None:
    file.with_name("Pulumi.prod.yaml").write_text(BASE)
    file.write_text(f"{EXTENDED}  aws:region: eu\n{SALT}")
    with stack_file.complete_file("dev") as complete:
        document = yaml.safe_load(complete.read_text())
    assert not complete.exists()
    own = {"slipway:cluster": {"context": "east"}, "aws:region": "eu"}
    base = yaml.safe_load(BASE)["config"]
    assert document == {"config": {**base, **own}, "encryptionsalt": "v1:abc=:v1:def"}
