"""Prerequisites that a command builds and starts on this machine."""

from typing import Any

import pytest

from commands import prerequisites
from commands.errors import BAD_INPUT, CommandError
from commands.prerequisites import Prerequisites
from local.detection import Machine
from local.layout import Layout
from local.node import Node
from settings import Settings, SettingsError
from tests.unit.stacks import DIGEST, settings

BARE_MACHINE = Machine(cluster=False, docker=False, pulumi=False, plugins=False)
USERS_CLUSTER = Machine(cluster=True, docker=True, pulumi=True, plugins=True)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Nothing can be started or pulled."""
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path))
    monkeypatch.setattr(prerequisites, "detect", lambda _: BARE_MACHINE)
    monkeypatch.setattr(prerequisites, "can_be_pulled", lambda _: False)
    return Layout(tmp_path)


@pytest.fixture
def started(monkeypatch):
    found: list[Machine] = []
    monkeypatch.setattr(Node, "up", lambda self, _: found.append(self.machine))
    return found


def bundled(*, grafana: bool = False, **changes: Any) -> Settings:
    observability = {"mode": "bundled", "grafana": {"enabled": grafana}}
    return settings(observability=observability, **changes)


def test_an_update_that_builds_a_version_starts_node_and_builder(started):
    Prerequisites(settings()).prepare(builds=True)
    assert started == [BARE_MACHINE]


@pytest.mark.parametrize(
    ("stack", "builds"),
    [
        (settings(), False),
        (settings(release={"stable": {"version": "1.0.0", "digest": DIGEST}}), True),
    ],
    ids=["preview", "every version is pinned"],
)
def test_no_builder_is_started_without_a_version_to_build(stack, builds, started):
    Prerequisites(stack).prepare(builds=builds)
    assert [has.needs_builder for has in started] == [False]


def test_a_version_that_is_not_in_the_stack_file_starts_the_builder(started):
    pinned = settings(release={"stable": {"version": "1.0.0", "digest": DIGEST}})
    Prerequisites(pinned).prepare(builds=True, another_version=True)
    assert [has.needs_builder for has in started] == [True]


def test_a_stack_with_a_context_starts_no_node(started):
    named = Prerequisites(settings(cluster={"context": "prod"}))
    named.prepare(builds=True)
    assert [has.needs_node for has in started] == [False]
    assert not named.has_own_node


@pytest.mark.parametrize(
    ("machine", "programs", "built"),
    [(BARE_MACHINE, [], ["sops"]), (BARE_MACHINE, ["sops"], []), (USERS_CLUSTER, [], [])],
)
def test_sops_is_built_for_a_stack_that_uses_it_on_a_bare_machine(
    machine, programs, built, monkeypatch, tmp_path
):
    found: list[str] = []
    monkeypatch.setattr(prerequisites, "detect", lambda _: machine)
    monkeypatch.setattr(Node, "build", lambda self, programs, _: found.extend(programs))
    (tmp_path / "bin").mkdir()
    for program in programs:
        (tmp_path / "bin" / program).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    secret = {"sops": {"file": "secrets.yaml", "key": "token"}}
    with pytest.raises(SettingsError, match=r"sops\.file"):
        Prerequisites(settings(secrets={"token": secret})).check_sops("dev")
    assert found == built
    Prerequisites(settings()).check_sops("dev")
    assert found == built


@pytest.mark.parametrize(("has", "is_own"), [(BARE_MACHINE, True), (USERS_CLUSTER, False)])
def test_without_a_context_the_own_node_is_used_unless_there_is_a_cluster(has, is_own, monkeypatch):
    monkeypatch.setattr(prerequisites, "detect", lambda _: has)
    assert Prerequisites(settings()).has_own_node is is_own


def test_grafana_without_an_image_is_refused_before_anything_is_started(started):
    with pytest.raises(CommandError) as refused:
        Prerequisites(bundled(grafana=True)).prepare(builds=True)
    assert refused.value.exit_code == BAD_INPUT
    assert "slipway:observability.grafana.enabled is true" in str(refused.value)
    assert started == []


@pytest.mark.parametrize("case", ["stored", "pulled", "user's cluster", "preview"])
def test_grafana_is_accepted_with_an_image_or_if_it_is_not_deployed(
    case, home, started, monkeypatch
):
    changes: dict[str, Any] = {}
    if case == "stored":
        image = prerequisites.Reference.parse(prerequisites.server_image("grafana"))
        stored = prerequisites.registry._digest_file(home, image.repository, image.tag)
        stored.parent.mkdir(parents=True)
        stored.write_text("sha256:0")
    elif case == "pulled":
        monkeypatch.setattr(prerequisites, "can_be_pulled", lambda _: True)
    elif case == "user's cluster":
        changes = {"cluster": {"context": "prod"}}
    Prerequisites(bundled(grafana=True, **changes)).prepare(builds=case != "preview")
    assert len(started) == 1


DOCKERFILE = """\
ARG VARIANT=slim
FROM --platform=$BUILDPLATFORM golang:1.26-alpine AS build
FROM build AS tested
FROM node:$VARIANT
FROM scratch AS files
from quay.io/tools/base@sha256:00
FROM org/tools
"""


@pytest.mark.parametrize("source", ["Dockerfile", None, "pinned", "user's Docker"])
def test_base_images_that_can_neither_be_pulled_nor_built_are_named(source, tmp_path, monkeypatch):
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Dockerfile").write_text(DOCKERFILE)
    changes: dict[str, Any] = {}
    if source is None:
        changes = {"image": {"build": {"dockerfile": None}}}
    elif source == "pinned":
        changes = {"release": {"stable": {"digest": DIGEST}}}
    elif source == "user's Docker":
        monkeypatch.setattr(prerequisites, "detect", lambda _: USERS_CLUSTER)
    messages = list(Prerequisites(settings(**changes)).unavailable_base_images())
    assert [message.partition(",")[0] for message in messages] == (
        [
            "app/Dockerfile needs docker.io/library/golang:1.26-alpine",
            "app/Dockerfile needs quay.io/tools/base:latest",
            "app/Dockerfile needs docker.io/org/tools:latest",
        ]
        if source == "Dockerfile"
        else []
    )
    for message in messages:
        assert "slipway:services.beacon.image.build.dockerfile: null" in message


@pytest.mark.parametrize(("missing", "lacks"), [(["loki"], True), ([], False)])
def test_a_bundled_stack_needs_the_missing_images(missing, lacks, monkeypatch):
    monkeypatch.setattr(Node, "missing_images", lambda _: missing)
    assert Prerequisites(bundled()).lacks_images() is lacks


def test_a_stack_without_servers_needs_no_images(monkeypatch):
    monkeypatch.setattr(Node, "missing_images", lambda _: pytest.fail("called"))
    assert not Prerequisites(settings()).lacks_images()


def test_the_machine_is_inspected_once(started, monkeypatch):
    inspected: list[Layout] = []
    monkeypatch.setattr(prerequisites, "detect", lambda at: inspected.append(at) or BARE_MACHINE)
    monkeypatch.setattr(Node, "missing_images", lambda _: [])
    monkeypatch.setattr(Node, "images", lambda *_: None)
    needed = Prerequisites(bundled())
    needed.prepare(builds=True)
    assert not needed.lacks_images()
    needed.build_images()
    assert len(inspected) == len(started) == 1
