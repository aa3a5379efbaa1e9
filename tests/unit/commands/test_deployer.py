"""Updates and deletions of a stack: their order, confirmation and checks."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from commands import deployer
from commands.capacity import Shares
from commands.deployer import Deployer
from commands.errors import BAD_INPUT, FAILED, CommandError
from commands.flagger_canary import CanaryState
from commands.notifications import Notifier
from commands.notifications.thread import ThreadStore
from commands.prerequisites import Prerequisites
from commands.pulumi import Stack
from commands.release_records import Decision, ReleaseRecord
from settings import Service, load
from settings.yaml_writer import to_yaml
from tests.unit.commands.canary_states import canary, deployment
from tests.unit.commands.notifications.http_receiver import http_receiver
from tests.unit.stacks import BEACON, BLUE_GREEN, CANARY, OTHER_DIGEST, changed, sections, settings


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch, no_kubectl):
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path))
    monkeypatch.setattr(deployer.ownership, "objects", lambda *_: [])


@dataclass
class FakeStack:
    """Fake stack and prerequisites that record the calls."""

    missing_images: bool = False
    has_own_node: bool = True
    name: str = "dev"
    created: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    deployed: Path | None = None
    commit: str | None = None
    deployed_releases: list[dict[str, Any]] = field(default_factory=list)
    """Release of the service in each update, newest first."""
    tainted_objects: list[str] = field(default_factory=list)
    kept_in: list[str] = field(default_factory=list)
    running: dict[str, Any] = field(default_factory=dict)
    """Outputs of the services in the last update."""
    updated: dict[str, Any] = field(default_factory=dict)
    """Outputs of the services in the next update."""
    secrets: dict[str, str] = field(default_factory=dict)
    """Decrypted secrets."""
    built: dict[str, str] = field(default_factory=dict)
    """URNs of the images."""
    operators: set[str] = field(default_factory=set)
    """Components of the operators with access to the whole cluster."""
    mesh: bool = False
    """Whether the services were in a mesh in the last update."""
    hints: list[str] = field(default_factory=list)
    """Messages about base images. With one, an update fails."""
    state_time: str = "2026-01-01T00:00:00Z"

    def select(self, check: Callable[[], None] = lambda: None) -> None:
        self.calls.append("select")
        check()

    def tainted(self) -> list[str]:
        return self.tainted_objects

    def cluster_operators(self) -> set[str]:
        return self.operators

    def deployments(self) -> set[str]:
        return {f"{service}-{track}" for service in self.running for track in self.running[service]}

    def has_canaries(self) -> bool:
        return True

    def has_mesh(self) -> bool:
        return self.mesh

    def keep_moved_back(self, namespaces: Iterable[str]) -> None:
        self.kept_in = list(namespaces)

    def preview(self, *arguments: str) -> None:
        self.calls.append(f"preview {' '.join(arguments)}")

    def up(self, *arguments: str) -> None:
        self.calls.append(f"up {' '.join(arguments)}")
        if self.hints:
            raise CommandError("pulumi up of dev failed", FAILED)

    def unavailable_base_images(self) -> list[str]:
        return self.hints

    def destroy(self, *arguments: str) -> None:
        self.calls.append(f"destroy {' '.join(arguments)}")

    def outputs(self) -> dict[str, Any]:
        return {"namespace": "beacon-test", "services": self.updated}

    def secret(self, path: str) -> str:
        return self.secrets[path]

    def namespaces(self) -> dict[str, str]:
        return self.created

    def services(self) -> dict[str, Any]:
        return self.running

    def images(self) -> dict[str, str]:
        return self.built

    @contextmanager
    def deployed_configuration(self) -> Iterator[Path | None]:
        yield self.deployed

    def releases(self, service: str) -> Iterator[dict[str, Any]]:
        yield from self.deployed_releases

    def deployed_commit(self) -> str | None:
        return self.commit

    def lacks_images(self) -> bool:
        return self.missing_images

    def build_images(self) -> None:
        self.calls.append("images")


def deployer_of(fake: FakeStack, **changes: Any) -> Deployer:
    bundled = settings(observability={"mode": "bundled"}, **changes)
    return Deployer(cast("Stack", fake), bundled, cast("Prerequisites", fake), {})


def calls_of_update(fake: FakeStack, *arguments: str, **changes: Any) -> list[str]:
    deployer_of(fake, **changes).update(*arguments)
    return fake.calls


@dataclass
class FakeCapacity:
    """Fake capacity of the tracks that records the calls with those of the stack."""

    calls: list[str]
    missing: int = 0
    adopted_pods: int = 0
    changes: bool = False

    def missing_at_start(self, service: Service, before: Shares) -> int:
        return self.missing

    def adopted(self, service: Service, in_state: set[str]) -> int:
        return 0 if in_state else self.adopted_pods

    def reserve(
        self, service: Service, before: Shares, seconds: float, *, is_required: bool
    ) -> None:
        shares = f"{before.get('canary', 0)} % -> {service.release.canary_weight} %"
        self.calls.append(f"reserve {shares}, {seconds:g} s{'' if is_required else ' at most'}")

    def keep(self, services: Iterable[Service], found: object) -> None:
        self.calls.append("keep")

    def restore(self, services: Iterable[Service], found: object) -> bool:
        self.calls.append("restore")
        return self.changes

    def restore_replicas(self, service: Service, found: object) -> bool:
        self.calls.append(f"{service.name}: {service.workload.replicas} replicas")
        return False


class FakeConfig:
    """Fake configuration of pods."""

    def __init__(self, *_: object) -> None: ...

    def sync(self, found: object) -> None: ...


@pytest.fixture
def no_cluster(monkeypatch):
    monkeypatch.setattr(deployer, "Capacity", lambda *_: FakeCapacity([]))
    monkeypatch.setattr(deployer, "ChangedConfig", FakeConfig)
    monkeypatch.setattr(deployer.status, "show", lambda *_, **__: None)
    monkeypatch.setattr(deployer.kubectl, "api_server_addresses", lambda **_: [])
    monkeypatch.setattr(deployer.kubectl, "workloads", lambda *_, **__: [])
    monkeypatch.setattr(deployer.ReleaseRecords, "_read", lambda *_: [])
    monkeypatch.setattr(deployer.ReleaseRecords, "_write", lambda *_: None)
    monkeypatch.setattr(ThreadStore, "last", lambda *_: None)
    monkeypatch.setattr(ThreadStore, "save", lambda *_: None)


@pytest.mark.usefixtures("no_cluster")
def test_the_service_is_deployed_before_the_images_of_the_servers_are_built():
    assert calls_of_update(FakeStack(missing_images=True), "--diff") == [
        "select",
        "up --exclude **slipway:observability:** --exclude-dependents --yes --skip-preview --diff",
        "images",
        "up --yes --skip-preview --diff",
    ]


@pytest.mark.usefixtures("no_cluster")
def test_an_update_with_a_plan_is_not_split():
    fake = FakeStack(missing_images=True)
    deployer_of(fake).update(plan=Path("plan.json"))
    assert fake.calls == ["select", "images", "up --yes --skip-preview --plan plan.json"]


SIDECAR = {"sidecar.istio.io/inject": "true"}
ISTIO = {"routing": {"backend": "istio"}}


@pytest.mark.usefixtures("no_cluster")
@pytest.mark.parametrize(
    ("labels", "changes", "is_refused"),
    [
        (SIDECAR, {"release": {"strategy": "progressive"}}, True),
        ({}, {"release": {"strategy": "progressive"}}, False),
        (SIDECAR, {"release": {"strategy": "progressive"}, "mesh": {"istio": {}}}, False),
        (SIDECAR, {"release": {"strategy": "rolling"}}, False),
    ],
    ids=["sidecars", "no sidecars yet", "mesh", "another strategy"],
)
def test_a_mesh_is_not_removed_while_promoted_pods_would_keep_their_sidecars(
    monkeypatch, *, labels, changes, is_refused
):
    primary = deployment("1.0.0", name="beacon-progressive-primary")
    primary["spec"]["template"]["metadata"]["labels"] |= labels
    found = CanaryState(canary("Succeeded"), deployment("1.0.0"), primary, {}, None)
    monkeypatch.setattr(
        deployer.Canaries, "read", lambda _, services: dict.fromkeys(services, found)
    )
    fake = FakeStack(mesh=True)
    with pytest.raises(CommandError, match="the promoted pods") if is_refused else nullcontext():
        deployer_of(fake, **ISTIO, **changes).update()
    assert any(call.startswith("up") for call in fake.calls) != is_refused


ONE = {"strategy": "canary", "stable": {"version": "1.0.0", "digest": OTHER_DIGEST}}
TWO = {"strategy": "canary", "stable": {"version": "1.1.0", "digest": OTHER_DIGEST}}
HALF = changed(CANARY, {"canary": {"weight": 50}})


@pytest.mark.usefixtures("no_cluster")
@pytest.mark.parametrize(
    ("deployed", "release", "how", "events"),
    [
        (ONE, CANARY, "", ["start 10"]),
        (CANARY, HALF, "", ["step 50"]),
        (CANARY, TWO, "", ["promotion 100"]),
        (CANARY, ONE, "rollback", ["rollback 0"]),
        (TWO, ONE, "rollback", ["rollback 0"]),
        (ONE, TWO, "", ["start None", "promotion 100"]),
        (ONE, TWO, "fails", ["start None"]),
        (CANARY, CANARY, "", []),
    ],
    ids=[
        *("canary", "weight", "promotion", "canary ended", "earlier stable", "stable"),
        *("failed update", "nothing"),
    ],
)
def test_receivers_are_notified_of_the_releases_that_an_update_changes(
    tmp_path, monkeypatch, *, deployed, release, how, events
):
    stack_file(tmp_path, release=release)
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    fake = FakeStack(deployed_releases=[deployed], hints=["failed"] if how == "fails" else [])
    with http_receiver() as receiver:
        fake.secrets = {"notifications.webhook": receiver.url("/")}
        keys = settings(notifications={"webhook": {"secure": "v1:abc"}}, release=release)
        with Notifier(keys, cast("Stack", fake), {}) as notifier:
            one = Deployer(
                cast("Stack", fake), keys, cast("Prerequisites", fake), {}, notifier=notifier
            )
            with pytest.raises(CommandError) if how == "fails" else nullcontext():
                one.update(is_rollback=how == "rollback", decision=Decision("gate", "errors"))
        sent = receiver.bodies
    assert [f"{one['event']} {one['weight']}" for one in sent] == events
    for one in sent:
        assert (one["version"], one["previousVersion"]) == ("1.1.0", "1.0.0")
        if one["event"] in ("promotion", "rollback"):
            assert (one["user"], one["reason"]) == ("gate", "errors")


@pytest.mark.usefixtures("no_cluster")
def test_a_release_is_recorded_although_the_cluster_cannot_be_read_after_the_update(monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise CommandError("cannot read the cluster", FAILED)

    written: list[ReleaseRecord] = []
    monkeypatch.setattr(deployer.ReleaseRecords, "_write", lambda *how: written.append(how[2]))
    monkeypatch.setattr(deployer.kubectl, "workloads", fail)
    fake = FakeStack(deployed_releases=[{"strategy": "rolling", "stable": {"version": "0.9.0"}}])
    with pytest.raises(CommandError, match="dev is updated, and only its autoscalers are not"):
        deployer_of(fake, release={"strategy": "rolling"}).update()
    assert written[-1].result == "promoted"


@pytest.mark.usefixtures("no_cluster")
@pytest.mark.parametrize(("successful", "results"), [(0, ["running", "failed"]), (1, ["running"])])
def test_a_failed_update_ends_no_release_whose_pods_are_started(
    successful, results, monkeypatch, tmp_path
):
    stack_file(tmp_path, release=CANARY)
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    fake = FakeStack(deployed_releases=[ONE])
    updates: list[tuple[str, ...]] = []

    def up(*arguments: str) -> None:
        updates.append(arguments)
        if len(updates) > successful:
            raise CommandError("pulumi up of dev failed", FAILED)

    written: list[ReleaseRecord] = []
    monkeypatch.setattr(deployer.ReleaseRecords, "_write", lambda *how: written.append(how[2]))
    monkeypatch.setattr(fake, "up", up)
    monkeypatch.setattr(deployer, "Capacity", lambda *_: FakeCapacity([], 6))
    with pytest.raises(CommandError, match="pulumi up of dev failed"):
        deployer_of(fake, release=CANARY).update()
    assert [one.result for one in written] == results


@pytest.mark.usefixtures("no_cluster")
@pytest.mark.parametrize(
    ("weights", "missing", "calls"),
    [
        ((0, 50), 0, ["reserve 0 % -> 50 %, 300 s", "up at 50 %", "restore"]),
        ((0, 50), 3, ["up at 0 %", "reserve 0 % -> 50 %, 300 s", "up at 50 %", "restore"]),
        ((50, 0), 0, ["reserve 50 % -> 0 %, 20 s at most", "up at 0 %", "restore"]),
        ((50, 50), 0, ["up at 50 %", "restore"]),
    ],
)
def test_requests_move_after_their_track_has_the_pods(
    weights, missing, calls, monkeypatch, tmp_path
):
    deployed, weight = weights
    release = changed(CANARY, {"canary": {"weight": weight}})
    file = stack_file(tmp_path, release=release)
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    fake = FakeStack(deployed_releases=[{"canary": {"weight": deployed}}, {}])

    def up(*arguments: str) -> None:
        has_file = "--config-file" in arguments
        config = arguments[arguments.index("--config-file") + 1] if has_file else str(file)
        fake.calls.append(f"up at {load(config).services['beacon'].release.canary_weight} %")

    monkeypatch.setattr(fake, "up", up)
    monkeypatch.setattr(deployer, "Capacity", lambda *_: FakeCapacity(fake.calls, missing))
    deployer_of(fake, release=release).update(is_rollback=weight < deployed)
    assert fake.calls[1:] == [*calls, "beacon: 3 replicas"]
    assert load(str(file)).services["beacon"].release.canary_weight == weight


def replicas_of_updates(
    fake: FakeStack, file: Path, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[int, int]]:
    """List that each update appends the replicas of a new Deployment and their minimum to."""
    replicas: list[tuple[int, int]] = []

    def up(*arguments: str) -> None:
        has_file = "--config-file" in arguments
        config = arguments[arguments.index("--config-file") + 1] if has_file else str(file)
        service = load(config).services["beacon"]
        replicas.append((service.start_replicas, service.min_replicas))

    monkeypatch.setattr(fake, "up", up)
    return replicas


@pytest.mark.usefixtures("no_cluster")
@pytest.mark.parametrize(("strategy", "minimum"), [("blueGreen", 6), ("progressive", 3)])
def test_the_pods_of_another_strategy_are_started_with_those_that_serve(
    strategy, minimum, monkeypatch, tmp_path
):
    changes = {"release": {"strategy": strategy}, "observability": {"mode": "bundled"}}
    file = stack_file(tmp_path, **changes)
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    fake = FakeStack(deployed_releases=[{"strategy": "canary"}])
    replicas = replicas_of_updates(fake, file, monkeypatch)
    monkeypatch.setattr(deployer, "Capacity", lambda *_: FakeCapacity([], 6))
    deployer_of(fake, release={"strategy": strategy}).update()
    assert replicas == [(6, minimum), (3, 3)]


@pytest.mark.usefixtures("no_cluster")
def test_flaggers_route_is_kept_while_the_pods_of_another_strategy_start(monkeypatch, tmp_path):
    stack_file(tmp_path, release={"strategy": "blueGreen"})
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    fake = FakeStack(deployed_releases=[{"strategy": "progressive"}])
    monkeypatch.setattr(deployer, "Capacity", lambda *_: FakeCapacity([], 6))
    monkeypatch.setattr(deployer, "replaced_canaries", lambda *_: {"beacon-progressive": "routes"})
    monkeypatch.setattr(deployer, "delete_routes", lambda *_: fake.calls.append("delete"))
    deployer_of(fake, release={"strategy": "blueGreen"}).update()
    kept = ["delete" if one == "delete" else "--exclude" in one for one in fake.calls[1:]]
    assert kept == [True, "delete", False]


@pytest.mark.usefixtures("no_cluster")
@pytest.mark.parametrize(
    ("running", "expected"),
    [({}, [(5, 5), (3, 3)]), ({"beacon": {"stable": {"version": "1.0.0"}}}, [(3, 3)])],
)
def test_the_first_update_adopts_deployments_with_the_replicas_of_their_autoscaler(
    running, expected, monkeypatch, tmp_path
):
    file = stack_file(tmp_path)
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    fake = FakeStack(running=running)
    replicas = replicas_of_updates(fake, file, monkeypatch)
    monkeypatch.setattr(deployer, "Capacity", lambda *_: FakeCapacity([], adopted_pods=5))
    deployer_of(fake).update()
    assert replicas == expected


def on_users_cluster(fake: FakeStack, **variables: str) -> Deployer:
    fake.has_own_node = False
    return Deployer(cast("Stack", fake), settings(), cast("Prerequisites", fake), variables)


@pytest.mark.usefixtures("no_cluster")
@pytest.mark.parametrize("ci", [None, "", "false", "0"])
def test_on_a_terminal_pulumi_asks_before_it_changes_the_users_cluster(ci, monkeypatch):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    fake = FakeStack()
    users = on_users_cluster(fake, **({} if ci is None else {"CI": ci}))
    users.update()
    users.down()
    assert fake.calls == ["select", "up ", "select", "destroy "]


@pytest.mark.usefixtures("no_cluster")
@pytest.mark.parametrize(("terminal", "ci"), [(True, "true"), (False, "")])
def test_without_a_terminal_an_update_needs_no_confirmation_and_a_deletion_needs_yes(
    terminal, ci, monkeypatch
):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: terminal)
    fake = FakeStack()
    users = on_users_cluster(fake, CI=ci)
    users.update()
    with pytest.raises(CommandError, match="make down STACK=dev ARGS=--yes") as error:
        users.down()
    assert error.value.exit_code == BAD_INPUT
    assert fake.calls == ["select", "up --yes"]
    users.down("--yes")
    assert fake.calls[-1].startswith("destroy --yes")


def test_a_stack_on_the_own_node_is_deleted_without_confirmation():
    fake = FakeStack()
    deployer_of(fake).down()
    assert fake.calls == ["select", "destroy --yes"]


@pytest.mark.usefixtures("no_cluster")
def test_there_is_one_update_if_no_image_is_missing():
    assert calls_of_update(FakeStack()) == ["select", "up --yes --skip-preview"]


@pytest.mark.usefixtures("no_cluster")
@pytest.mark.parametrize(
    ("known", "found", "is_refreshed"),
    [
        ({"home": "1", "watch": "2"}, {"home": "1", "watch": "2"}, False),
        ({"home": "1", "watch": "2"}, {"home": "1", "watch": "3"}, True),
        ({"home": "1"}, {}, True),
        ({}, {"home": "1"}, False),
        ({"home": "1"}, CommandError("the cluster does not respond"), False),
    ],
    ids=["same", "recreated", "deleted", "first update", "unreachable"],
)
def test_the_state_of_a_recreated_own_node_is_refreshed(known, found, is_refreshed, monkeypatch):
    def namespaces(*_: object, **__: object) -> dict[str, str]:
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(deployer.kubectl, "namespace_uids", namespaces)
    calls = calls_of_update(FakeStack(created=known))
    assert calls[-1] == f"up --yes --skip-preview{' --refresh' if is_refreshed else ''}"


def owned(name: str, owner: str | None) -> dict[str, Any]:
    annotations = {"slipway/stack": owner} if owner else {}
    metadata = {"name": name, "uid": "1", "annotations": annotations}
    return {"kind": "Namespace", "metadata": metadata}


@pytest.mark.usefixtures("no_cluster")
@pytest.mark.parametrize("home", ["beacon-test", "deleted"])
def test_namespaces_are_read_once(home, monkeypatch):
    found = [owned("beacon-test", "slipway/dev")]
    monkeypatch.setattr(deployer.ownership, "objects", lambda *_: found)
    monkeypatch.setattr(deployer.kubectl, "namespace_uids", lambda *_, **__: pytest.fail())
    fake = FakeStack(created={home: "1"})
    one = deployer_of(fake)
    one.check_ownership()
    one.update()
    assert ("--refresh" in fake.calls[-1]) == (home == "deleted")


@pytest.mark.usefixtures("no_cluster")
@pytest.mark.parametrize("changes", [False, True])
def test_the_status_after_an_update_shows_the_objects_as_they_are(monkeypatch, *, changes):
    found = [{"kind": "Deployment"}]
    monkeypatch.setattr(deployer.kubectl, "workloads", lambda *_, **__: found)
    monkeypatch.setattr(deployer, "Capacity", lambda *_: FakeCapacity([], changes=changes))
    shown: list[object] = []
    monkeypatch.setattr(deployer.status, "show", lambda *_, found: shown.append(found))
    deployer_of(FakeStack()).update()
    # None: they are read again.
    assert shown == [None if changes else found]


@pytest.mark.usefixtures("no_cluster")
def test_the_status_reads_progressive_releases_once(monkeypatch):
    reads: list[list[str]] = []
    monkeypatch.setattr(deployer.Canaries, "read", lambda _, names: reads.append([*names]) or {})
    deployer_of(FakeStack(), release={"strategy": "progressive"}).status()
    assert reads == [["beacon"]]


@pytest.mark.usefixtures("no_cluster")
def test_a_preview_of_what_another_stack_owns_is_refused(monkeypatch):
    found = [owned("beacon-test", "shop/dev"), owned("monitoring", None)]
    monkeypatch.setattr(deployer.ownership, "objects", lambda *_: found)
    fake = FakeStack()
    with pytest.raises(CommandError) as error:
        deployer_of(fake).preview()
    keys = [line.partition(" is ")[0] for line in str(error.value).splitlines()]
    assert keys == ["slipway:namespace.name", "slipway:network.monitoringNamespace"]
    assert fake.calls == ["select"]


@pytest.mark.usefixtures("no_cluster")
@pytest.mark.parametrize("command", ["check_ownership", "preview", "down"])
def test_an_operator_that_other_stacks_use_is_kept(command, monkeypatch):
    def conflicts(deployed, settings, *_: object) -> list[str]:
        assert deployed == {"CertManager"}
        assert (settings is None) == (command == "down")
        return ["cert-manager of this stack serves orders"]

    monkeypatch.setattr(deployer.operators, "removal_conflicts", conflicts)
    fake = FakeStack(operators={"CertManager"})
    with pytest.raises(CommandError, match="serves orders"):
        getattr(deployer_of(fake), command)()
    assert fake.calls in ([], ["select"])


@pytest.mark.usefixtures("no_cluster")
@pytest.mark.parametrize("command", ["check_ownership", "preview"])
def test_definitions_of_others_are_refused_before_anything_is_touched(command, monkeypatch):
    monkeypatch.setattr(
        deployer.operators, "definition_conflicts", lambda *_: ["the cluster has Flagger"]
    )
    fake = FakeStack()
    with pytest.raises(CommandError, match="the cluster has Flagger"):
        getattr(deployer_of(fake), command)()
    assert fake.calls in ([], ["select"])


@pytest.mark.usefixtures("no_cluster")
@pytest.mark.parametrize(
    ("owner", "deletes"), [("shop/dev", False), ("slipway/dev", True), (None, True)]
)
def test_a_namespace_of_another_stack_is_not_deleted(owner, deletes, monkeypatch):
    monkeypatch.setattr(deployer.ownership, "objects", lambda *_: [owned("beacon-test", owner)])
    fake = FakeStack(created={"beacon-test": "1"})
    if deletes:
        deployer_of(fake).down()
        assert fake.calls == ["select", "destroy --yes"]
    else:
        with pytest.raises(CommandError, match="namespace beacon-test belongs to stack shop/dev"):
            deployer_of(fake).down()
        assert fake.calls == ["select"]


@pytest.mark.usefixtures("no_cluster")
@pytest.mark.parametrize(
    ("address", "cidrs", "added"),
    [
        ("10.0.0.1", None, None),
        ("203.0.113.5", None, "203.0.113.5/32"),
        ("203.0.113.5", ["203.0.113.0/24"], None),
        ("2001:db8::5", ["203.0.113.0/24"], "2001:db8::5/128"),
    ],
)
def test_an_api_server_that_network_policies_would_cut_off_is_refused_first(
    address, cidrs, added, monkeypatch
):
    monkeypatch.setattr(deployer.kubectl, "api_server_addresses", lambda **_: [address])
    fake = FakeStack(has_own_node=False)
    network = {"nodeCIDRs": cidrs} if cidrs else {}
    if added is None:
        assert calls_of_update(fake, network=network)[-1].startswith("up ")
        return
    with pytest.raises(CommandError, match=f"nodeCIDRs does not contain {address}.* add {added}"):
        calls_of_update(fake, network=network)
    assert fake.calls == ["select"]


@pytest.mark.usefixtures("no_cluster")
@pytest.mark.parametrize("command", ["update", "preview", "down"])
@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ({}, "no home, no watch"),
        ({"home": "3"}, "home has another UID, no watch"),
        ({"home": "1"}, None),
        (CommandError("the cluster does not respond"), None),
    ],
    ids=["empty cluster", "other cluster", "same cluster", "unreachable"],
)
def test_another_cluster_than_at_the_last_update_is_refused(command, found, reason, monkeypatch):
    def namespaces(*_: object, context: str | None, **__: object) -> dict[str, str]:
        assert context == "prod"
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(deployer.kubectl, "namespace_uids", namespaces)
    fake = FakeStack(created={"home": "1", "watch": "2"})
    users = replace(
        on_users_cluster(fake, CI="true"), settings=settings(cluster={"context": "prod"})
    )
    arguments = ["--yes"] if command == "down" else []
    if reason is None:
        getattr(users, command)(*arguments)
        assert len(fake.calls) > 1
        return
    with pytest.raises(CommandError, match=f"context prod of .*: among .* there is {reason}"):
        getattr(users, command)(*arguments)
    assert fake.calls == ["select"]
    getattr(users, command)(*arguments, "--refresh")
    assert fake.calls[-1].endswith("--refresh")


@pytest.mark.usefixtures("no_cluster")
def test_the_state_of_a_users_cluster_is_not_refreshed_by_itself(monkeypatch, capsys):
    monkeypatch.setattr(deployer.kubectl, "namespace_uids", lambda *_, **__: {"watch": "2"})
    fake = FakeStack(created={"home": "1", "watch": "2"})
    users = on_users_cluster(fake, CI="true")
    users.update()
    assert fake.calls[-1] == "up --yes"
    printed = capsys.readouterr().out
    assert "namespace home was deleted or recreated since the last update" in printed
    users.update("--refresh")
    assert fake.calls[-1] == "up --yes --refresh"
    assert capsys.readouterr().out == ""


def stack_file(folder: Path, **changes: Any) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "Pulumi.dev.yaml"
    keys = {f"slipway:{name}": one for name, one in sections(**changes).items()}
    file.write_text(to_yaml({"config": keys}))
    return file


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A stack file with a release and a host name that are not deployed."""
    folder = tmp_path / "project"
    stack_file(
        folder,
        release={"stable": {"version": "0.9.0", "digest": OTHER_DIGEST}},
        config={"message": "of 0.9.0"},
        routing={"hosts": ["new.localhost"]},
    )
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", folder)
    monkeypatch.setattr(deployer, "PROJECT_FOLDER", folder)
    return folder


def roll_back(fake: FakeStack) -> None:
    made = deployer_of(fake)
    service = made.settings.services["beacon"]
    made.pending_release(service).save("rollback", {})
    made.update_release(service)
    assert not made.pending_release(service).matches("rollback", {})


@pytest.mark.usefixtures("no_cluster")
def test_a_release_of_one_service_builds_no_image_of_another(tmp_path, monkeypatch):
    others = {
        name: {**BEACON, "routing": {"hosts": [f"{name}.localhost"]}}
        for name in ("shop", "updated", "new")
    }
    stack_file(tmp_path, services=others)
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    versions = {"beacon": "1.0.0", "shop": "1.0.0", "updated": "0.9.0"}
    fake = FakeStack(
        running={name: {"stable": {"version": version}} for name, version in versions.items()},
        built={f"{name}-stable-image": f"urn:{name}" for name in versions},
    )
    made = deployer_of(fake, services=others)
    made.update_service(made.settings.services["beacon"])
    assert fake.calls == ["select", "up --yes --skip-preview --exclude urn:shop"]


@pytest.mark.usefixtures("no_cluster")
def test_a_failed_update_names_base_images_that_the_machine_cannot_get(tmp_path, monkeypatch):
    stack_file(tmp_path)
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    with pytest.raises(CommandError, match="failed\napp/Dockerfile needs alpine") as error:
        deployer_of(FakeStack(hints=["app/Dockerfile needs alpine"])).update()
    assert error.value.exit_code == FAILED


@pytest.mark.usefixtures("no_cluster", "project")
def test_a_rollback_deploys_the_release_and_names_what_it_leaves_out(tmp_path, capsys):
    deployed = stack_file(tmp_path / "deployed", config={"message": "old"})
    fake = FakeStack(deployed=deployed)
    roll_back(fake)
    assert fake.calls == ["select", f"up --yes --skip-preview --config-file {deployed}"]
    text = deployed.read_text()
    assert ("version: 0.9.0" in text, "message: of 0.9.0" in text) == (True, True)
    assert "new.localhost" not in text
    printed = capsys.readouterr().out
    assert "not deployed by the rollback: slipway:services.beacon.routing.hosts\n" in printed
    assert "the last update was made without a commit" in printed


@pytest.mark.usefixtures("no_cluster", "project")
def test_a_rollback_starts_its_pods_with_the_deployed_configuration(tmp_path, monkeypatch):
    fake = FakeStack(
        deployed=stack_file(tmp_path / "deployed"), deployed_releases=[{"strategy": "canary"}]
    )
    updates: list[tuple[int, Sequence[str]]] = []

    def up(*arguments: str) -> None:
        assert arguments.count("--config-file") == 1
        service = load(arguments[-1]).services["beacon"]
        assert service.routing
        updates.append((service.start_replicas, service.routing.hosts))

    monkeypatch.setattr(fake, "up", up)
    monkeypatch.setattr(deployer, "Capacity", lambda *_: FakeCapacity([], 6))
    monkeypatch.setattr(Deployer, "_moves", lambda _, services: ((one, {}) for one in services))
    roll_back(fake)
    assert [pods for pods, _ in updates] == [6, 3]
    assert "new.localhost" not in {host for _, hosts in updates for host in hosts}


@pytest.mark.usefixtures("no_cluster")
def test_the_replicas_after_an_update_are_those_of_its_configuration(tmp_path, monkeypatch):
    def file(name: str, replicas: int) -> Path:
        shop = {**BEACON, "routing": {"hosts": ["shop.localhost"]}}
        return stack_file(
            tmp_path / name, services={"shop": {**shop, "workload": {"replicas": replicas}}}
        )

    fake = FakeStack(deployed=file("deployed", 4))
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", file("project", 5).parent)
    monkeypatch.setattr(deployer, "PROJECT_FOLDER", tmp_path)
    monkeypatch.setattr(deployer, "Capacity", lambda *_: FakeCapacity(fake.calls))
    made = deployer_of(fake)
    made.update()
    assert fake.calls[-1] == "shop: 5 replicas"
    roll_back(fake)
    assert fake.calls[-1] == "shop: 4 replicas"
    made.update("--target", "urn")  # it may not have changed the service
    assert fake.calls[-1] == "restore"


@pytest.mark.usefixtures("no_cluster", "project")
def test_without_a_usable_configuration_a_rollback_deploys_the_stack_file(tmp_path, capsys):
    fake = FakeStack()
    roll_back(fake)
    assert fake.calls == ["select", "up --yes --skip-preview"]
    fake = FakeStack(deployed=stack_file(tmp_path / "deployed", image={"registry": "x"}))
    roll_back(fake)
    assert fake.calls == ["select", "up --yes --skip-preview"]
    assert "the configuration of the last update cannot be used" in capsys.readouterr().out


@pytest.mark.usefixtures("no_cluster")
def test_a_rollback_names_changes_of_the_program(project, tmp_path, capsys):
    def git(*arguments: str) -> str:
        options = ("-c", "user.name=test", "-c", "user.email=test@example.com")
        return subprocess.run(
            ["git", *options, *arguments], cwd=project, check=True, capture_output=True, text=True
        ).stdout.strip()

    (project / "components").mkdir()
    (project / "components" / "pod.py").write_text("old")
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "A state")
    commit = git("rev-parse", "HEAD")
    for content, said in (("old", ""), ("new", f"components/pod.py since commit {commit[:10]}")):
        (project / "components" / "pod.py").write_text(content)
        roll_back(FakeStack(deployed=stack_file(tmp_path / "deployed"), commit=commit))
        printed = capsys.readouterr().out
        assert (said in printed) and ("deployed with the rollback" in printed) is bool(said)
    roll_back(FakeStack(deployed=stack_file(tmp_path / "deployed"), commit="0" * 40))
    assert "commit 0000000000 is not in this repository" in capsys.readouterr().out


@pytest.mark.usefixtures("no_cluster")
@pytest.mark.parametrize(
    ("arguments", "tainted", "message"),
    [
        (
            ["--replace", "urn"],
            [],
            "--replace is not supported: Pulumi would update the existing",
        ),
        (["--target-replace=urn"], [], "--target-replace is not supported"),
        ([], ["beacon-stable-deployment"], "beacon-stable-deployment is tainted: Pulumi would"),
    ],
)
def test_a_replacement_that_would_delete_the_object_is_refused(arguments, tainted, message):
    fake = FakeStack(tainted_objects=tainted)
    with pytest.raises(CommandError, match=message):
        deployer_of(fake).update(*arguments)
    assert not any(call.startswith("up") for call in fake.calls)


def rolled_back(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    record = ReleaseRecord(
        *(version, "rolling", "2026-01-01T00:00:00Z", None, "2026-01-01T00:01:00Z", "rolledBack"),
        *("Flagger", "errors 6.8 > 1"),
    )
    monkeypatch.setattr(deployer.ReleaseRecords, "of", lambda *_: [record])


@pytest.mark.usefixtures("no_cluster", "project")
@pytest.mark.parametrize(
    ("is_running", "force", "is_refused"),
    [(False, False, True), (False, True, False), (True, False, False)],
    ids=["refused", "forced", "it runs"],
)
def test_an_update_to_a_version_that_was_rolled_back_is_refused(
    monkeypatch, is_running, force, is_refused
):
    version = load("dev").services["beacon"].release.stable.version
    rolled_back(monkeypatch, version)
    running = version if is_running else "0.0.1"
    fake = FakeStack(running={"beacon": {"stable": {"version": running}}})
    made = replace(deployer_of(fake), force=force)
    if not is_refused:
        made.update()
        return
    with pytest.raises(CommandError, match=f"release.stable.version is {version}, which") as error:
        made.update()
    assert "errors 6.8 > 1. Use another version; FORCE=1 releases it again" in str(error.value)
    assert (error.value.exit_code, [one for one in fake.calls if one != "select"]) == (
        BAD_INPUT,
        [],
    )


PROMOTED = changed(
    BLUE_GREEN,
    {"stable": {"version": "1.1.0"}, "idle": {"version": "1.0.0", "wasLive": True}},
)


@pytest.mark.parametrize(
    ("release", "command", "on_terminal", "served"),
    [
        (CANARY, "rollback", False, "1.0.0"),
        (CANARY, "rollback", True, "1.0.0"),
        (CANARY, "promote", False, None),
        (ONE, "rollback", False, None),
        (BLUE_GREEN, "promote", False, "1.1.0"),
        (BLUE_GREEN, "promote", True, None),
        (BLUE_GREEN, "rollback", False, None),
        (PROMOTED, "rollback", False, "1.0.0"),
        (PROMOTED, "promote", False, None),
        ({"stable": {"version": "1.0.0"}}, "rollback", False, None),
    ],
)
def test_requests_are_switched_first_if_no_pods_change_for_them(
    monkeypatch, capsys, *, release, command, on_terminal, served
):
    done: list[str] = []

    class Switch:
        def apply(self, *_: object) -> None:
            done.append("routes")

    class Written:
        def __init__(self, *_: object, **__: object) -> None: ...

        def promote(self) -> str:
            done.append("promote")
            return ""

        def rollback(self) -> str:
            done.append("rollback")
            return ""

    monkeypatch.setattr(deployer.RouteSwitch, "of", lambda *_: Switch())
    monkeypatch.setattr(deployer, "Release", Written)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: on_terminal)
    one = deployer_of(FakeStack(has_own_node=not on_terminal), release=release)
    assert one.switch_requests(one.settings.services["beacon"], command) is bool(served)
    assert (f"the requests are routed to {served}" in capsys.readouterr().out) is bool(served)
    # The stack file is written first: an interrupted command is completed by the next one.
    assert done == ([command, "routes"] if served else [])
    monkeypatch.setattr(deployer.RouteSwitch, "of", lambda *_: None)
    done.clear()
    assert not one.switch_requests(one.settings.services["beacon"], command)
    assert done == []
