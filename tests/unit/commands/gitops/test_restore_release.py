"""The stack file of GitOps after a rollback by Flagger."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands.errors import BAD_INPUT
from commands.gitops.restore_release import main
from commands.prerequisites import Prerequisites
from tests.unit.commands.canary_states import NAME, canary, deployment
from tests.unit.commands.fake_kubectl import Cluster
from tests.unit.stacks import DIGEST, HELLO, OTHER_DIGEST, sections

GOOD = {"version": "1.0.0", "digest": DIGEST}
BAD = {"version": "1.1.0", "digest": OTHER_DIGEST}
EARLIER, LATER = "2026-01-01T00:00:00Z", "2100-01-01T00:00:00Z"
"""Times before and after all commits."""
DELIVERY = {"mode": "gitops", "repository": "https://git.example.com/shop.git", "path": "shop"}


@dataclass
class Checkout:
    """A Git repository with the file of a stack, and a cluster with its Canary."""

    folder: Path
    cluster: Cluster

    @property
    def file(self) -> Path:
        return self.folder / "Pulumi.test.yaml"

    @property
    def service(self) -> dict[str, Any]:
        """The service in the file."""
        return yaml.safe_load(self.file.read_text())["config"]["slipway:services"]["beacon"]

    def git(self, *arguments: str) -> None:
        """Run git in the repository."""
        subprocess.run(["git", *arguments], cwd=self.folder, check=True, capture_output=True)

    def commit(self, stable: dict[str, str], message: str = "", mode: str = "gitops") -> None:
        """Commit a stack file."""
        stack = sections(
            source=HELLO,
            release={"strategy": "progressive", "stable": stable},
            observability={"mode": "bundled", "grafana": {"enabled": False}},
            env={"MESSAGE": message} if message else {},
            delivery={**DELIVERY, "mode": mode},
        )
        document = {"config": {f"slipway:{key}": one for key, one in stack.items()}}
        self.file.write_text(yaml.safe_dump(document))
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "A state")

    def deploy(
        self,
        phase: str,
        new: dict[str, str],
        served: dict[str, str],
        message: str = "",
        since: str = LATER,
    ) -> None:
        """Set the state of the release in the cluster."""
        primary = f"{NAME}-primary"
        items = [
            canary(phase, since=since),
            deployment(new["version"], digest=new["digest"], env=message),
            deployment(served["version"], digest=served["digest"], name=primary, config=primary),
            {"kind": "ConfigMap", "metadata": {"name": NAME}, "data": {}},
            {"kind": "ConfigMap", "metadata": {"name": primary}, "data": {}},
        ]
        self.cluster.kubectl_prints(f"canaries.flagger.app/{NAME}", json.dumps({"items": items}))

    def restore(self) -> int:
        """Run `make restore-release`; return its exit code."""
        return main([f"--stack={self.file}", f"--out={self.folder / 'out.md'}"])


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    folder = tmp_path / "checkout"
    folder.mkdir()
    made = Checkout(folder, Cluster(tmp_path))
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setattr(Prerequisites, "variables", lambda _: {"PATH": path})
    made.git("init", "--quiet")
    made.git("config", "user.name", "test")
    made.git("config", "user.email", "test@example.com")
    return made


def test_the_file_goes_back_to_the_version_that_serves_with_its_settings(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    checkout.commit(GOOD, "first")
    checkout.commit(BAD, "second")
    checkout.deploy("Failed", BAD, GOOD)
    assert checkout.restore() == 0
    assert checkout.service["release"]["stable"] == GOOD
    assert checkout.service["env"] == {"MESSAGE": "first"}
    printed = capsys.readouterr().out
    assert "beacon: stable 1.1.0 -> 1.0.0. it is Failed" in printed
    assert "as released: env.MESSAGE" in printed
    assert (checkout.folder / "out.md").read_text() == printed


def test_a_configuration_that_was_rolled_back_is_restored(checkout: Checkout) -> None:
    checkout.commit(GOOD, "first")
    checkout.commit(GOOD, "second")
    checkout.deploy("Failed", GOOD, GOOD, message="second")
    assert checkout.restore() == 0
    assert checkout.service["env"] == {"MESSAGE": "first"}


@pytest.mark.parametrize(
    ("phase", "new", "served", "since"),
    [
        ("Succeeded", BAD, BAD, LATER),
        ("Progressing", BAD, GOOD, LATER),
        # Git has a newer version, or newer settings, which are not synced yet.
        ("Failed", {**BAD, "version": "1.0.5"}, GOOD, LATER),
        ("Failed", BAD, GOOD, EARLIER),
    ],
)
def test_a_release_that_was_not_rolled_back_stays(
    checkout: Checkout,
    capsys: pytest.CaptureFixture[str],
    *,
    phase: str,
    new: dict[str, str],
    served: dict[str, str],
    since: str,
) -> None:
    checkout.commit(GOOD)
    checkout.commit(BAD)
    checkout.deploy(phase, new, served, since=since)
    before = checkout.file.read_text()
    assert checkout.restore() == 0
    assert capsys.readouterr().out == "Flagger has rolled back no release\n"
    assert checkout.file.read_text() == before
    assert not (checkout.folder / "out.md").exists()


def test_settings_without_a_commit_stay(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    checkout.commit(BAD, "second")
    checkout.deploy("Failed", BAD, GOOD)
    assert checkout.restore() == 0
    assert checkout.service["release"]["stable"] == GOOD
    assert checkout.service["env"] == {"MESSAGE": "second"}
    assert "no commit has the settings of 1.0.0" in capsys.readouterr().out


def test_keys_that_the_good_release_did_not_have_are_removed(checkout: Checkout) -> None:
    checkout.commit(GOOD)
    checkout.commit(BAD, "second")
    checkout.deploy("Failed", BAD, GOOD)
    assert checkout.restore() == 0
    assert not checkout.service.get("env")


def test_changes_that_are_not_committed_are_refused(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    checkout.commit(GOOD, "first")
    checkout.commit(GOOD, "second")
    checkout.deploy("Failed", GOOD, GOOD, message="second")
    assert checkout.restore() == 0
    restored = checkout.file.read_text()
    assert checkout.restore() == BAD_INPUT
    assert "beacon has changes that are not committed" in capsys.readouterr().err
    assert checkout.file.read_text() == restored


def test_a_stack_of_pulumi_is_refused(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    checkout.commit(BAD, mode="pulumi")
    assert checkout.restore() == BAD_INPUT
    assert 'slipway:delivery.mode is "pulumi"' in capsys.readouterr().err
