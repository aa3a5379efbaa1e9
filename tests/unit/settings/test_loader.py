"""Loading of a stack's configuration from its file and from the engine."""

import json
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
from tests.unit.stacks import CANARY, DIGEST, SMALLEST, changed

PROJECT = Path(__file__).resolve().parents[3]
STACKS = ("dev", "prod")


@pytest.fixture
def version_file(tmp_path: Path) -> Path:
    """File with the version that the working tree builds: 1.0.0."""
    file = tmp_path / "app" / "VERSION"
    file.parent.mkdir()
    file.write_text("1.0.0\n")
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


def errors_of(
    folder: Path, changes: dict[str, Any], version_file: Path | None = None
) -> tuple[str, ...]:
    """Return the errors of the smallest stack with ``changes``."""
    with pytest.raises(SettingsError) as error:
        load(stack_file(folder, changed(SMALLEST, changes)), version_file)
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
        ({"config": {"faults": {"errorRate": True}}}, "is true: use a number from 0 to 1"),
        # strings
        ({"config": {"message": "x" * 257}}, f'is "{"x" * 79}…: use a string of at most 256'),
        (
            {"config": {"message": 7}},
            "config.message is 7: use a string of at most 256 characters, in quotes "
            "(`pulumi config set --path --type string`)",
        ),
        (
            {"config": {"message": False}},
            "message is false: use a string of at most 256 characters",
        ),
        (
            {"workload": {"ephemeralStorage": 64}},
            "like '512Mi', in quotes (`pulumi config set --path --type string`)",
        ),
        (
            {"release": {"stable": {"version": 1.2}}},
            "1.4.0-rc.1, in quotes (`pulumi config set --path --type string`)",
        ),
        ({"config": {"message": {"a": 1}}}, 'is {"a": 1}: use a string of at most 256 characters'),
        ({"cluster": {"context": ""}}, 'cluster.context is "": use a string of at most 253'),
        ({"routing": {"host": "Not ok!"}}, 'host is "Not ok!": use a DNS name in lower case'),
        ({"routing": {"host": 7}}, "host is 7: use a DNS name in lower case"),
        ({"routing": {"host": None}}, "host is null: use a DNS name in lower case"),
        ({"workload": {"ephemeralStorage": "64"}}, 'is "64": use bytes with a suffix of Ki, Mi'),
        ({"config": {"drain": "6m"}}, 'drain is "6m": use a duration from 0s to 5m'),
        # enumerations
        ({"routing": {"backend": "istio"}}, 'backend is "istio": use "ingress" or "gateway"'),
        ({"routing": {"backend": 1}}, 'backend is 1: use "ingress" or "gateway"'),
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
        ({"image": {"buildArgs": []}}, "buildArgs is []: use a mapping; each value: a string"),
        ({"image": {"buildArgs": {"A": 1}}}, "buildArgs.A is 1: use a string of at most 1024"),
        ({"image": {"buildArgs": {"a": "b"}}}, 'buildArgs is "a": use a build argument\'s name'),
        # sections
        ({"autoscaling": 1}, "autoscaling is 1: use a mapping with the keys enabled, minReplicas"),
        (
            {"workload": {"probes": []}},
            "workload.probes is []: use a mapping with the keys startup",
        ),
        ({"slo": {"latency": 1}}, "slo.latency is 1: use a mapping with the keys objective"),
        # missing keys
        ({"image": {"registry": None}}, "image.registry is null: use a registry's host and port"),
        (
            {"release": {"strategy": "canary", "canary": {"weight": 10}}},
            "release.canary.version is missing: use MAJOR.MINOR.PATCH",
        ),
        # unknown keys
        ({"rooting": {}}, "rooting is not a key: did you mean routing?"),
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
    assert error.startswith(f"slipway:{next(iter(changes))}")
    assert message in error


@pytest.mark.parametrize("section", ["namespace", "image", "release", "routing"])
def test_a_missing_section_is_refused(tmp_path: Path, section: str) -> None:
    sections = {name: value for name, value in SMALLEST.items() if name != section}
    with pytest.raises(SettingsError) as error:
        load(stack_file(tmp_path, sections))
    (message,) = error.value.errors
    assert message.startswith(f"slipway:{section} is missing: use a mapping with the keys ")


def test_all_errors_are_reported_at_once(tmp_path: Path) -> None:
    sections = {
        "image": {"registry": "https://here", "repository": "UPPER"},
        "release": {"stable": {"version": "latest"}},
        "workload": {"resources": {"requests": {"cpu": "2", "memory": "2Gi"}}},
    }
    with pytest.raises(SettingsError) as error:
        load(stack_file(tmp_path, sections))
    assert sorted(message.partition(" is ")[0] for message in error.value.errors) == [
        "slipway:image.registry",
        "slipway:image.repository",
        "slipway:namespace",
        "slipway:release.stable.version",
        "slipway:routing",
        "slipway:workload.resources.requests.cpu",
        "slipway:workload.resources.requests.memory",
    ]
    assert str(error.value).startswith("Pulumi.test.yaml has 7 errors:\n  slipway:")


def test_a_version_without_a_digest_must_be_that_of_the_working_tree(
    tmp_path: Path, version_file: Path
) -> None:
    stable = {"release": {"stable": {"version": "0.9.0"}}}
    assert errors_of(tmp_path, stable, version_file) == (
        'slipway:release.stable.version is "0.9.0": use 1.0.0 as in app/VERSION, or add the '
        "digest of the published image",
    )


def test_a_version_with_a_digest_may_be_any(tmp_path: Path, version_file: Path) -> None:
    pinned = {"release": {"stable": {"version": "0.9.0", "digest": DIGEST}}}
    assert load(stack_file(tmp_path, changed(SMALLEST, pinned)), version_file)


def test_an_invalid_version_file_is_refused(tmp_path: Path, version_file: Path) -> None:
    version_file.write_text("latest\n")
    assert errors_of(tmp_path, {}, version_file) == (
        'app/VERSION is "latest": use MAJOR.MINOR.PATCH or MAJOR.MINOR.PATCH-PRERELEASE, '
        "like 1.4.0 or 1.4.0-rc.1",
    )


@pytest.mark.parametrize("secret", ["hunter2", {"secure": "a", "b": "c"}, {"secure": 1}, 7])
def test_a_secret_in_plain_text_is_refused_and_not_repeated(tmp_path: Path, secret: Any) -> None:
    (error,) = errors_of(tmp_path, {"service": {"adminToken": secret}})
    assert error == (
        "slipway:service.adminToken is not encrypted: use an encrypted value: set it with "
        "`pulumi config set --secret --path`"
    )


def test_an_encrypted_value_is_accepted_only_for_a_secret(tmp_path: Path) -> None:
    encrypted = {"secure": "v1:abc:def"}
    secret = changed(SMALLEST, {"service": {"adminToken": encrypted}})
    assert load(stack_file(tmp_path, secret)).service.admin_token
    (error,) = errors_of(tmp_path, {"routing": {"host": encrypted}})
    assert error.startswith("slipway:routing.host is ")


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Passes sections to the program as the engine does; stack files are in ``tmp_path``."""
    monkeypatch.setattr(settings.stack_file, "PROJECT_FOLDER", tmp_path)
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
        {"routing": {"host": None}},
        {"config": 1},
    ],
)
def test_the_program_refuses_the_same_values_as_commands_with_the_same_message(
    tmp_path: Path, version_file: Path, engine: Any, changes: dict[str, Any]
) -> None:
    sections = changed(SMALLEST, changes)
    engine(sections)
    with pytest.raises(pulumi.RunError) as in_program:
        from_pulumi(version_file)
    with pytest.raises(SettingsError) as in_command:
        load(stack_file(tmp_path, sections), version_file)
    assert str(in_program.value) == str(in_command.value)


def test_the_program_refuses_a_stack_file_with_values_that_parsers_read_differently(
    tmp_path: Path, version_file: Path, engine: Any
) -> None:
    engine(changed(SMALLEST, {"autoscaling": {"maxReplicas": 8}}))
    text = "config:\n  slipway:autoscaling: {maxReplicas: 010}\n"
    (tmp_path / "Pulumi.test.yaml").write_text(text)
    with pytest.raises(pulumi.RunError, match=r"slipway:autoscaling\.maxReplicas is 010: use"):
        from_pulumi(version_file)


@pytest.mark.parametrize("section", ['{"port": 8081}', {"secure": "v1:abc:def"}])
def test_the_program_refuses_a_section_that_is_a_string_or_a_secret(
    tmp_path: Path, version_file: Path, engine: Any, section: Any
) -> None:
    stack_file(tmp_path, {"service": section})
    engine({**SMALLEST, "service": {"port": 8081}})  # the engine decrypts and parses it
    with pytest.raises(pulumi.RunError, match=r"slipway:service"):
        from_pulumi(version_file)


def test_the_program_gets_secrets_decrypted(version_file: Path, engine: Any) -> None:
    engine(changed(SMALLEST, {"service": {"adminToken": {"secure": "v1:abc:def"}}}))
    token = from_pulumi(version_file).service.admin_token
    assert token is not None
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
        ("service.adminToken", "hunter2\n", "ASCII characters without blanks and line breaks"),
        ("service.adminToken", "hünter2", "ASCII characters without blanks and line breaks"),
    ],
)
def test_the_program_refuses_a_secret_of_the_wrong_format_without_its_value(
    version_file: Path, engine: Any, key: str, secret: str, allowed: str
) -> None:
    engine(changed(SMALLEST, nested(key, secret)), secret=True)
    with pytest.raises(pulumi.RunError) as error:
        from_pulumi(version_file)
    message = f"  slipway:{key} has a secret of the wrong format: use {allowed}"
    assert str(error.value).splitlines()[1:] == [message]


@pytest.mark.parametrize(
    "url", ["https://hooks.example.com/services/T0/B0?x=%20y", "http://user:p%40ss@10.0.0.1:8080"]
)
def test_the_program_accepts_the_url_of_a_receiver(
    version_file: Path, engine: Any, url: str
) -> None:
    webhook = "observability.alerts.page.webhook"
    engine(changed(SMALLEST, nested(webhook, url)), secret=True)
    page = from_pulumi(version_file).observability.alerts.page
    assert page.webhook
    assert page.webhook.get_secret_value() == url


@pytest.mark.parametrize(
    "encrypted",
    [
        {"routing": {"host": {"secure": "v1:abc"}}},
        {"routing": {"paths": ["/", {"secure": "v1:abc"}]}},
        {"image": {"credentials": [{"secure": "v1:abc"}]}},
        {"image": {"credentials": {"username": "robot", "pasword": {"secure": "v1:abc"}}}},
    ],
)
def test_the_program_shows_no_value_that_is_encrypted_in_the_wrong_place(
    tmp_path: Path, version_file: Path, engine: Any, encrypted: dict[str, Any]
) -> None:
    stack_file(tmp_path, changed(SMALLEST, encrypted))
    decrypted = json.loads(json.dumps(encrypted).replace('{"secure": "v1:abc"}', '"hunter 2"'))
    engine(changed(SMALLEST, decrypted), secret=True)
    with pytest.raises(pulumi.RunError, match=f"slipway:{next(iter(encrypted))}") as error:
        from_pulumi(version_file)
    assert "hunter" not in str(error.value)


def test_half_of_a_surrogate_pair_is_refused(version_file: Path, engine: Any) -> None:
    engine(changed(SMALLEST, {"config": {"message": "\ud800"}}))
    with pytest.raises(pulumi.RunError, match=r"message has half of a surrogate pair, which is"):
        from_pulumi(version_file)


def test_of_many_errors_the_first_are_shown() -> None:
    error = SettingsError("Pulumi.test.yaml", [f"key{number} is wrong" for number in range(5000)])
    assert len(error.errors) == 5000
    assert str(error).splitlines()[-2:] == ["  key49 is wrong", "  and 4950 more"]


@pytest.mark.parametrize("stack", STACKS)
def test_the_stacks_of_the_project_are_valid(stack: str) -> None:
    assert load(stack)


def test_the_canary_of_a_release_is_loaded(tmp_path: Path) -> None:
    release = load(stack_file(tmp_path, changed(SMALLEST, {"release": CANARY}))).release
    assert release.canary_weight == 10
    assert {track: one.version for track, one in release.tracks.items()} == {
        "stable": "1.0.0",
        "canary": "1.1.0",
    }
