"""Invalid values of a service, alone and in combination."""

import json
from pathlib import Path
from typing import Any

import pytest

from settings import SettingsError, load
from settings.loader import validate
from tests.unit.settings.test_loader import stack_file
from tests.unit.stacks import BEACON, DIGEST, changed, sections, service

IMAGE = f"ghcr.io/org/tool:1.0@{DIGEST}"
SECURE = {"secure": "v1:nonce:ciphertext"}
IN_ENV = {"as": "env", "variable": "A", "reason": "It must."}
ORDERS = changed(
    BEACON, {"ports": {"http": 8080, "grpc": 8081}, "routing": {"hosts": ["orders.localhost"]}}
)
TWO = {"http": 8080, "grpc": 9000}
GRPC = {"hosts": ["grpc.localhost"], "protocol": "grpc"}
SELF_SIGNED = {"mode": "selfSigned"}
EXISTING = {"mode": "existing"}
BOTH_KEYS = {"secretName": "a", "clusterIssuer": "b"}
WORKER = changed(BEACON, {"ports": {}, "routing": None, "metrics": None})


def errors_of(changes: dict[str, Any]) -> list[str]:
    """Errors of the service beacon with changes, beside the services orders and worker."""
    services = {"services": {"orders": ORDERS, "worker": WORKER}}
    with pytest.raises(SettingsError) as error:
        validate("Pulumi.test.yaml", sections(**changed(services, changes)))
    return [one.removeprefix("slipway:services.beacon.") for one in error.value.errors]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # ports
        ({"ports": {"http": 0}}, "ports.http is 0: use an integer from 1 to 65535"),
        ({"ports": {"HTTP": 80}}, 'ports is "HTTP": use a port name: at most 15 of a-z, 0-9'),
        ({"ports": {"a--b": 80}}, 'ports is "a--b": use a port name'),
        ({"ports": {"http": 1, "grpc": 1}}, "ports.grpc is 1: use another name and number than"),
        ({"pprofPort": 8080}, "pprofPort is 8080: use another name and number than ports.http"),
        (
            {"sidecars": [{"name": "a", "image": IMAGE, "ports": {"http": 1}}]},
            "sidecars[0].ports.http is 1: use another name and number than ports.http",
        ),
        # drill
        ({"drill": {"faults": {"errors": {}}}}, "drill.faults.errors is {}: use at least one key"),
        (
            {"drill": {"faults": {"errors": {"routing": {}}}}},
            "drill.faults.errors.routing is {}: use one of command, args, env",
        ),
        ({"drill": {"faults": {"error": {"env": {"A": "1"}}}}}, "drill.faults"),
        ({"drill": {"path": "healthz"}}, 'drill.path is "healthz": use a path that begins with /'),
        # env
        ({"env": {"a-b": "x"}}, 'env is "a-b": use a variable\'s name: letters, digits and _'),
        ({"env": {"A": 5}}, "env.A is 5: use text in quotes, or a mapping with secret, secretK"),
        ({"env": {"A": SECURE}}, 'env.A is {"secure": "v1:nonce:ciphertext"}: use text in quot'),
        ({"env": {"A": {"secret": "x"}}}, "env.A.secret is not encrypted: use an encrypted value"),
        ({"env": {"A": {}}}, "env.A.secret is missing: use one of secret, secretKeyRef, config"),
        (
            {"env": {"A": {"secretKeyRef": {"name": "db"}}}},
            "env.A.secretKeyRef.key is missing: use a key of a Secret or ConfigMap",
        ),
        (
            {"env": {"A": {"secretKeyref": {"name": "db"}}}},
            "env.A.secretKeyref is not a key: did you mean secretKeyRef?",
        ),
        (
            {"env": {"A": {"secret": SECURE, "fieldRef": {"fieldPath": "metadata.name"}}}},
            'env.A.fieldRef is {"fieldPath": "metadata.name"}: use only one of secret, secretKey',
        ),
        (
            {"env": {"A": {"fieldRef": {"fieldPath": "spec.containers"}}}},
            'env.A.fieldRef.fieldPath is "spec.containers": use a field of the pod, like status',
        ),
        ({"envFrom": [{}]}, "envFrom[0].secretRef is missing: use one of secretRef, configMapRef"),
        # probes
        (
            {"probes": {"liveness": {"httpGet": {}, "grpc": {}}}},
            'probes.liveness.grpc is {"port": "grpc", "service": ""}: use only one of httpGet,',
        ),
        (
            {"probes": {"readiness": {"httpGet": {"port": "admin"}}}},
            'probes.readiness.httpGet.port is "admin": use a name in ports: http',
        ),
        (
            {"probes": {"startup": {"exec": {"command": []}}}},
            "probes.startup.exec.command is []: use a list",
        ),
        # config
        ({"config": ["a"]}, 'config is ["a"]: use a mapping without encrypted values'),
        (
            {"config": {"a": [{"b": SECURE}]}},
            'config is {"a": [{"b": {"secure": "v1:nonce:ciphertext"}}]}: use a mapping without',
        ),
        ({"configFile": {"path": "a.yaml"}}, 'configFile.path is "a.yaml": use an absolute path'),
        ({"configFile": {"path": "/a.yaml"}}, 'configFile.path is "/a.yaml": use a file in a f'),
        ({"configFile": {"schema": "../a"}}, 'configFile.schema is "../a": use a relative path'),
        # secrets
        ({"secrets": {"a": "hunter2"}}, "secrets.a is not encrypted: use an encrypted value, set"),
        ({"secrets": {"env": SECURE}}, 'secrets is "env": use a DNS label of at most 50'),
        (
            {"secrets": {"a": {"generate": {"length": 4}}}},
            "secrets.a.generate.length is 4: use an integer from 8 to 1024",
        ),
        (
            {"secrets": {"a": {}}},
            "secrets.a.value is missing: use one of value, generate, external",
        ),
        ({"secrets": {"a": {"value": "x"}}}, "secrets.a.value is not encrypted: use an encrypted"),
        (
            {"secrets": {"a": {**SECURE, "as": "env"}}},
            'secrets.a has keys beside "secure": use the key "value" for the encrypted value',
        ),
        ({"secrets": {"a": {"secure": 5}}}, "secrets.a is not encrypted: use an encrypted value,"),
        (
            {"secrets": {"a": {"value": SECURE, "generate": {}}}},
            'secrets.a.generate is {"length": 32, "special": false, "rotation": null}: use only',
        ),
        (
            {"secrets": {"a": {"generate": {}, "as": "env", "variable": "A"}}},
            'secrets.a.reason is missing: use the reason, or as "file"',
        ),
        (
            {"secrets": {"a": {"generate": {}, "as": "env", "reason": "It must."}}},
            'secrets.a.variable is missing: use the variable, or as "file"',
        ),
        (
            {"secrets": {"a": {"generate": {}, "reason": "It must."}}},
            'secrets.a.reason is "It must.": use no reason, or as "env"',
        ),
        (
            {"secrets": {"a": {"generate": {}, **IN_ENV, "onChange": "none"}}},
            'secrets.a.onChange is "none": use "restart" or "release": a process reads its env',
        ),
        (
            {"secrets": {"a": {"generate": {}, **IN_ENV, "variable": "A_"}}},
            'secrets.a.variable is "A_": use a variable\'s name: at most 59 letters, digits and _,',
        ),
        (
            {"env": {"A": "b"}, "secrets": {"a": {"generate": {}, **IN_ENV}}},
            'secrets.a.variable is "A": use another variable than env.A',
        ),
        (
            {"secrets": {"a": {"generate": {}, **IN_ENV}, "b": {"value": SECURE, **IN_ENV}}},
            'secrets.b.variable is "A": use another variable than secrets.a.variable',
        ),
        (
            {"secrets": {"a": {"external": {"store": "b", "key": "c", "refreshSeconds": 5}}}},
            "secrets.a.external.refreshSeconds is 5: use an integer from 10 to 3600",
        ),
        (
            {"secrets": {"a": {"external": {"store": "b", "key": "c"}, **IN_ENV}}},
            'secrets.a.onChange is "none": use "restart" or "release": a process reads its env',
        ),
        # volumes
        ({"volumes": {"tmp": {"mountPath": "/a", "emptyDir": {}}}}, 'volumes is "tmp": use a DNS'),
        ({"volumes": {"a": {"mountPath": "/a"}}}, "volumes.a.emptyDir is missing: use one of em"),
        (
            {"volumes": {"a": {"mountPath": "/a/../b", "emptyDir": {}}}},
            'volumes.a.mountPath is "/a/../b": use an absolute path without . and ..',
        ),
        (
            {"volumes": {"a": {"mountPath": "/tmp", "emptyDir": {}}}},  # noqa: S108
            'volumes.a.mountPath is "/tmp": use another path than that of temporary files',
        ),
        (
            {"volumes": {one: {"mountPath": "/x", "emptyDir": {}} for one in ("a", "b")}},
            'volumes.b.mountPath is "/x": use another path than volumes.a.mountPath',
        ),
        # containers
        (
            {"sidecars": [{"name": "a", "image": "tool:1.0"}]},
            'sidecars[0].image is "tool:1.0": use an image with its registry and digest',
        ),
        (
            {
                "initContainers": [{"name": "a", "image": IMAGE}],
                "sidecars": [{"name": "a", "image": IMAGE}],
            },
            'initContainers[0].name is "a": use each name once',
        ),
        (
            {
                "sidecars": [
                    {
                        "name": "a",
                        "image": IMAGE,
                        "volumeMounts": [{"name": "cache", "mountPath": "/a"}],
                    }
                ]
            },
            'sidecars[0].volumeMounts[0].name is "cache": use one of tmp',
        ),
        (
            {
                "sidecars": [
                    {
                        "name": "a",
                        "image": IMAGE,
                        "resources": {
                            "limits": {"cpu": "9", "memory": "128Mi"},
                            "requests": {"cpu": "1m", "memory": "1Mi"},
                        },
                    }
                ]
            },
            'sidecars[0].resources.limits.cpu is "9": use at most namespace.limitRange.max.cpu',
        ),
        # security context
        ({"securityContext": {"runAsUser": 0}}, "securityContext.runAsUser is 0: use an integer"),
        (
            {"securityContext": {"exceptions": {"privileged": "why not"}}},
            "securityContext.exceptions.privileged is not a key: use readOnlyRootFilesystem",
        ),
        (
            {"securityContext": {"exceptions": {"readOnlyRootFilesystem": True}}},
            "securityContext.exceptions.readOnlyRootFilesystem is true: use a string",
        ),
        # before start
        ({"release": {"beforeStart": {}}}, "release.beforeStart.command is missing: use command o"),
        (
            {
                "release": {
                    "beforeStart": {"args": ["a"]},
                    "stable": {"version": f"1.0.0-{'x' * 40}"},
                }
            },
            f'release.stable.version is "1.0.0-{"x" * 40}": use at most 43 characters',
        ),
        # routing
        (
            {"routing": {"port": "grpc"}},
            'routing.port is "grpc": use a name in ports: http',
        ),
        (
            {"ports": {}, "metrics": None},
            'routing.port is "http": use no port: ports is empty',
        ),
        (
            {"routing": {"hosts": ["a", "a"]}},
            'routing.hosts is ["a", "a"]: use each host once',
        ),
        (
            {"routing": {"backend": "gateway", "maxBodySize": "1Mi"}},
            'routing.maxBodySize is "1Mi": use null: the Gateway API has no limit',
        ),
        (
            {"routing": {"backend": "gateway", "protocol": "grpc", "paths": ["/a"]}},
            'routing.paths is ["/a"]: use ["/"]: a GRPCRoute has no paths',
        ),
        (
            {"routing": {"backend": "gateway", "protocol": "grpc", "requestTimeoutSeconds": 9}},
            "routing.requestTimeoutSeconds is 9: use null: a GRPCRoute has no timeouts",
        ),
        (
            {"routing": {"dns": {"route53": {"setIdentifier": "east-1"}}}},
            "routing.dns.route53.weight is missing: use one of weight, region, failover",
        ),
        (
            {"routing": {"tls": {**SELF_SIGNED, "hstsSeconds": 60}}},
            'routing.tls.hstsSeconds is 60: use 0, or the backend "gateway": an Ingress sets no ',
        ),
        (
            {"routing": {"tls": SELF_SIGNED, "externalTlsPort": 8443}},
            'routing.tls.redirect is true: use false, or the backend "gateway": an Ingress ',
        ),
        (
            {"routing": {"tls": SELF_SIGNED, "backend": "gateway"}},
            "routing.gateway.sectionName is missing: use the name of the HTTP listener to redirect",
        ),
        (
            {"routing": {"hosts": ["*.example.com"]}},
            'routing.hosts is ["*.example.com"]: use first a host without *, which is that of the ',
        ),
        (
            {"routing": {"tls": EXISTING}},
            "routing.tls.existing is missing: use a mapping with secretName or clusterIssuer",
        ),
        (
            {"routing": {"tls": {"mode": "selfSigned", "existing": {"secretName": "a"}}}},
            'routing.tls.existing is {"secretName": "a"}: use null, or the mode "existing"',
        ),
        (
            {"routing": {"tls": {**EXISTING, "existing": BOTH_KEYS}}},
            'routing.tls.existing.clusterIssuer is "b": use only one of secretName, clusterIssuer',
        ),
        (
            {"routing": {"tls": {"durationDays": 30}}},
            "routing.tls.renewBeforeDays is 30: use less than durationDays, which is 30",
        ),
        (
            {"routing": {"additionalPorts": {"grpc": {"hosts": ["a"]}}}},
            'routing.additionalPorts.grpc is "grpc": use a name in ports: http',
        ),
        (
            {"routing": {"additionalPorts": {"http": {"hosts": ["a"]}}}},
            'routing.additionalPorts.http is ["a"]: use another port than http, the name of',
        ),
        (
            {"ports": {"http": 1, "canary": 2}, "routing": {"additionalPorts": {"canary": GRPC}}},
            'routing.additionalPorts.canary is ["grpc.localhost"]: use another port than canary, ',
        ),
        (
            {"ports": TWO, "routing": {"additionalPorts": {"grpc": {"hosts": ["a", "a"]}}}},
            'routing.additionalPorts.grpc.hosts is ["a", "a"]: use each host once',
        ),
        (
            {
                "ports": TWO,
                "routing": {
                    "backend": "gateway",
                    "additionalPorts": {"grpc": {**GRPC, "paths": ["/a"]}},
                },
            },
            'routing.additionalPorts.grpc.paths is ["/a"]: use ["/"]: a GRPCRoute has no paths',
        ),
        (
            {
                "ports": TWO,
                "routing": {
                    "backend": "gateway",
                    "additionalPorts": {"grpc": {**GRPC, "hosts": ["beacon.localhost"]}},
                },
            },
            'routing.additionalPorts.grpc.hosts is ["beacon.localhost"]: use other hosts than ',
        ),
        (
            {
                "routing": None,
                "release": {
                    "strategy": "canary",
                    "stable": {"digest": DIGEST},
                    "canary": {"version": "1.1.0", "weight": 5},
                },
            },
            "release.canary.weight is 5: use 0: without routing no requests are weighted",
        ),
        # metrics
        ({"metrics": {"port": "admin"}}, 'metrics.port is "admin": use a name in ports: http'),
        # peers
        (
            {"peers": {"to": [{"service": "order"}]}},
            'peers.to[0].service is "order": use a name in services: beacon, orders, worker',
        ),
        (
            {"peers": {"to": [{"service": "worker"}]}},
            'peers.to[0].service is "worker": use a service with ports',
        ),
        (
            {"peers": {"to": [{"service": "orders", "ports": ["admin"]}]}},
            'peers.to[0].ports[0] is "admin": use a port of orders: http, grpc',
        ),
        (
            {"peers": {"to": [{"service": "orders", "host": "a"}]}},
            'peers.to[0].host is "a": use only one of service, namespace, host, cidr',
        ),
        (
            {"peers": {"to": [{"host": "api.example.com"}]}},
            "peers.to[0].ports is missing: use the ports to connect to",
        ),
        (
            {"peers": {"to": [{"host": "api.example.com", "ports": ["https"]}]}},
            'peers.to[0].ports is ["https"]: use port numbers with host or cidr',
        ),
        (
            {"peers": {"to": [{"cidr": "10.0.0.1/8", "ports": [1]}]}},
            'peers.to[0].cidr is "10.0.0.1/8": use an IP block in CIDR notation',
        ),
        (
            {"peers": {"to": [{"cidr": "10.0.0.0/8", "ports": [0]}]}},
            "peers.to[0].ports[0] is 0: use a port number from 1 to 65535, or the name",
        ),
        (
            {"peers": {"to": [{"service": "orders", "podLabels": {"a": "b"}}]}},
            'peers.to[0].podLabels is {"a": "b"}: use no labels without namespace',
        ),
        (
            {"peers": {"from": [{"host": "a"}]}},
            "peers.from[0].host is not a key: use service, namespace, podLabels, cidr, ports",
        ),
        (
            {"peers": {"from": [{"service": "orders", "ports": ["grpc"]}]}},
            'peers.from[0].ports[0] is "grpc": use a name in ports: http',
        ),
        # shutdown
        (
            {"workload": {"terminationGracePeriodSeconds": 5}},
            "workload.terminationGracePeriodSeconds is 5: use more than workload.preStopSleepSec",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_its_key_and_the_allowed_values(
    changes: dict[str, Any], message: str
) -> None:
    errors = errors_of(changes)
    assert errors[0].startswith(message), errors


def test_a_service_accepts_no_peer_without_ports() -> None:
    (error,) = errors_of(
        {"ports": {}, "routing": None, "metrics": None, "peers": {"from": [{"cidr": "10.0.0.0/8"}]}}
    )
    assert error == "ports is {}: use at least one port: peers.from[0] connects to the service"


def test_sidecars_and_init_containers_count_for_the_quota() -> None:
    one = service(
        workload={
            "resources": {
                "requests": {"cpu": "200m", "memory": "100Mi"},
                "limits": {"cpu": "1", "memory": "1Gi"},
            }
        },
        initContainers=[
            {
                "name": "wait",
                "image": IMAGE,
                "resources": {
                    "requests": {"cpu": "500m", "memory": "1Mi"},
                    "limits": {"cpu": "1", "memory": "1Gi"},
                },
            }
        ],
        sidecars=[{"name": "proxy", "image": IMAGE}],
    )
    # The sidecar runs beside the init container, and then beside the service.
    assert float(one.total("requests", "cpu")) == pytest.approx(0.55)
    assert one.total("requests", "memory") == (100 + 64) * 2**20


@pytest.mark.parametrize(
    ("changes", "served"),
    [
        ({}, ["http"]),
        ({"ports": {"http": 1, "grpc": 2}}, ["http", "grpc"]),
        ({"ports": {"http": 1, "admin": 2}, "metrics": {"port": "admin"}}, ["http"]),
        ({"ports": {"http": 1}, "metrics": {"port": "http"}}, ["http"]),
        ({"ports": {"grpc": 1}, "routing": {"port": "grpc"}, "metrics": None}, ["grpc"]),
        ({"ports": {}, "routing": None, "metrics": None}, []),
    ],
)
def test_a_port_with_only_metrics_is_not_served_to_others(
    changes: dict[str, Any], served: list[str]
) -> None:
    assert [*service(**changes).served_ports] == served


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Source folder of the service beacon, with a JSON Schema."""
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "Dockerfile").touch()
    schema = {"properties": {"workers": {"type": "integer", "minimum": 1, "maximum": 64}}}
    (folder / "config.schema.json").write_text(json.dumps(schema))
    return folder


def source_errors(folder: Path, **changes: Any) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as error:
        load(stack_file(folder.parent, sections(**changes)), check_sources=True)
    return error.value.errors


def test_the_config_is_checked_by_the_schema_of_the_source(source: Path) -> None:
    assert source_errors(source, config={"workers": 65}) == (
        "slipway:services.beacon.config.workers is 65: use an integer from 1 to 64",
    )
    assert load(stack_file(source.parent, sections(config={"workers": 4})), check_sources=True)


def test_a_source_without_a_schema_has_any_config(source: Path) -> None:
    (source / "config.schema.json").unlink()
    assert load(stack_file(source.parent, sections(config={"a": 1})), check_sources=True)


def test_a_schema_that_is_named_must_exist(source: Path) -> None:
    (error,) = source_errors(source, config={"a": 1}, configFile={"schema": "shop.json"})
    assert error == (
        'slipway:services.beacon.configFile.schema is "shop.json": use a JSON Schema in app '
        "(No such file or directory)"
    )


def test_an_invalid_schema_is_refused(source: Path) -> None:
    (source / "config.schema.json").write_text("{")
    (error,) = source_errors(source, config={"a": 1})
    assert 'configFile.schema is "config.schema.json": use a JSON Schema in app (not JSON' in error
