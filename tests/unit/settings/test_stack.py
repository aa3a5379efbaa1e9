"""Every key of a stack: what it may be, what it says when it is not, and what it is by default."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pulumi.runtime import set_all_config, set_mocks

from render import engine_config
from settings import Settings, SettingsError, from_pulumi, load
from tests.unit.harness import Registry
from tests.unit.stacks import CANARY, DIGEST, SMALLEST, changed, settings

PROJECT = Path(__file__).resolve().parents[3]
STACKS = sorted(path.name.split(".")[1] for path in PROJECT.glob("Pulumi.*.yaml"))
SCHEMA = Settings.model_json_schema()

Key = tuple[str, ...]
Node = dict[str, Any]


@pytest.fixture
def version_file(tmp_path: Path) -> Path:
    """The version that the working tree builds: 1.0.0."""
    file = tmp_path / "app" / "VERSION"
    file.parent.mkdir()
    file.write_text("1.0.0\n")
    return file


def stack_file(folder: Path, sections: dict[str, Any]) -> str:
    """A stack file with these sections; its path, as `load` takes it."""
    file = folder / "Pulumi.test.yaml"
    file.write_text(yaml.safe_dump({"config": {f"slipway:{k}": v for k, v in sections.items()}}))
    return str(file)


def refused(folder: Path, sections: dict[str, Any], built: Path | None = None) -> list[str]:
    """The problems of a stack file with these sections, one per line."""
    with pytest.raises(SettingsError) as error:
        load(stack_file(folder, sections), built)
    return list(error.value.errors)


def nested(key: Key, value: object) -> dict[str, Any]:
    """``value`` at ``key``, with what the key's neighbours need beside it."""
    base: dict[str, Any] = SMALLEST
    if key[:2] == ("release", "canary"):
        base = changed(SMALLEST, {"release": CANARY})
    for part in reversed(key):
        value = [value] if part == "[]" else {part: value}
    return changed(base, value)  # type: ignore[arg-type]


def written(key: Key) -> str:
    """A key as errors write it."""
    return "slipway:" + ".".join(key).replace(".[]", "[0]")


def resolved(node: Node) -> Node:
    if options := node.get("anyOf"):
        node = next(option for option in options if option.get("type") != "null")
    while reference := node.get("$ref"):
        node = SCHEMA["$defs"][reference.rpartition("/")[2]]
    return node


def all_keys(node: Node = SCHEMA, key: Key = ()) -> Iterator[tuple[Key, Node]]:
    """Every key of the schema, sections and the items of lists included."""
    for name, below in node.get("properties", {}).items():
        inner = resolved(below)
        yield (*key, name), inner
        if not inner.get("writeOnly"):
            yield from all_keys(inner, (*key, name))
        if inner.get("type") == "array":
            item = resolved(inner["items"])
            yield (*key, name, "[]"), item
            yield from all_keys(item, (*key, name, "[]"))


KEYS = list(all_keys())


def beyond(node: Node) -> Iterator[object]:
    """Values of the right type that are not allowed."""
    if "enum" in node:
        yield "nonsense"
    if node.get("type") in ("integer", "number"):
        yield node["minimum"] - 1
        yield node["maximum"] + 1
    if node.get("type") == "string":
        yield "x" * (node.get("maxLength", 0) + 1)
        if "pattern" in node:
            yield "Not ok!"


def wrong_types(node: Node) -> Iterator[object]:
    """Values of other types."""
    kind = node.get("type")
    yield {"wrong": 1} if kind in ("string", "integer", "number", "boolean", "array") else [1]
    yield "true" if kind in ("boolean", "integer", "number", "object", "array") else 7
    if kind == "integer":
        yield 1.5
    yield None if kind == "boolean" else True if kind != "boolean" else 1


WRONG = [
    pytest.param(key, value, id=f"{written(key)}={value!r:.30}")
    for key, node in KEYS
    for value in (*beyond(node), *wrong_types(node))
    # A secret's and a count's own tests are below.
    if not node.get("writeOnly") and "maxSurge" not in key and "maxUnavailable" not in key
]


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_wrong_value_is_refused_by_key_value_and_what_is_allowed(
    tmp_path: Path, key: Key, value: object
) -> None:
    problems = refused(tmp_path, nested(key, value))
    about = [line for line in problems if line.startswith(f"{written(key)}")]
    assert about, problems
    if not isinstance(value, dict):
        assert json.dumps(value)[:80] in about[0]
    assert "use " in about[0] or "did you mean" in about[0]


@pytest.mark.parametrize(
    "section", [key for key, node in KEYS if "properties" in node and not node.get("writeOnly")]
)
def test_an_unknown_key_is_refused_in_every_section(tmp_path: Path, section: Key) -> None:
    key = (*section, "nonsense")
    assert any(
        line.startswith(f"{written(key)} is not a key: ")
        for line in refused(tmp_path, nested(key, 1))
    )


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        ({"autoscaling": {"maxReplcas": 3}}, "autoscaling.maxReplcas is not a key: did you mean"),
        ({"autoscaling": {"max_replicas": 3}}, "autoscaling.max_replicas is not a key: did you"),
        (
            {"autoscaling": {"targetCpu": 3}},
            "autoscaling.targetCpu is not a key: did you mean targ",
        ),
        ({"rooting": {}}, "rooting is not a key: did you mean routing?"),
    ],
)
def test_a_misspelt_key_is_answered_with_the_right_one(
    tmp_path: Path, sections: dict[str, Any], says: str
) -> None:
    (line,) = refused(tmp_path, changed(SMALLEST, sections))
    assert line.startswith(f"slipway:{says}")


@pytest.mark.parametrize("port", [0, 65536, 99999])
def test_a_port_that_there_cannot_be_is_refused(tmp_path: Path, port: int) -> None:
    kafka = {"brokers": [f"kafka:{port}"]}
    (line,) = refused(
        tmp_path,
        changed(SMALLEST, {"observability": {"mode": "bundled", "logs": {"kafka": kafka}}}),
    )
    assert line.startswith(f'slipway:observability.logs.kafka.brokers[0] is "kafka:{port}": use')


@pytest.mark.parametrize("section", ["namespace", "image", "release", "routing"])
def test_a_missing_section_is_named(tmp_path: Path, section: str) -> None:
    sections = {name: value for name, value in SMALLEST.items() if name != section}
    (line,) = refused(tmp_path, sections)
    assert line.startswith(f"slipway:{section} is missing: use a mapping with the keys ")


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        (
            {"autoscaling": {"minReplicas": 11}},
            "autoscaling.minReplicas is 11: use at most maxReplicas, which is 10",
        ),
        (
            {"workload": {"resources": {"requests": {"cpu": "1", "memory": "1Mi"}}}},
            'workload.resources.requests.cpu is "1": use at most limits.cpu, which is 500m',
        ),
        (
            {"workload": {"resources": {"requests": {"cpu": "1m", "memory": "1G"}}}},
            'workload.resources.requests.memory is "1G": use at most limits.memory, which is 512Mi',
        ),
        (
            {"workload": {"resources": {"limits": {"cpu": "1", "memory": "3Gi"}}}},
            'workload.resources.limits.memory is "3Gi": use at most namespace.limitRange.max',
        ),
        (
            {"workload": {"rollout": {"maxSurge": 0, "maxUnavailable": "0%"}}},
            "workload.rollout.maxSurge is 0: use at least 1 if maxUnavailable is 0",
        ),
        (
            {"workload": {"rollout": {"minReadySeconds": 300}}},
            "workload.rollout.progressDeadlineSeconds is 300: use more than minReadySeconds",
        ),
        (
            {"workload": {"terminationGracePeriodSeconds": 25}},
            "workload.terminationGracePeriodSeconds is 25: use more than config.drain plus",
        ),
        (
            {"podDisruptionBudget": {"maxUnavailable": 3}},
            "podDisruptionBudget.maxUnavailable is 3: use less than the minimum number of",
        ),
        (
            {"podDisruptionBudget": {"maxUnavailable": "0%"}},
            'podDisruptionBudget.maxUnavailable is "0%": use at least 1, or no node can be drained',
        ),
        (
            {"namespace": {"resourceQuota": {"requests": {"cpu": "2", "memory": "13Gi"}}}},
            'namespace.resourceQuota.requests.cpu is "2": use at least 2.2, for the 11 pods of',
        ),
        (
            {
                "namespace": {
                    "resourceQuota": {
                        "requests": {"cpu": "10", "memory": "5Gi"},
                        "limits": {"cpu": "25", "memory": "5Gi"},
                    }
                }
            },
            'namespace.resourceQuota.limits.memory is "5Gi": use at least 5632Mi, for the 11 pods',
        ),
        (
            {"autoscaling": {"maxReplicas": 60}},
            "namespace.resourceQuota.pods is 50: use at least 61, for the 61 pods of a rollout",
        ),
        (
            {"namespace": {"resourceQuota": {"limits": {"memory": "14Gi", "cpu": "3"}}}},
            'namespace.resourceQuota.requests.cpu is "10": use at most limits.cpu, which is 3',
        ),
        (
            {"observability": {"mode": "bundled"}, "network": {"monitoringNamespace": "ingress"}},
            'network.monitoringNamespace is "ingress": use another namespace than network.proxyN',
        ),
        (
            {"observability": {"nodeNamespace": "ingress"}},
            'observability.nodeNamespace is "ingress": use another namespace than network.proxyN',
        ),
        (
            {"namespace": {"name": "ingress"}},
            'namespace.name is "ingress": use another namespace than network.proxyNamespace',
        ),
        (
            {"routing": {"paths": ["/", "/"]}},
            'routing.paths is ["/", "/"]: use each path once',
        ),
        ({"service": {"adminPort": 8080}}, "service.adminPort is 8080: use another port than"),
        (
            {"service": {"port": 6060}, "config": {"profiling": True}},
            "service.port is 6060: use another port than pprof's, or config.profiling false",
        ),
        (
            {"service": {"adminPort": 6060}, "config": {"profiling": True}},
            "service.adminPort is 6060: use another port than pprof's, or config.profiling false",
        ),
        (
            {"release": {"strategy": "rolling", "canary": CANARY["canary"]}},
            'release.strategy is "rolling": use "canary", or remove release.canary',
        ),
        (
            {"release": changed(CANARY, {"canary": {"version": "1.0.0"}})},
            'release.canary.version is "1.0.0": use another version than stable\'s',
        ),
        (
            {"image": {"builder": "docker", "platforms": ["linux/amd64", "linux/arm64"]}},
            'image.platforms is ["linux/amd64", "linux/arm64"]: use one platform with',
        ),
        (
            {"image": {"builder": "docker", "cache": "registry"}},
            'image.cache is "registry": use "builder" with image.builder docker',
        ),
        (
            {"routing": {"gateway": {"name": "public"}}},
            'routing.backend is "ingress": use "gateway", or remove routing.gateway',
        ),
        (
            {"routing": {"backend": "gateway", "ingress": {}}},
            'routing.backend is "gateway": use "ingress", or remove routing.ingress',
        ),
        (
            {"config": {"faults": {"latencyJitter": "1s"}}},
            'config.faults.latencyJitter is "1s": use at most latency, which is 0s',
        ),
        (
            {"config": {"faults": {"latency": "5s"}, "timeouts": {"write": "5s"}}},
            'config.faults.latency is "5s": use less, including its jitter, than timeouts.write',
        ),
        (
            {"config": {"timeouts": {"readHeader": "16s"}}},
            'config.timeouts.readHeader is "16s": use at most read, which is 15s',
        ),
        (
            {"observability": {"nodeNamespace": "monitoring"}},
            'observability.nodeNamespace is "monitoring": use another namespace than network.moni',
        ),
        (
            {"slo": {"availability": 99.5}},
            'observability.mode is "off": use "bundled" or "operator": slo is set',
        ),
        (
            {
                "observability": {"mode": "bundled"},
                "service": {"metrics": False},
                "slo": {"availability": 99.5},
            },
            "service.metrics is false: use true: slo is set and needs metrics",
        ),
        (
            {"observability": {"mode": "bundled", "metrics": {"retentionDays": 29}}},
            "observability.metrics.retentionDays is 29: use at least slo.windowDays, which is 30",
        ),
        (
            {"observability": {"mode": "bundled", "logs": {"retentionDays": 0}}},
            "observability.logs.retentionDays is 0: use an integer from 1 to 3650",
        ),
        (
            {"observability": {"mode": "builtin"}},
            'observability.mode is "builtin": use ',
        ),
        (
            {"observability": {"mode": "operator"}, "slo": {"availability": 100}},
            "slo.availability is 100: use a number from 50 to 99.999",
        ),
        (
            {"observability": {"mode": "operator"}, "slo": {"latency": {"objective": 100}}},
            "slo.latency.objective is 100: use a number from 50 to 99.999",
        ),
        (
            {"observability": {"mode": "operator"}, "slo": {"latency": {"threshold": "300ms"}}},
            'slo.latency.threshold is "300ms": use ',
        ),
        (
            {"observability": {"mode": "operator"}, "slo": {"windowDays": 1}},
            "slo.windowDays is 1: use ",
        ),
    ],
)
def test_a_contradiction_is_refused(tmp_path: Path, sections: dict[str, Any], says: str) -> None:
    problems = refused(tmp_path, changed(SMALLEST, sections))
    assert problems[0].startswith(f"slipway:{says}"), problems


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
@pytest.mark.parametrize("section", ["namespace", "network", "observability"])
def test_a_stack_takes_over_no_namespace_of_the_clusters_own(
    tmp_path: Path, section: str, name: str
) -> None:
    key = {"namespace": "name", "network": "monitoringNamespace", "observability": "nodeNamespace"}
    changes = changed({"observability": {"mode": "bundled"}}, {section: {key[section]: name}})
    (line,) = refused(tmp_path, changed(SMALLEST, changes))
    assert line.startswith(f'slipway:{section}.{key[section]} is "{name}": use a namespace of the')


@pytest.mark.parametrize("mode", ["operator", "off"])
def test_what_the_stack_does_not_make_may_be_in_kube_system(mode: str) -> None:
    network = {"monitoringNamespace": "kube-system", "proxyNamespace": "kube-system"}
    assert settings(network=network, observability={"mode": mode})


def test_an_operators_prometheus_keeps_metrics_as_long_as_it_likes() -> None:
    kept = {"mode": "operator", "metrics": {"retentionDays": 1}}
    assert settings(observability=kept).slo.window_days == 30


def test_a_service_without_metrics_can_be_watched_without_an_objective() -> None:
    watched = settings(observability={"mode": "bundled"}, service={"metrics": False})
    assert not watched.service.metrics


def test_a_canary_needs_a_version(tmp_path: Path) -> None:
    canary = {"strategy": "canary", "canary": {"weight": 10}}
    (line,) = refused(tmp_path, changed(SMALLEST, {"release": canary}))
    assert line.startswith("slipway:release.canary.version is missing: use MAJOR.MINOR.PATCH")


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    problems = refused(
        tmp_path,
        {
            "image": {"registry": "https://here", "repository": "UPPER"},
            "release": {"stable": {"version": "latest"}},
            "workload": {"resources": {"requests": {"cpu": "2", "memory": "2Gi"}}},
        },
    )
    for key in (
        "image.registry",
        "image.repository",
        "release.stable.version",
        "workload.resources.requests.cpu",
        "workload.resources.requests.memory",
        "namespace",
        "routing",
    ):
        assert len([line for line in problems if line.startswith(f"slipway:{key} is ")]) == 1, key
    assert len(problems) == 7


def test_a_version_without_a_digest_is_the_one_that_the_tree_builds(
    tmp_path: Path, version_file: Path
) -> None:
    (line,) = refused(
        tmp_path, changed(SMALLEST, {"release": {"stable": {"version": "0.9.0"}}}), version_file
    )
    assert line.startswith(
        'slipway:release.stable.version is "0.9.0": use 1.0.0 as in app/VERSION, or add'
    )


def test_a_version_with_a_digest_may_be_any(tmp_path: Path, version_file: Path) -> None:
    pinned = {"release": {"stable": {"version": "0.9.0", "digest": DIGEST}}}
    assert load(stack_file(tmp_path, changed(SMALLEST, pinned)), version_file)


def test_a_version_file_that_names_no_version_is_refused(
    tmp_path: Path, version_file: Path
) -> None:
    version_file.write_text("latest\n")
    (line,) = refused(tmp_path, SMALLEST, version_file)
    assert line == (
        'app/VERSION is "latest": use MAJOR.MINOR.PATCH or MAJOR.MINOR.PATCH-PRERELEASE, '
        "like 1.4.0 or 1.4.0-rc.1"
    )


SECRETS = [key for key, node in KEYS if node.get("writeOnly")]


@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_in_clear_is_refused_and_not_repeated(tmp_path: Path, key: Key) -> None:
    problems = refused(tmp_path, nested(key, "hunter2"))
    assert any(line.startswith(f"{written(key)} is not encrypted: ") for line in problems)
    assert "hunter2" not in "".join(problems)


def test_an_encrypted_value_is_accepted_where_a_secret_is(tmp_path: Path) -> None:
    encrypted = {"service": {"adminToken": {"secure": "v1:abc:def"}}}
    assert load(stack_file(tmp_path, changed(SMALLEST, encrypted))).service.admin_token


def test_an_encrypted_value_is_refused_elsewhere(tmp_path: Path) -> None:
    encrypted = {"routing": {"host": {"secure": "v1:abc:def"}}}
    (line,) = refused(tmp_path, changed(SMALLEST, encrypted))
    assert line.startswith("slipway:routing.host is ")


@pytest.fixture
def engine() -> Iterator[Any]:
    """Gives the program the sections of a stack, as the engine does."""
    set_mocks(Registry(), project="slipway", stack="test")
    yield lambda sections: set_all_config(*engine_config(sections))
    set_all_config({}, [])


@pytest.mark.parametrize(
    "sections",
    [
        {"autoscaling": {"minReplicas": "many", "maxReplcas": 1}},
        {"autoscaling": {"minReplicas": 50}},
        {"release": {"stable": {"version": "3.0.0"}}},
        {"routing": {"host": None}},
        {"config": 1},
    ],
)
def test_the_program_refuses_what_commands_refuse_in_the_same_words(
    tmp_path: Path, version_file: Path, engine: Any, sections: dict[str, Any]
) -> None:
    whole = changed(SMALLEST, sections)
    engine(whole)
    with pytest.raises(pulumi.RunError) as in_program:
        from_pulumi(version_file)
    with pytest.raises(SettingsError) as in_command:
        load(stack_file(tmp_path, whole), version_file)
    assert str(in_program.value) == str(in_command.value)


def test_the_program_gets_secrets_decrypted(version_file: Path, engine: Any) -> None:
    engine(changed(SMALLEST, {"service": {"adminToken": {"secure": "v1:abc:def"}}}))
    token = from_pulumi(version_file).service.admin_token
    assert token is not None
    assert token.get_secret_value() == "left out"
    assert "left out" not in repr(token)


@pytest.mark.parametrize("stack", STACKS)
def test_the_projects_own_stacks_are_good(stack: str) -> None:
    assert load(stack)


def test_dev_and_prod_scale_as_required() -> None:
    scaling = {
        stack: (one.min_replicas, one.max_replicas, one.target_cpu)
        for stack in ("dev", "prod")
        for one in [load(stack).autoscaling]
    }
    assert scaling == {"dev": (2, 10, 50), "prod": (3, 20, 70)}


def test_the_shipped_stacks_take_no_pod_away_before_another_is_ready() -> None:
    assert load("prod").workload.rollout.max_unavailable == 0
    assert load("dev").workload.rollout.max_unavailable == 0
    assert settings().workload.rollout.max_unavailable == 1


def test_the_address_shows_the_port_unless_it_is_the_usual_one() -> None:
    assert settings().routing.url == "http://beacon.localhost"
    assert settings(routing={"port": 8080}).routing.url == "http://beacon.localhost:8080"


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings().service.name = "another"
