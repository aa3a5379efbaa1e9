"""Loading of a stack's configuration from its file and from the engine."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pulumi.runtime import set_all_config, set_mocks

import settings.stack_file
from render import engine_config
from settings import SettingsError, from_pulumi, load
from settings.secret import ENCRYPTED
from tests.unit.harness import Registry
from tests.unit.stacks import BEACON, CANARY, DIGEST, SERVICE_KEYS, SMALLEST, changed, sections

PROJECT = Path(__file__).resolve().parents[3]
STACKS = ("dev", "prod")


@pytest.fixture
def version_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File with the version that the source of beacon builds: 1.0.0."""
    monkeypatch.setattr(settings.stack_file, "PROJECT_FOLDER", tmp_path)
    file = tmp_path / "app" / "VERSION"
    file.parent.mkdir()
    file.write_text("1.0.0\n")
    (file.parent / "Dockerfile").write_text("FROM scratch\n")
    return file


def stack_file(folder: Path, sections: dict[str, Any]) -> str:
    """Write a stack file with these sections; return its path."""
    file = folder / "Pulumi.test.yaml"
    file.write_text(yaml.safe_dump({"config": {f"slipway:{k}": v for k, v in sections.items()}}))
    return str(file)


def nested(path: str, value: object) -> dict[str, Any]:
    """Return sections with a value at a dotted path."""
    first, _, rest = path.partition(".")
    return {first: nested(rest, value) if rest else value}


def build(**keys: Any) -> dict[str, Any]:
    """Return the section ``image.build`` of a service."""
    return {"image": {"build": keys}}


def errors_of(
    folder: Path, changes: dict[str, Any], *, check_sources: bool = False
) -> tuple[str, ...]:
    """Return the errors of the smallest stack with ``changes``."""
    with pytest.raises(SettingsError) as error:
        load(stack_file(folder, sections(**changes)), check_sources=check_sources)
    return error.value.errors


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # booleans
        ({"autoscaling": {"enabled": "true"}}, 'enabled is "true": use true or false'),
        ({"autoscaling": {"enabled": 1}}, "enabled is 1: use true or false"),
        ({"autoscaling": {"enabled": None}}, "enabled is null: use true or false"),
        # integers
        ({"autoscaling": {"maxReplicas": 0}}, "maxReplicas is 0: use an integer from 1 to 1000"),
        ({"autoscaling": {"maxReplicas": 1001}}, "is 1001: use an integer from 1 to 1000"),
        ({"autoscaling": {"maxReplicas": 1.5}}, "is 1.5: use an integer from 1 to 1000"),
        ({"autoscaling": {"maxReplicas": "10"}}, 'is "10": use an integer from 1 to 1000'),
        ({"autoscaling": {"maxReplicas": True}}, "is true: use an integer from 1 to 1000"),
        ({"autoscaling": {"maxReplicas": None}}, "is null: use an integer from 1 to 1000"),
        ({"autoscaling": {"maxReplicas": [10]}}, "is [10]: use an integer from 1 to 1000"),
        ({"autoscaling": {"targetMemory": 101}}, "is 101: use an integer from 1 to 100"),
        # numbers
        ({"slo": {"availability": 49}}, "slo.availability is 49: use a number from 50 to 99.999"),
        ({"slo": {"availability": 100}}, "slo.availability is 100: use a number from 50"),
        ({"slo": {"availability": "99.9"}}, 'availability is "99.9": use a number from 50'),
        ({"tracing": {"sampleRatio": True}}, "is true: use a number from 0 to 1"),
        # strings
        ({"cluster": {"context": "x" * 254}}, f'is "{"x" * 79}…: use a string of at most 253'),
        (
            {"cluster": {"context": 7}},
            "cluster.context is 7: use a string of at most 253 characters, in quotes "
            "(`pulumi config set --path --type string`)",
        ),
        (
            {"cluster": {"context": False}},
            "context is false: use a string of at most 253 characters",
        ),
        (
            {"workload": {"ephemeralStorage": 64}},
            "like '512Mi', in quotes (`pulumi config set --path --type string`)",
        ),
        (
            {"release": {"stable": {"version": 1.2}}},
            "1.4.0-rc.1, in quotes (`pulumi config set --path --type string`)",
        ),
        ({"cluster": {"context": {"a": 1}}}, 'is {"a": 1}: use a string of at most 253 characters'),
        ({"cluster": {"context": ""}}, 'cluster.context is "": use a string of at most 253'),
        ({"routing": {"hosts": ["Not ok!"]}}, 'hosts[0] is "Not ok!": use a DNS name in lower'),
        ({"routing": {"hosts": [7]}}, "hosts[0] is 7: use a DNS name in lower case"),
        ({"routing": {"hosts": None}}, "hosts is null: use a list; each item: a DNS name in lower"),
        ({"workload": {"ephemeralStorage": "64"}}, 'is "64": use bytes with a suffix of Ki, Mi'),
        # enumerations
        (
            {"routing": {"backend": "envoy"}},
            'backend is "envoy": use "ingress" or "gateway" or "istio"',
        ),
        ({"routing": {"backend": 1}}, 'backend is 1: use "ingress" or "gateway" or "istio"'),
        # IntOrPercent
        (
            {"workload": {"rollout": {"maxSurge": "25"}}},
            'maxSurge is "25": use a number of pods, or a percentage from 0% to 100% in quotes',
        ),
        ({"workload": {"rollout": {"maxSurge": 1001}}}, "maxSurge is 1001: use a number of pods"),
        # lists
        ({"routing": {"paths": "/"}}, 'paths is "/": use a list; each item: a path'),
        ({"routing": {"paths": []}}, "paths is []: use a list; each item: a path"),
        ({"routing": {"paths": ["/", "a"]}}, 'paths[1] is "a": use a path that begins with /'),
        (
            {"image": {"platforms": ["linux/386"]}},
            'platforms[0] is "linux/386": use "linux/amd64" or "linux/arm64"',
        ),
        (
            {"workload": {"scheduling": {"tolerations": [{"key": "a", "effect": "No"}]}}},
            'tolerations[0].effect is "No": use "NoSchedule" or',
        ),
        # mappings
        (build(arguments=[]), "arguments is []: use a mapping; each value: a string"),
        (build(arguments={"A": 1}), "arguments.A is 1: use a string of at most 1024"),
        (build(arguments={"a": "b"}), 'arguments is "a": use a build argument\'s name'),
        (build(arguments={"VERSION": "1"}), 'arguments.VERSION is "1": use another name'),
        (build(secrets={"netrc": "hunter2"}), "secrets.netrc is not encrypted: use an encrypted"),
        (build(mainPackage="cmd/shop"), 'mainPackage is "cmd/shop": use . or a folder below'),
        (build(mainPackage="./../shop"), 'mainPackage is "./../shop": use . or a folder below'),
        (build(dockerfile="../Dockerfile"), 'dockerfile is "../Dockerfile": use a path below'),
        (build(versionVariable="version"), 'is "version": use main or an import path, and a'),
        (build(cgo=True), "build.baseImage is missing: use an image with a C library"),
        # sections
        ({"autoscaling": 1}, "autoscaling is 1: use a mapping with the keys enabled, minReplicas"),
        (
            {"probes": []},
            "probes is []: use a mapping with the keys startup",
        ),
        ({"slo": {"latency": 1}}, "slo.latency is 1: use a mapping with the keys objective"),
        # missing keys
        ({"registry": {"host": None}}, "registry.host is null: use a registry's host and port"),
        (
            {"release": {"strategy": "canary", "canary": {"weight": 10}}},
            "release.canary.version is missing: use MAJOR.MINOR.PATCH",
        ),
        # unknown keys
        ({"netwrk": {}}, "netwrk is not a key: did you mean network?"),
        ({"autoscaling": {"maxReplcas": 3}}, "maxReplcas is not a key: did you mean maxReplicas?"),
        ({"autoscaling": {"max_replicas": 3}}, "is not a key: did you mean maxReplicas?"),
        ({"autoscaling": {"targetCpu": 3}}, "is not a key: did you mean targetCPU?"),
        ({"network": {"x": 1}}, "network.x is not a key: use proxyNamespace, monitoringNamespace"),
        (
            {"autoscaling": {"podMetrics": [{"name": "a", "averageValue": 1, "average": 1}]}},
            "podMetrics[0].average is not a key: did you mean averageValue?",
        ),
    ],
)
def test_an_invalid_value_is_refused_with_its_key_and_the_allowed_values(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    (error,) = errors_of(tmp_path, changes)
    (key,) = changes
    assert error.startswith(f"slipway:{'services.beacon.' * (key in SERVICE_KEYS)}{key}")
    assert message in error


@pytest.mark.parametrize("section", ["namespace", "registry", "release"])
def test_a_missing_section_is_refused(tmp_path: Path, section: str) -> None:
    beacon = {name: value for name, value in BEACON.items() if name != section}
    stack = {**SMALLEST, "services": {"beacon": beacon}}
    stack.pop(section, None)
    with pytest.raises(SettingsError) as error:
        load(stack_file(tmp_path, stack))
    (message,) = error.value.errors
    assert (
        message.removeprefix("slipway:")
        .removeprefix("services.beacon.")
        .startswith(f"{section} is missing: use a mapping with the keys ")
    )


def test_all_errors_are_reported_at_once(tmp_path: Path) -> None:
    beacon = {
        "image": {"repository": "UPPER"},
        "release": {"stable": {"version": "latest"}},
        "workload": {"resources": {"requests": {"cpu": "2", "memory": "2Gi"}}},
    }
    stack = {"registry": {"host": "https://here"}, "services": {"beacon": beacon}}
    with pytest.raises(SettingsError) as error:
        load(stack_file(tmp_path, stack))
    assert sorted(message.partition(" is ")[0] for message in error.value.errors) == [
        "slipway:namespace",
        "slipway:registry.host",
        "slipway:services.beacon.image.repository",
        "slipway:services.beacon.release.stable.version",
        "slipway:services.beacon.workload.resources.requests.cpu",
        "slipway:services.beacon.workload.resources.requests.memory",
    ]
    assert str(error.value).startswith("Pulumi.test.yaml has 6 errors:\n  slipway:")


@pytest.mark.usefixtures("version_file")
def test_a_version_without_a_digest_must_be_that_of_the_version_file(tmp_path: Path) -> None:
    stable = {"release": {"stable": {"version": "0.9.0"}}}
    assert errors_of(tmp_path, stable, check_sources=True) == (
        'slipway:services.beacon.release.stable.version is "0.9.0": use 1.0.0 as in app/VERSION, '
        "or add the digest of the published image",
    )


@pytest.mark.usefixtures("version_file")
def test_a_version_with_a_digest_may_be_any(tmp_path: Path) -> None:
    pinned = {"stable": {"version": "0.9.0", "digest": DIGEST}}
    assert load(stack_file(tmp_path, sections(release=pinned)), check_sources=True)


def test_without_a_version_file_the_working_tree_builds_the_version_of_the_stack_file(
    tmp_path: Path, version_file: Path
) -> None:
    version_file.unlink()
    unpinned = {"stable": {"version": "0.9.0"}}
    assert load(stack_file(tmp_path, sections(release=unpinned)), check_sources=True)


def test_a_source_that_cannot_be_built_is_refused(tmp_path: Path, version_file: Path) -> None:
    (version_file.parent / "Dockerfile").unlink()
    (error,) = errors_of(tmp_path, {}, check_sources=True)
    assert (
        error
        == 'slipway:services.beacon.source is "app": use a folder with a go.mod or a Dockerfile'
    )
    shutil.rmtree(version_file.parent)
    (error,) = errors_of(tmp_path, {}, check_sources=True)
    assert error.startswith('slipway:services.beacon.source is "app": use a folder that exists')


def test_only_a_service_whose_versions_are_published_needs_no_source(tmp_path: Path) -> None:
    (error,) = errors_of(tmp_path, {"source": None})
    assert error.startswith("slipway:services.beacon.source is missing: use the folder")
    published = {"stable": {"version": "0.9.0", "digest": DIGEST}}
    assert load(stack_file(tmp_path, sections(source=None, release=published)))


def test_an_invalid_version_file_is_refused(tmp_path: Path, version_file: Path) -> None:
    version_file.write_text("latest\n")
    assert errors_of(tmp_path, {}, check_sources=True) == (
        'app/VERSION is "latest": use MAJOR.MINOR.PATCH or MAJOR.MINOR.PATCH-PRERELEASE, '
        "like 1.4.0 or 1.4.0-rc.1",
    )


@pytest.mark.parametrize("secret", ["hunter2", {"secure": "a", "b": "c"}, {"secure": 1}, 7])
def test_a_secret_in_plain_text_is_refused_and_not_repeated(tmp_path: Path, secret: Any) -> None:
    (error,) = errors_of(tmp_path, {"image": {"build": {"secrets": {"netrc": secret}}}})
    assert error == (
        "slipway:services.beacon.image.build.secrets.netrc is not encrypted: use an encrypted "
        "value: set it with `pulumi config set --secret --path`"
    )


def test_a_user_name_of_a_registry_has_no_colon(tmp_path: Path) -> None:
    credentials = {"username": "a:b", "password": {"secure": "v1:abc:def"}}
    (error,) = errors_of(tmp_path, {"registry": {"credentials": credentials}})
    assert error == (
        'slipway:registry.credentials.username is "a:b": use a user name without a colon'
    )


def test_an_encrypted_value_is_accepted_only_for_a_secret(tmp_path: Path) -> None:
    encrypted = {"secure": "v1:abc:def"}
    stack = load(stack_file(tmp_path, sections(**build(secrets={"netrc": encrypted}))))
    assert stack.services["beacon"].image.build.secrets
    (error,) = errors_of(tmp_path, {"routing": {"hosts": [encrypted]}})
    assert error.startswith("slipway:services.beacon.routing.hosts[0] is ")


@pytest.fixture
def engine(version_file: Path) -> Iterator[Any]:
    """Passes sections to the program as the engine does; stack files are in ``tmp_path``."""
    set_mocks(Registry(), project="slipway", stack="test")

    def pass_sections(sections: dict[str, Any], *, secret: bool = False) -> None:
        config, secrets = engine_config(sections)
        set_all_config(config, [*config] if secret else secrets)

    yield pass_sections
    set_all_config({}, [])


@pytest.mark.parametrize(
    "changes",
    [
        {"autoscaling": {"minReplicas": "many", "maxReplcas": 1}},
        {"autoscaling": {"minReplicas": 50}},
        {"release": {"stable": {"version": "3.0.0"}}},
        {"routing": {"hosts": None}},
        {"config": 1},
    ],
)
def test_the_program_refuses_the_same_values_as_commands_with_the_same_message(
    tmp_path: Path, engine: Any, changes: dict[str, Any]
) -> None:
    stack = sections(**changes)
    engine(stack)
    with pytest.raises(pulumi.RunError) as in_program:
        from_pulumi()
    with pytest.raises(SettingsError) as in_command:
        load(stack_file(tmp_path, stack), check_sources=True)
    assert str(in_program.value) == str(in_command.value)


def test_the_program_refuses_a_stack_file_with_values_that_parsers_read_differently(
    tmp_path: Path, engine: Any
) -> None:
    engine(sections(cluster={"context": "8"}))
    text = "config:\n  slipway:cluster: {context: 010}\n"
    (tmp_path / "Pulumi.test.yaml").write_text(text)
    with pytest.raises(pulumi.RunError, match=r"slipway:cluster\.context is 010: use"):
        from_pulumi()


@pytest.mark.parametrize("section", ['{"context": "prod"}', {"secure": "v1:abc:def"}])
def test_the_program_refuses_a_section_that_is_a_string_or_a_secret(
    tmp_path: Path, engine: Any, section: Any
) -> None:
    stack_file(tmp_path, {"cluster": section})
    engine(sections(cluster={"context": "prod"}))  # the engine decrypts and parses it
    with pytest.raises(pulumi.RunError, match=r"slipway:cluster"):
        from_pulumi()


def test_the_program_refuses_a_stack_that_another_program_owns_except_to_render_it(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = "https://git.example.com/environments.git"
    delivery = {"mode": "gitops", "engine": "flux", "repository": repository, "path": "prod"}
    engine(sections(delivery=delivery))
    assert from_pulumi().delivery.is_gitops
    monkeypatch.setattr("pulumi.runtime.settings.get_monitor", lambda: None)
    with pytest.raises(pulumi.RunError, match=r"delivery\.mode is .*: Flux owns the stack, and"):
        from_pulumi()


def test_the_program_gets_secrets_decrypted(engine: Any) -> None:
    engine(sections(**build(secrets={"netrc": {"secure": "v1:abc:def"}})))
    token = from_pulumi().services["beacon"].image.build.secrets["netrc"]
    assert token.get_secret_value() == ENCRYPTED
    assert ENCRYPTED not in repr(token)


@pytest.mark.parametrize(
    ("key", "secret", "allowed"),
    [
        *(
            ("observability.alerts.page.webhook", secret, "a URL, like https://example.com/path")
            for secret in (
                *(
                    "hooks.example.com/hunter2",
                    r"https:\/\/example.com\/hunter2",
                    "https://hunter2 ",
                ),
                *("ftp://example.com/hunter2", "https:///hunter2", "https://example.com/\nhunter2"),
            )
        ),
        ("observability.alerts.ticket.slack", "hunter2", "a URL, like https://example.com/path"),
        ("observability.alerts.heartbeat", "hunter2", "a URL, like https://example.com/path"),
    ],
)
def test_the_program_refuses_a_secret_of_the_wrong_format_without_its_value(
    engine: Any, key: str, secret: str, allowed: str
) -> None:
    engine(changed(SMALLEST, nested(key, secret)), secret=True)
    with pytest.raises(pulumi.RunError) as error:
        from_pulumi()
    message = f"  slipway:{key} has a secret of the wrong format: use {allowed}"
    assert str(error.value).splitlines()[1:] == [message]


@pytest.mark.parametrize(
    "url", ["https://hooks.example.com/services/T0/B0?x=%20y", "http://user:p%40ss@10.0.0.1:8080"]
)
def test_the_program_accepts_the_url_of_a_receiver(engine: Any, url: str) -> None:
    webhook = "observability.alerts.page.webhook"
    engine(changed(SMALLEST, nested(webhook, url)), secret=True)
    page = from_pulumi().observability.alerts.page
    assert page.webhook
    assert page.webhook.get_secret_value() == url


@pytest.mark.parametrize(
    "encrypted",
    [
        {"routing": {"hosts": [{"secure": "v1:abc"}]}},
        {"routing": {"paths": ["/", {"secure": "v1:abc"}]}},
        {"registry": {"credentials": [{"secure": "v1:abc"}]}},
        {"registry": {"credentials": {"username": "robot", "pasword": {"secure": "v1:abc"}}}},
    ],
)
def test_the_program_shows_no_value_that_is_encrypted_in_the_wrong_place(
    tmp_path: Path, engine: Any, encrypted: dict[str, Any]
) -> None:
    stack_file(tmp_path, sections(**encrypted))
    decrypted = json.loads(json.dumps(encrypted).replace('{"secure": "v1:abc"}', '"hunter 2"'))
    engine(sections(**decrypted), secret=True)
    with pytest.raises(pulumi.RunError, match=rf"slipway:.*{next(iter(encrypted))}") as error:
        from_pulumi()
    assert "hunter" not in str(error.value)


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("context", {"cluster": {"context": "\ud800"}}),
        ("config", {"config": {"message": ["\ud800"]}}),
        ("env.NAME", {"env": {"NAME": "\ud800"}}),
    ],
)
def test_an_unpaired_surrogate_is_refused(engine: Any, key: str, changes: dict[str, Any]) -> None:
    engine(sections(**changes))
    with pytest.raises(pulumi.RunError, match=rf"{key} has an unpaired surrogate, which is not"):
        from_pulumi()


def test_of_many_errors_the_first_are_shown() -> None:
    error = SettingsError("Pulumi.test.yaml", [f"key{number} is wrong" for number in range(5000)])
    assert len(error.errors) == 5000
    assert str(error).splitlines()[-2:] == ["  key49 is wrong", "  and 4950 more"]


@pytest.mark.parametrize("stack", STACKS)
def test_the_stacks_of_the_project_are_valid(stack: str) -> None:
    assert load(stack)


def test_the_canary_of_a_release_is_loaded(tmp_path: Path) -> None:
    release = load(stack_file(tmp_path, sections(release=CANARY))).services["beacon"].release
    assert release.canary_weight == 10
    assert {track: one.version for track, one in release.tracks.items()} == {
        "stable": "1.0.0",
        "canary": "1.1.0",
    }
