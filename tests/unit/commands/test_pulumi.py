"""Pulumi CLI commands on a stack, with a fake `pulumi`."""

import json
import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands.errors import CommandError
from commands.pulumi import Stack


def stack(folder: Path, deployment: dict[str, Any] | None) -> Stack:
    """A stack whose CLI only exports this state."""
    (folder / "state").write_text(json.dumps({"version": 3, "deployment": deployment}))
    pulumi = folder / "pulumi"
    pulumi.write_text(f'#!/bin/sh\n[ "$2" = export ] && cat {folder}/state\nexit 0\n')
    pulumi.chmod(0o755)
    return Stack("dev", {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"})


def namespace(name: str, uid: str) -> dict[str, Any]:
    outputs = {"metadata": {"name": name, "uid": uid}}
    return {"type": "kubernetes:core/v1:Namespace", "id": name, "outputs": outputs}


def test_the_state_has_the_namespaces_of_the_stack(tmp_path: Path) -> None:
    other = {"type": "slipway:namespace:Namespace", "id": ""}
    made = stack(tmp_path, {"resources": [other, namespace("home", "1"), namespace("watch", "2")]})
    made.select()
    assert made.namespaces() == {"home": "1", "watch": "2"}


def test_a_stack_that_was_never_deployed_has_no_namespaces(tmp_path: Path) -> None:
    new = stack(tmp_path, None)
    new.select()
    assert new.namespaces() == {}


def test_the_state_says_whether_the_stack_has_a_canary_of_flagger(tmp_path: Path) -> None:
    found = {}
    for name, kinds in {
        "progressive": ["apps/v1:Deployment", "flagger.app/v1beta1:Canary"],
        "rolling": ["apps/v1:Deployment"],
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        resources = [{"type": f"kubernetes:{kind}", "id": "one"} for kind in kinds]
        made = stack(folder, {"resources": resources})
        made.select()
        found[name] = made.has_canaries()
    assert found == {"progressive": True, "rolling": False}


def test_the_state_says_whether_the_services_were_in_a_mesh(tmp_path: Path) -> None:
    found = {}
    for kind in (
        "security.istio.io/v1:PeerAuthentication",
        "networking.istio.io/v1:VirtualService",
    ):
        folder = tmp_path / kind.partition(":")[2]
        folder.mkdir()
        made = stack(folder, {"resources": [{"type": f"kubernetes:{kind}", "id": "one"}]})
        made.select()
        found[folder.name] = made.has_mesh()
    assert found == {"PeerAuthentication": True, "VirtualService": False}


def test_the_state_says_which_operators_have_access_to_the_whole_cluster(tmp_path: Path) -> None:
    def role(components: str, kind: str, **fields: Any) -> dict[str, Any]:
        type_ = f"kubernetes:rbac.authorization.k8s.io/v1:{kind}"
        urn = f"urn:pulumi:dev::slipway::{components}${type_}::role"
        return {"type": type_, "urn": urn, "id": "role", **fields}

    stores = "slipway:platform:StackSecretStores$slipway:platform:ExternalSecrets"
    resources = [
        role("slipway:platform:CertManager", "ClusterRole"),
        role("slipway:platform:CertManager", "ClusterRoleBinding"),
        role(stores, "Role"),
        role(stores, "ClusterRole", delete=True),
        role("slipway:platform:Flagger", "Role"),
        role("slipway:observability:Prometheus", "ClusterRole"),
    ]
    made = stack(tmp_path, {"resources": resources})
    made.select()
    assert made.cluster_operators() == {"CertManager"}


def update(services: Any, kind: str = "update", result: str = "succeeded", commit: str = "") -> Any:
    """An entry of the history, as the CLI prints it with `--show-secrets`."""
    return {
        "kind": kind,
        "result": result,
        "environment": {"git.head": commit} if commit else {},
        "config": {"slipway:services": {"value": json.dumps(services), "secret": True}},
    }


def with_history(folder: Path, *updates: Any) -> Stack:
    """A stack whose CLI shows values that contain secrets only on request."""
    (folder / "history").write_text(json.dumps(updates))
    pulumi = folder / "pulumi"
    pulumi.write_text(f'#!/bin/sh\ncase "$*" in *--show-secrets*) cat {folder}/history ;; esac\n')
    pulumi.chmod(0o755)
    return Stack("dev", {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"})


def beacon(version: str) -> Any:
    """Services with a release and a secret."""
    return {"beacon": {"env": {"KEY": "hunter2"}, "release": {"stable": {"version": version}}}}


def test_releases_are_those_of_successful_updates_also_beside_secrets(tmp_path: Path) -> None:
    made = with_history(
        tmp_path,
        update(beacon("1.3.0"), "refresh"),
        update(beacon("1.2.0"), result="failed"),
        update(beacon("1.1.0")),
        update({"other": {}}),
        update(beacon("1.0.0")),
    )
    versions = [release["stable"]["version"] for release in made.releases("beacon")]
    assert versions == ["1.1.0", "1.0.0"]


def test_a_release_is_merged_with_the_defaults(tmp_path: Path) -> None:
    defaults = {"release": {"strategy": "canary", "stable": {"version": "1.0.0"}}}
    deployed = update({"beacon": {"source": "app"}})
    deployed["config"]["slipway:defaults"] = {"value": json.dumps(defaults)}
    made = with_history(tmp_path, deployed)
    assert list(made.releases("beacon")) == [defaults["release"]]


def test_an_update_deploys_the_complete_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    monkeypatch.setattr("commands.pulumi.PROJECT_FOLDER", tmp_path)
    (tmp_path / "Pulumi.prod.yaml").write_text("config:\n  slipway:network: {a: 1}\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  slipway:extends: prod\n")
    pulumi = tmp_path / "pulumi"
    pulumi.write_text(f'#!/bin/sh\ncat "$5" > {tmp_path}/deployed; echo "$*" > {tmp_path}/called\n')
    pulumi.chmod(0o755)
    made = Stack("dev", {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"})
    made.up("--yes")
    assert (tmp_path / "called").read_text().startswith("up --stack dev --config-file ")
    deployed = yaml.safe_load((tmp_path / "deployed").read_text())
    assert deployed == {"config": {"slipway:network": {"a": 1}}}
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    made.up("--yes")
    assert (tmp_path / "called").read_text().startswith("up --stack dev --yes ")


def test_an_update_by_the_cli_alone_is_completed_in_the_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    base = {"config": {"slipway:services": beacon("1.0.0")}}
    (tmp_path / "Pulumi.prod.yaml").write_text(yaml.safe_dump(base))
    deployed = update({"beacon": {"source": "app"}})
    deployed["config"]["slipway:extends"] = {"value": "prod"}
    (release,) = with_history(tmp_path, deployed).releases("beacon")
    assert release == {"stable": {"version": "1.0.0"}}


def encrypted(entry: Any) -> Any:
    """An update whose secrets another secrets provider has encrypted."""
    config = {"slipway:services": {"value": "ERROR_UNABLE_TO_DECRYPT", "secret": True}}
    return {**entry, "config": config}


def test_updates_before_a_change_of_the_secrets_provider_are_omitted(tmp_path: Path) -> None:
    made = with_history(tmp_path, update(beacon("1.1.0")), encrypted(update(beacon("1.0.0"))))
    versions = [release["stable"]["version"] for release in made.releases("beacon")]
    assert versions == ["1.1.0"]
    made = with_history(tmp_path, encrypted(update(beacon("1.0.0"))))
    with (
        pytest.raises(CommandError, match="secrets provider of dev was changed after its last"),
        made.deployed_configuration(),
    ):
        pass


def test_the_salt_that_the_cli_writes_to_decrypt_secrets_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text("config: {}\n")
    made = with_history(tmp_path, update(beacon("1.0.0")))
    script = (tmp_path / "pulumi").read_text()
    written = f"echo 'encryptionsalt: v1:a' >> {file}"
    (tmp_path / "pulumi").write_text(script.replace("\n", f"\n{written}\n", 1))
    assert len(list(made.releases("beacon"))) == 1
    assert file.read_text() == "config: {}\n"


def test_the_deployed_commit_is_that_of_the_last_successful_update(tmp_path: Path) -> None:
    updates = [update({}, result="failed", commit="c"), update({}, commit="b")]
    assert with_history(tmp_path, *updates, update({}, commit="a")).deployed_commit() == "b"
    assert with_history(tmp_path, update({}), update({}, commit="a")).deployed_commit() is None
    assert with_history(tmp_path).deployed_commit() is None


CONFIG_REFRESH = """\
#!/bin/sh
echo "$@" >> {folder}/calls
case "$1 $2" in
  "config refresh")
    cp {folder}/deployed "$5" 2>/dev/null || {{ echo "no previous deployment" >&2; exit 255; }} ;;
  "stack history") echo '[{{"kind": "update", "result": "failed"}}]' ;;
  "stack export") echo '{{}}' ;;
esac
"""


@pytest.mark.parametrize("deployed", ["config: {}\n", None])
def test_a_refresh_keeps_the_deployed_configuration_in_the_history(
    tmp_path: Path, deployed: str | None
) -> None:
    (tmp_path / "pulumi").write_text(CONFIG_REFRESH.format(folder=tmp_path))
    (tmp_path / "pulumi").chmod(0o755)
    if deployed:
        (tmp_path / "deployed").write_text(deployed)
    made = Stack("dev", {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"})
    made.select()
    (refresh,) = [
        call.split()
        for call in (tmp_path / "calls").read_text().splitlines()
        if call.startswith("refresh")
    ]
    assert ("--config-file" in refresh) is bool(deployed)
    with made.deployed_configuration() as file:
        assert (file.read_text() if file else None) == deployed
    assert not (file and file.exists())


@pytest.mark.parametrize(
    ("url", "used"),
    [
        ("file:///state", "file:///state?metadata=skip"),
        ("file://~?no_tmp_dir=false", "file://~?no_tmp_dir=false&metadata=skip"),
        ("file:///state?metadata=", "file:///state?metadata=skip"),
        ("file:///state?metadata=skip", "file:///state?metadata=skip"),
        ("s3://state?region=eu", "s3://state?region=eu"),
    ],
)
def test_the_cli_writes_no_sidecars_to_a_folder(url: str, used: str) -> None:
    assert Stack("dev", {"PULUMI_BACKEND_URL": url}).environment["PULUMI_BACKEND_URL"] == used


def with_backend(folder: Path, state: str | None, **files: str) -> tuple[Stack, Path]:
    """A stack in a folder with these files, whose CLI records its commands."""
    backend = folder / "backend" / ".pulumi"
    checkpoint = backend / "stacks" / "slipway" / "dev.json"
    for name, text in {**files, **({"stacks/slipway/dev.json": state} if state else {})}.items():
        (backend / name).parent.mkdir(parents=True, exist_ok=True)
        (backend / name).write_text(text)
    made = stack(folder, None)
    script = (folder / "pulumi").read_text()
    (folder / "pulumi").write_text(script.replace("\n", f'\necho "$1" >> {folder}/calls\n', 1))
    url = f"file://{folder}/backend"
    return Stack("dev", {**made.environment, "PULUMI_BACKEND_URL": url}), checkpoint


def test_a_state_from_a_backup_is_refreshed(tmp_path: Path) -> None:
    made, checkpoint = with_backend(tmp_path, '{"a": ', **{"stacks/slipway/dev.json.bak": "{}"})
    made.select()
    assert checkpoint.read_text() == "{}"
    assert (tmp_path / "calls").read_text().split()[-2:] == ["config", "refresh"]


def test_a_state_is_not_refreshed_from_a_cluster_that_a_check_refuses(tmp_path: Path) -> None:
    deployment = {"resources": [namespace("home", "1")], "pending_operations": [{}]}
    made = stack(tmp_path, deployment)

    def refuse() -> None:
        assert made.namespaces() == {"home": "1"}
        raise CommandError("another cluster")

    with pytest.raises(CommandError, match="another cluster"):
        made.select(refuse)


def test_a_state_that_is_complete_is_not_refreshed(tmp_path: Path) -> None:
    made, _ = with_backend(tmp_path, "{}", **{"stacks/slipway/dev.json.attrs": ""})
    made.select()
    assert "refresh" not in (tmp_path / "calls").read_text()
    assert not list((tmp_path / "backend").rglob("*.attrs"))


def test_a_selected_stack_is_not_read_again_before_its_next_update(tmp_path: Path) -> None:
    made = stack(tmp_path, {})
    made.select()
    (tmp_path / "state").write_text(
        json.dumps({"deployment": {"resources": [namespace("a", "1")]}})
    )
    made.select()
    assert made.namespaces() == {}
    made.up()
    made.select()
    assert made.namespaces() == {"a": "1"}


def test_a_command_that_fails_names_an_incomplete_file(tmp_path: Path) -> None:
    made, checkpoint = with_backend(tmp_path, '{"a": ')
    (tmp_path / "pulumi").write_text("#!/bin/sh\necho unexpected end of JSON input >&2\nexit 255\n")
    with pytest.raises(CommandError, match=f"{checkpoint} is incomplete, `make up` repairs it"):
        made.outputs()


MOVED = """\
#!/bin/sh
case "$1 $2" in
  "stack export") cat {folder}/state ;;
  "stack import") cp "$4" {folder}/imported ;;
esac
"""


def moved_object(name: str, namespace: str, **more: object) -> dict[str, Any]:
    urn = f"urn:pulumi:dev::slipway::kubernetes:apps/v1:Deployment::{name}"
    kind = "kubernetes:apps/v1:Deployment"
    return {"urn": urn, "type": kind, "id": f"{namespace}/{name}", **more}


def test_objects_of_a_namespace_that_a_stack_moves_back_to_are_not_deleted(
    tmp_path: Path,
) -> None:
    """Objects with the same name in the new namespace have replaced them."""
    kept = [
        moved_object("web", "new"),
        moved_object("job-2", "old"),
        {**moved_object("job-1", "old", delete=True), "urn": moved_object("job-2", "old")["urn"]},
    ]
    resources = [*kept, moved_object("web", "old", delete=True)]
    made = stack(tmp_path, {"resources": resources})
    (tmp_path / "pulumi").write_text(MOVED.format(folder=tmp_path))
    made.select()
    # As a refresh does after an interrupted update.
    kept, resources = ([{**one, "modified": "later"} for one in some] for some in (kept, resources))
    (tmp_path / "state").write_text(json.dumps({"deployment": {"resources": resources}}))
    made.keep_moved_back(["new"])
    assert not (tmp_path / "imported").exists()
    made.keep_moved_back(["old"])
    imported = json.loads((tmp_path / "imported").read_text())
    assert imported["deployment"]["resources"] == kept


def test_objects_that_are_tainted_are_named(tmp_path: Path) -> None:
    made = stack(
        tmp_path, {"resources": [moved_object("web", "home", taint=True), namespace("home", "1")]}
    )
    made.select()
    assert made.tainted() == ["web"]


@pytest.mark.parametrize(
    ("arguments", "variables", "logs_debug"),
    [
        (("--debug",), {}, True),
        (("--yes", "-d"), {}, True),
        (("-yd",), {}, True),
        ((), {"PULUMI_OPTION_DEBUG": "true"}, True),
        (("--diff", "--yes"), {}, False),
    ],
)
def test_the_program_logs_debug_messages_only_if_the_cli_shows_them(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    arguments: tuple[str, ...],
    variables: dict[str, str],
    logs_debug: bool,
) -> None:
    served: list[bool] = []

    def serve(*_: Any, logs_debug: bool) -> AbstractContextManager[str]:
        served.append(logs_debug)
        return nullcontext("127.0.0.1:1")

    monkeypatch.setattr("commands.program_server.served_program", serve)
    made = stack(tmp_path, {})
    Stack("dev", {**made.environment, **variables}).preview(*arguments)
    assert served == [logs_debug]
