"""The copy of a stack for a drill."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from commands.drill.temporary_stack import TemporaryStack, drill_sections
from settings import load
from settings.loader import validate
from tests.unit.stacks import BEACON, CANARY, DIGEST, changed, sections

SECURE = {"secure": "v1:nonce:ciphertext"}
GOOD = {"version": "1.0.0", "digest": DIGEST}


def copied(**changes: Any) -> dict[str, Any]:
    """Sections of the copy of the stack `live`, which are valid."""
    given = sections(**changes)
    service = validate("Pulumi.live.yaml", given).services["beacon"]
    result = drill_sections("live", given, service)
    validate("Pulumi.live-drill.yaml", result)
    return result


def test_no_namespace_and_no_host_is_that_of_the_stack() -> None:
    other = changed(BEACON, {"routing": {"hosts": ["shop.live.example.com", "beacon-2.localhost"]}})
    given = {"cluster": {"context": "live"}, "observability": {"mode": "bundled"}}
    copy = validate("Pulumi.live-drill.yaml", copied(services={"shop": other}, **given))
    live = validate("Pulumi.live.yaml", sections(services={"shop": other}, **given))
    assert not set(copy.namespaces.values()) & set(live.namespaces.values())
    hosts = [
        {host for one in stack.services.values() if one.routing for host in one.routing.hosts}
        for stack in (copy, live)
    ]
    assert not set.intersection(*hosts)
    assert copy.cluster == live.cluster


def test_the_receivers_of_alerts_are_not_notified_and_other_secrets_stay() -> None:
    copy = copied(
        observability={"mode": "bundled", "alerts": {"page": {"webhook": SECURE}}},
        secrets={"token": SECURE},
    )
    assert "alerts" not in copy["observability"]
    assert copy["services"]["beacon"]["secrets"] == {"token": SECURE}


def test_the_copy_has_no_tls_and_no_cert_manager() -> None:
    tls = {"mode": "selfSigned"}
    copy = validate(
        "Pulumi.live-drill.yaml",
        copied(routing={"tls": tls}, defaults={"routing": {"tls": tls}}),
    )
    assert copy.services["beacon"].tls_hosts == ()
    assert not copy.has_cert_manager


def test_external_secrets_of_the_copy_watches_only_its_namespace() -> None:
    stores = {"team": {"kubernetes": {"namespace": "databases"}}}
    given = copied(externalSecrets={"scope": "cluster", "reloader": True}, secretStores=stores)
    copy = validate("Pulumi.live-drill.yaml", given)
    assert copy.external_secrets.scope == "namespace"
    assert copy.external_secrets.reloader


def test_the_good_version_has_the_settings_of_stable_during_a_canary() -> None:
    kept = {**CANARY, "stable": {**CANARY["stable"], "settings": {"env": {"LEVEL": "old"}}}}
    service = copied(release=kept, env={"LEVEL": "new"}, args=["--new"])["services"]["beacon"]
    assert service["env"] == {"LEVEL": "old"}
    assert "args" not in service
    assert "canary" not in service["release"]


def test_the_image_and_the_progress_deadline_are_those_of_the_drill() -> None:
    service = copied(drill={"progressDeadlineSeconds": 30})["services"]["beacon"]
    assert service["image"]["repository"] == "slipway/beacon"
    assert service["workload"]["rollout"] == {"progressDeadlineSeconds": 30}


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TemporaryStack:
    """The copy of a stack with a salt, in another folder."""
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    config = {f"slipway:{name}": one for name, one in sections().items()}
    text = yaml.safe_dump({"encryptionsalt": "v1:salt", "config": config})
    (tmp_path / "Pulumi.live.yaml").write_text(text)
    service = load("live").services["beacon"]
    return TemporaryStack("live", service, "canary", {}, tmp_path / "log")


def test_a_fault_is_in_the_settings_of_the_canary_only(stack: TemporaryStack) -> None:
    settings = stack.good_settings()
    bad = {"version": "1.0.1-drill.errors", "digest": DIGEST, "weight": 10}
    release = {"stable": {**GOOD, "settings": settings}, "canary": bad}
    stack.write(release, {"env": {"FAIL": "1"}})
    service = load("live-drill").services["beacon"]
    assert service.of_track("canary").env == {"FAIL": "1"}
    assert service.of_track("stable").env == {}
    assert yaml.safe_load(stack.file.read_text())["encryptionsalt"] == "v1:salt"
