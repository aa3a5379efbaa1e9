"""What an update needs on this machine, and in which order it gets it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from commands import __main__ as commands
from commands import ground
from commands.__main__ import Run
from commands.errors import BAD_INPUT, CommandError
from commands.ground import Ground
from local.detection import Machine
from local.layout import Layout
from local.node import Node
from settings import Settings
from tests.unit.stacks import DIGEST, settings

if TYPE_CHECKING:
    from commands.pulumi import Stack

HERE = Machine(cluster=False, docker=False, pulumi=False, plugins=False)
THEIRS = Machine(cluster=True, docker=True, pulumi=True, plugins=True)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Nothing is started, pulled or asked for."""
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path))
    monkeypatch.setattr(ground, "detect", lambda _: HERE)
    monkeypatch.setattr(ground, "can_be_pulled", lambda _: False)
    return Layout(tmp_path)


@pytest.fixture
def started(monkeypatch):
    found: list[Machine] = []
    monkeypatch.setattr(Node, "up", lambda self, _: found.append(self.machine))
    return found


def bundled(*, grafana: bool = False, **changes: Any) -> Settings:
    observability = {"mode": "bundled", "grafana": {"enabled": grafana}}
    return settings(observability=observability, **changes)


def test_an_update_of_a_version_to_be_built_starts_node_and_builder(started):
    Ground(settings()).prepare(builds=True)
    assert started == [HERE]


@pytest.mark.parametrize(
    ("stack", "builds"),
    [
        (settings(), False),
        (settings(release={"stable": {"version": "1.0.0", "digest": DIGEST}}), True),
    ],
    ids=["preview", "every version is pinned"],
)
def test_without_a_version_to_build_no_builder_is_started(stack, builds, started):
    Ground(stack).prepare(builds=builds)
    assert [has.needs_builder for has in started] == [False]


def test_a_version_that_the_stack_file_does_not_have_yet_may_have_to_be_built(started):
    pinned = settings(release={"stable": {"version": "1.0.0", "digest": DIGEST}})
    Ground(pinned).prepare(builds=True, another_version=True)
    assert [has.needs_builder for has in started] == [True]


def test_a_stack_that_names_its_cluster_needs_no_node(started):
    named = Ground(settings(cluster={"context": "prod"}))
    named.prepare(builds=True)
    assert [has.needs_node for has in started] == [False]
    assert not named.has_own_node


@pytest.mark.parametrize(("has", "is_own"), [(HERE, True), (THEIRS, False)])
def test_the_node_is_the_projects_own_where_the_user_has_no_cluster(has, is_own, monkeypatch):
    monkeypatch.setattr(ground, "detect", lambda _: has)
    assert Ground(settings()).has_own_node is is_own


def test_grafana_is_refused_before_anything_is_started_where_it_cannot_be_had(started):
    with pytest.raises(CommandError) as refused:
        Ground(bundled(grafana=True)).prepare(builds=True)
    assert refused.value.exit_code == BAD_INPUT
    assert "slipway:observability.grafana.enabled is true" in str(refused.value)
    assert started == []


@pytest.mark.parametrize("had", ["stored", "pulled", "on a cluster of the user's", "a preview"])
def test_grafana_is_not_refused_where_it_can_be_had_or_is_not_deployed(
    had, home, started, monkeypatch
):
    changes: dict[str, Any] = {}
    if had == "stored":
        wanted = ground.Reference.parse(ground.IMAGES["grafana"])
        stored = ground.registry._digest_file(home, wanted.repository, wanted.tag)
        stored.parent.mkdir(parents=True)
        stored.write_text("sha256:0")
    elif had == "pulled":
        monkeypatch.setattr(ground, "can_be_pulled", lambda _: True)
    elif had == "on a cluster of the user's":
        changes = {"cluster": {"context": "prod"}}
    Ground(bundled(grafana=True, **changes)).prepare(builds=had != "a preview")
    assert len(started) == 1


@pytest.mark.parametrize(("missing", "lacks"), [(["loki"], True), ([], False)])
def test_a_bundled_stack_lacks_the_images_that_are_missing(missing, lacks, monkeypatch):
    monkeypatch.setattr(Node, "missing_images", lambda _: missing)
    assert Ground(bundled()).lacks_images() is lacks


def test_a_stack_without_servers_lacks_no_image(monkeypatch):
    monkeypatch.setattr(Node, "missing_images", lambda _: pytest.fail("looked"))
    assert not Ground(settings()).lacks_images()


def test_the_machine_is_looked_at_once(started, monkeypatch):
    looks: list[Layout] = []
    monkeypatch.setattr(ground, "detect", lambda at: looks.append(at) or HERE)
    monkeypatch.setattr(Node, "missing_images", lambda _: [])
    monkeypatch.setattr(Node, "images", lambda *_: None)
    under = Ground(bundled())
    under.prepare(builds=True)
    assert not under.lacks_images()
    under.build_images()
    assert len(looks) == len(started) == 1


@dataclass
class Steps:
    """A stack, and the ground under it, that write down what is done with them."""

    images_lack: bool = False
    has_own_node: bool = True
    name: str = "dev"
    made: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    def select(self) -> None:
        self.done.append("select")

    def up(self, *arguments: str) -> None:
        self.done.append(f"up {' '.join(arguments)}")

    def destroy(self, *arguments: str) -> None:
        self.done.append(f"destroy {' '.join(arguments)}")

    def outputs(self) -> dict[str, Any]:
        return {}

    def namespaces(self) -> dict[str, str]:
        return self.made

    def lacks_images(self) -> bool:
        return self.images_lack

    def build_images(self) -> None:
        self.done.append("images")


def steps_of_an_update(steps: Steps, *arguments: str, **changes: Any) -> list[str]:
    run = Run(cast("Stack", steps), bundled(**changes), cast("Ground", steps), {})
    run.update(*arguments)
    return steps.done


@pytest.fixture
def quiet(monkeypatch):
    monkeypatch.setattr(commands.status, "show", lambda *_: None)
    monkeypatch.setattr(commands.cluster, "foreign", lambda *_, **__: [])


@pytest.mark.usefixtures("quiet")
def test_the_service_is_deployed_before_the_images_of_its_servers_are_built():
    assert steps_of_an_update(Steps(images_lack=True), "--diff") == [
        "select",
        "up --exclude **slipway:observability:** --exclude-dependents --yes --skip-preview --diff",
        "images",
        "up --yes --skip-preview --diff",
    ]


@pytest.mark.usefixtures("quiet")
def test_an_update_that_is_held_to_a_plan_leaves_nothing_out():
    steps = Steps(images_lack=True)
    run = Run(cast("Stack", steps), bundled(), cast("Ground", steps), {})
    run.update(plan=Path("plan.json"))
    assert steps.done == ["select", "images", "up --yes --skip-preview --plan plan.json"]


def on_their_cluster(steps: Steps, **variables: str) -> Run:
    steps.has_own_node = False
    return Run(cast("Stack", steps), settings(), cast("Ground", steps), variables)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("ci", [None, "", "false", "0"])
def test_a_person_is_asked_about_a_cluster_that_is_not_the_projects_own(ci, monkeypatch):
    monkeypatch.setattr(commands.sys.stdin, "isatty", lambda: True)
    steps = Steps()
    run = on_their_cluster(steps, **({} if ci is None else {"CI": ci}))
    run.update()
    run.down()
    assert steps.done == ["select", "up ", "select", "destroy "]


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(("terminal", "ci"), [(True, "true"), (False, "")])
def test_where_nobody_can_be_asked_an_update_goes_on_and_a_deletion_has_to_be_confirmed(
    terminal, ci, monkeypatch
):
    monkeypatch.setattr(commands.sys.stdin, "isatty", lambda: terminal)
    steps = Steps()
    run = on_their_cluster(steps, CI=ci)
    run.update()
    with pytest.raises(CommandError, match="make down STACK=dev ARGS=--yes") as refused:
        run.down()
    assert refused.value.exit_code == BAD_INPUT
    assert steps.done == ["select", "up --yes"]
    run.down("--yes")
    assert steps.done[-1].startswith("destroy --yes")


def test_a_stack_on_the_projects_own_node_is_deleted_at_once():
    steps = Steps()
    Run(cast("Stack", steps), settings(), cast("Ground", steps), {}).down()
    assert steps.done == ["select", "destroy --yes"]


@pytest.mark.usefixtures("quiet")
def test_with_every_image_there_is_one_update():
    assert steps_of_an_update(Steps()) == ["select", "up --yes --skip-preview"]


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    ("known", "found", "is_refreshed"),
    [
        ({"home": "1", "watch": "2"}, {"home": "1", "watch": "2"}, False),
        ({"home": "1", "watch": "2"}, {"home": "1", "watch": "3"}, True),
        ({"home": "1"}, {}, True),
        ({}, {"home": "1"}, False),
        ({"home": "1"}, CommandError("the cluster does not answer"), False),
    ],
    ids=["the same", "another", "gone", "the first update", "not to be seen"],
)
def test_the_state_of_a_cluster_that_was_made_anew_is_refreshed(
    known, found, is_refreshed, monkeypatch
):
    def namespaces(*_: object, **__: object) -> dict[str, str]:
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(commands.cluster, "namespaces", namespaces)
    done = steps_of_an_update(Steps(made=known))
    assert done[-1] == f"up --yes --skip-preview{' --refresh' if is_refreshed else ''}"


@pytest.mark.usefixtures("quiet")
def test_a_namespace_of_somebody_else_is_not_taken_over(monkeypatch):
    asked: list[dict[str, str]] = []
    monkeypatch.setattr(
        commands.cluster, "foreign", lambda names, **_: asked.append(names) or list(names)[-1:]
    )
    steps = Steps(made={"beacon-test": "1"})
    with pytest.raises(CommandError, match="this program has not made it"):
        steps_of_an_update(steps)
    assert steps.done == ["select"]
    assert "namespace.name" not in asked[0]


@pytest.mark.usefixtures("quiet")
def test_a_cluster_that_is_named_is_not_taken_for_another(monkeypatch):
    monkeypatch.setattr(commands.cluster, "namespaces", lambda *_, **__: pytest.fail("asked"))
    steps = Steps(made={"home": "1"})
    assert "--refresh" not in steps_of_an_update(steps, cluster={"context": "prod"})[-1]


@pytest.mark.usefixtures("quiet")
def test_the_state_of_a_users_cluster_is_never_refreshed_unasked(monkeypatch, capsys):
    monkeypatch.setattr(commands.cluster, "namespaces", lambda *_, **__: {})
    steps = Steps(made={"home": "1"})
    run = on_their_cluster(steps, CI="true")
    run.update()
    assert steps.done[-1] == "up --yes"
    told = capsys.readouterr().out
    assert "not what the last update left: namespace home" in told
    assert "ARGS=--refresh" in told
    run.update("--refresh")
    assert steps.done[-1] == "up --yes --refresh"
    assert capsys.readouterr().out == ""
