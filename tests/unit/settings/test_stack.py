"""Checks across the sections of a stack's configuration."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from settings import Settings, SettingsError, parse_quantity
from settings.loader import validate
from settings.project import project_name
from tests.unit.stacks import (
    BEACON,
    BLUE_GREEN,
    CANARY,
    DIGEST,
    REPOSITORY,
    SMALLEST,
    changed,
    service,
    settings,
)

SECRET = {"secure": "v1:abc"}
PER_VERSION = {"value": SECRET, "onChange": "release"}
TLS = {"mode": "selfSigned", "redirect": False}
AZURE = {"tenantId": "t", "clientId": "c"}


def vault(server: str, **changes: Any) -> dict[str, Any]:
    return {"vault": {"server": server, "role": "shop", **changes}}


STORE = vault("https://vault.example.com")
EXTERNAL = {"external": {"store": "team", "key": "shop/database"}}


def errors_of(changes: dict[str, Any]) -> list[str]:
    """Return the errors of the smallest stack with ``changes``."""
    with pytest.raises(SettingsError) as error:
        settings(**changes)
    prefix = "slipway:services.beacon."
    return [one.removeprefix(prefix).removeprefix("slipway:") for one in error.value.errors]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"autoscaling": {"minReplicas": 11}},
            "autoscaling.minReplicas is 11: use at most maxReplicas, which is 10",
        ),
        (
            {"routing": {"tls": {"mode": "acme"}}},
            "certManager.acme is missing: use a mapping with email: services.beacon has the TLS",
        ),
        (
            {
                "routing": {"hosts": ["a.b", "*.b"], "tls": {"mode": "acme"}},
                "certManager": {"acme": {"email": "team@example.com"}},
            },
            "certManager.acme.dns01 is missing: use a DNS provider: services.beacon has ",
        ),
        (
            {"certManager": {"acme": {"email": "team@example.com", "dns01": {}}}},
            "certManager.acme.dns01.route53 is missing: use one of route53, cloudflare",
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
            {"observability": {"traces": {"volumeSize": "1Gi", "retentionDays": 30}}},
            'observability.traces.volumeSize is "1Gi": use at least 6328Mi for one span per second '
            "with retentionDays 30",
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
            {"workload": {"terminationGracePeriodSeconds": 25, "preStopSleepSeconds": 25}},
            "workload.terminationGracePeriodSeconds is 25: use more than workload.preStopSleep",
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
            {
                "autoscaling": {"maxReplicas": 60},
                "namespace": {
                    "resourceQuota": {
                        "pods": 50,
                        "requests": {"cpu": "20", "memory": "20Gi"},
                        "limits": {"cpu": "40", "memory": "40Gi"},
                    }
                },
            },
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
        (
            {"release": {"strategy": "rolling", "canary": CANARY["canary"]}},
            'release.strategy is "rolling": use "canary", or remove release.canary',
        ),
        (
            {"release": changed(CANARY, {"canary": {"version": "1.0.0"}})},
            'release.canary.version is "1.0.0": use another version than stable\'s',
        ),
        (
            {"release": {"strategy": "canary", "idle": {"version": "1.1.0", "digest": DIGEST}}},
            'release.strategy is "canary": use "blueGreen", or remove release.idle',
        ),
        (
            {"release": changed(BLUE_GREEN, {"idle": {"version": "1.0.0"}})},
            'release.idle.version is "1.0.0": use another version than stable\'s',
        ),
        (
            {"release": {"blueGreen": {"live": "green"}}},
            'release.strategy is "rolling": use "blueGreen", or remove release.blueGreen',
        ),
        (
            {"release": {**BLUE_GREEN, "blueGreen": {"previewHost": "beacon.localhost"}}},
            'release.blueGreen.previewHost is "beacon.localhost": use another host: services.beac',
        ),
        (
            {"release": {**BLUE_GREEN, "blueGreen": {"previewHost": "next"}}, "routing": None},
            'release.blueGreen.previewHost is "next": use null: without routing no requests are',
        ),
        (
            {"release": {**BLUE_GREEN, "blueGreen": {"gateSeconds": 60}}, "slo": None},
            "release.blueGreen.gateSeconds is 60: use 0, or add slo",
        ),
        (
            {
                "release": {**BLUE_GREEN, "blueGreen": {"gateSeconds": 60}},
                "metrics": None,
                "routing": None,
            },
            "release.blueGreen.gateSeconds is 60: use 0, or add metrics or routing, which measure",
        ),
        (
            {"release": {**BLUE_GREEN, "blueGreen": {"gateSeconds": 60}}},
            'release.blueGreen.gateSeconds is 60: use 0, or observability.mode "bundled": it is "o',
        ),
        (
            {
                "release": {**BLUE_GREEN, "blueGreen": {"gateSeconds": 60}},
                "metrics": None,
                "observability": {
                    "mode": "bundled",
                    "proxy": {"implementation": "envoy-gateway"},
                },
            },
            "release.blueGreen.gateSeconds is 60: use 0: the metrics of envoy-gateway count the re",
        ),
        (
            {"builder": {"type": "docker"}, "image": {"platforms": ["linux/amd64", "linux/arm64"]}},
            'image.platforms is ["linux/amd64", "linux/arm64"]: use one platform with',
        ),
        (
            {"builder": {"type": "docker"}, "image": {"build": {"provenance": "max"}}},
            'image.build.provenance is "max": use "none" with builder.type docker',
        ),
        (
            {"builder": {"type": "docker", "cache": "registry"}},
            'builder.cache is "registry": use "builder" with builder.type docker',
        ),
        (
            {"routing": {"gateway": {"name": "internal"}}},
            'routing.backend is "ingress": use "gateway", or remove routing.gateway',
        ),
        (
            {"routing": {"backend": "gateway", "ingress": {"className": "traefik"}}},
            'routing.backend is "gateway": use "ingress", or remove routing.ingress',
        ),
        (
            {"routing": {"istio": {"gateway": {"name": "edge"}}}},
            'routing.backend is "ingress": use "istio", or remove routing.istio',
        ),
        (
            {"mesh": {"istio": {}}},
            'routing.backend is "ingress": use "istio" or "gateway", or mesh.istio.mutualTls "perm',
        ),
        (
            {
                "routing": {"backend": "istio"},
                "metrics": None,
                "observability": {"mode": "bundled"},
            },
            'observability.proxy.implementation is "traefik": use "istio", or "istio-sidecar" in a',
        ),
        (
            {"observability": {"proxy": {"implementation": "istio-sidecar"}}},
            'observability.proxy.implementation is "istio-sidecar": use "traefik" or "ingress-ngin',
        ),
        (
            {
                "routing": {"backend": "istio"},
                "mesh": {"istio": {"namespace": "beacon-test"}},
            },
            'namespace.name is "beacon-test": use another namespace than mesh.istio.namespace',
        ),
        (
            {
                "routing": {"backend": "istio"},
                "mesh": {
                    "istio": {
                        "sidecarResources": {"limits": {"cpu": "4", "memory": "256Mi"}},
                    }
                },
            },
            'mesh.istio.sidecarResources.limits.cpu is "4": use at most namespace.limitRange.max.c',
        ),
        (
            {"routing": {"backend": "istio", "maxBodySize": "1Mi"}},
            'routing.maxBodySize is "1Mi": use null: a VirtualService has no limit',
        ),
        (
            {"routing": {"backend": "istio", "tls": {"mode": "selfSigned"}}},
            'routing.tls.mode is "selfSigned": use "off", or the backend "gateway": a Gateway of I',
        ),
        (
            {"routing": {"backend": "istio", "istio": {"retries": {"retryOn": ["reset"] * 2}}}},
            'routing.istio.retries.retryOn is ["reset", "reset"]: use each condition once',
        ),
        (
            {"observability": {"nodeNamespace": "monitoring"}},
            'observability.nodeNamespace is "monitoring": use another namespace than network.moni',
        ),
        (
            {"slo": {"availability": 99.5}},
            'observability.mode is "off": use "bundled" or "operator": services.beacon.slo is set',
        ),
        (
            {"metrics": None, "slo": {"source": "service"}},
            'slo.source is "service": use "proxy", or add metrics with request metrics',
        ),
        (
            {"metrics": {"convention": "custom"}, "slo": {"source": "service"}},
            'slo.source is "service": use "proxy", or add metrics with request metrics',
        ),
        (
            {"routing": None, "slo": {"source": "proxy"}},
            'slo.source is "proxy": use "service" or "queries", or add routing',
        ),
        ({"slo": {"source": "queries"}}, 'slo.source is "queries": use "service" or "proxy", or'),
        (
            {"slo": {"queries": {"requests": "sum(rate(jobs_total[5m]))"}}},
            'slo.source is null: use "queries", or remove slo.queries',
        ),
        ({"metrics": {"port": "web"}}, 'metrics.port is "web": use a name in ports: http'),
        ({"metrics": {"buckets": [1, 0.5]}}, "metrics.buckets is [1.0, 0.5]: use ascending num"),
        (
            {"alerts": [{"name": "Same", "expr": "up", "summary": "Same"}] * 2},
            'alerts[1].name is "Same": use each name once',
        ),
        (
            {"observability": {"mode": "bundled", "metrics": {"retentionDays": 29}}},
            "observability.metrics.retentionDays is 29: use at least services.beacon.slo.wind",
        ),
        (
            {"notifications": {"slack": {}}},
            "notifications.slack.webhook is missing: use webhook, or botToken and channel",
        ),
        (
            {"notifications": {"slack": {"botToken": SECRET}}},
            "notifications.slack.channel is missing: use the ID of the channel, with botToken",
        ),
        (
            {"notifications": {"slack": {"botToken": SECRET, "channel": "C1", "webhook": SECRET}}},
            'notifications.slack.webhook is "**********": use either webhook or botToken',
        ),
        (
            {"notifications": {"slack": {"webhook": SECRET, "channel": "#releases"}}},
            'notifications.slack.channel is "#releases": use channel with botToken only',
        ),
        (
            {"secrets": {"a": EXTERNAL}},
            'secrets.a.external.store is "team": use a name in secretStores: there',
        ),
        (
            {"secretStores": {"other": STORE}, "secrets": {"a": EXTERNAL}},
            'secrets.a.external.store is "team": use a name in secretStores: other',
        ),
        (
            {
                "secretStores": {"team": STORE},
                "secrets": {"a": {**EXTERNAL, "onChange": "restart"}},
            },
            'secrets.a.onChange is "restart": use "none" or "release", or external',
        ),
        (
            {"secretStores": {"team": {**STORE, "kubernetes": {"namespace": "a"}}}},
            'secretStores.team.kubernetes is {"namespace": "a"}: use only one of vault, aws, gcp,',
        ),
        (
            {"secretStores": {"team": vault("http://vault.example.com:8200")}},
            'secretStores.team.vault.server is "http://vault.example.com:8200": use an https URL, ',
        ),
        (
            {"secretStores": {"team": vault("http://192.0.2.1")}},
            'secretStores.team.vault.server is "http://192.0.2.1": use an https URL, or that of a ',
        ),
        (
            {
                "secretStores": {
                    "team": {"azure": {**AZURE, "vaultUrl": "http://a.vault.azure.net"}}
                }
            },
            'secretStores.team.azure.vaultUrl is "http://a.vault.azure.net": use an https URL',
        ),
        (
            {"secretStores": {"team": {}}},
            "secretStores.team.vault is missing: use one of vault, aws, gcp, azure, kubernetes",
        ),
    ],
)
def test_values_that_are_invalid_together_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    errors = errors_of(changes)
    assert errors[0].startswith(message), errors


@pytest.mark.parametrize(
    "store",
    [
        vault("http://vault:8200"),
        vault("http://vault.vault.svc:8200"),
        vault("http://vault.vault.svc.cluster.local:8200"),
        vault("http://192.0.2.1:8200", insecure=True),
    ],
)
def test_vault_may_be_reached_without_tls_in_the_cluster_or_by_choice(store: Any) -> None:
    assert settings(secretStores={"team": store}).secret_stores["team"].vault


OTHER: dict[str, Any] = changed(BEACON, {"routing": {"hosts": ["other.localhost"]}})


def two_ports(host: str) -> dict[str, Any]:
    """A service whose gRPC port is routed too, at ``host``."""
    route = {"hosts": [host], "protocol": "grpc"}
    routing = {"additionalPorts": {"grpc": route}}
    return changed(BEACON, {"ports": {"http": 8080, "grpc": 9000}, "routing": routing})


@pytest.mark.parametrize(
    ("services", "message"),
    [
        ({}, "services is {}: use at least one service: `make new-service` adds it"),
        ({"Other": OTHER}, 'services is "Other": use a DNS label: at most 50 of a-z, 0-9 and -'),
        ({"my.svc": OTHER}, 'services is "my.svc": use a DNS label'),
        ({"x" * 51: OTHER}, f'services is "{"x" * 51}": use a DNS label'),
        ({"other": None}, "services.other is null: use a mapping with the keys source"),
        ({"other": {"name": "b", **OTHER}}, "services.other.name is not a key: use source, image"),
        (
            {"beacon": BEACON, "other": BEACON},
            'services.other.routing.hosts is ["beacon.localhost"]: use other hosts, or another '
            "path than /: beacon has beacon.localhost/",
        ),
        (
            {"beacon": BEACON, "other": {**OTHER, "image": {"repository": REPOSITORY}}},
            f'services.other.image.repository is "{REPOSITORY}": use another repository than '
            "services.beacon.image.repository: both services push to it",
        ),
        (
            {"beacon": two_ports("beacon.localhost")},
            'services.beacon.routing.additionalPorts.grpc.hosts is ["beacon.localhost"]: use other '
            "hosts, or another path than /: beacon has beacon.localhost/",
        ),
        (
            {"beacon": two_ports("grpc.localhost"), "beacon-grpc": OTHER},
            'services is "beacon-grpc": use another name: the grpc objects of beacon have this',
        ),
        (
            {
                "beacon": {
                    **BEACON,
                    "release": {**BLUE_GREEN, "blueGreen": {"previewHost": "next.localhost"}},
                },
                "beacon-preview": OTHER,
            },
            'services is "beacon-preview": use another name: the preview objects of beacon have th',
        ),
        (
            {"beacon": {**BEACON, "release": BLUE_GREEN}, "beacon-green": OTHER},
            'services is "beacon-green": use another name: the green objects of beacon have this ',
        ),
        (
            {"beacon": changed(BEACON, {"routing": {"tls": TLS}, "secrets": {"tls": SECRET}})},
            'services.beacon.secrets is "tls": use another name: services.beacon.routing.tls has ',
        ),
        (
            {
                "beacon": changed(BEACON, {"secrets": {"api-key": SECRET}}),
                "beacon-api": changed(OTHER, {"secrets": {"key": SECRET}}),
            },
            'services.beacon-api.secrets is "key": use another name: services.beacon.secrets.api-',
        ),
        (
            {"beacon": changed(BEACON, {"secrets": {"key": PER_VERSION, "key-1-0-0": SECRET}})},
            'services.beacon.secrets is "key-1-0-0": use another name: services.beacon.secrets.key',
        ),
        (
            {
                "beacon": changed(BEACON, {"secrets": {"api-key": PER_VERSION}}),
                "beacon-api": changed(OTHER, {"secrets": {"key": PER_VERSION}}),
            },
            'services.beacon-api.secrets is "key": use another name: services.beacon.secrets.api-',
        ),
        (
            {"beacon": BEACON, "beacon-canary": OTHER},
            'services is "beacon-canary": use another name: the canary objects of beacon have this '
            "name",
        ),
        (
            {"other": changed(OTHER, {"routing": {"gateway": {"namespace": "beacon-test"}}})},
            'services.other.routing.backend is "ingress": use "gateway"',
        ),
    ],
)
def test_services_that_are_invalid_together_are_refused(
    services: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError) as error:
        validate("Pulumi.test.yaml", {**SMALLEST, "services": services})
    assert error.value.errors[0].startswith(f"slipway:{message}"), error.value.errors


def test_the_resource_quota_is_for_the_rollouts_of_all_services() -> None:
    services = {f"s{i}": changed(OTHER, {"routing": {"paths": [f"/{i}"]}}) for i in range(5)}
    stack = {**SMALLEST, "services": services}
    raised = validate("Pulumi.test.yaml", stack).resource_quota
    assert (raised.pods, raised.requests.cpu, raised.limits.memory) == (55, "11", "28160Mi")
    small = changed(stack, {"namespace": {"resourceQuota": {"pods": 54}}})
    with pytest.raises(SettingsError) as error:
        validate("Pulumi.test.yaml", small)
    assert error.value.errors == (
        "slipway:namespace.resourceQuota.pods is 54: use at least 55, for the 55 pods of a rollout "
        "at maximum replicas of 5 services",
    )


def test_the_default_of_the_resource_quota_fits_fifty_pods() -> None:
    quota = settings().resource_quota
    assert (quota.pods, quota.requests.cpu, quota.limits.cpu) == (50, "10", "25")


def test_services_share_a_host_by_path() -> None:
    shared = changed(BEACON, {"routing": {"paths": ["/other"]}})
    services = {"beacon": BEACON, "other": shared}
    assert [*validate("Pulumi.test.yaml", {**SMALLEST, "services": services}).services] == [
        "beacon",
        "other",
    ]


def test_the_repository_is_by_default_that_of_the_project_and_the_service() -> None:
    assert service(image={"repository": None}).repository == f"{project_name()}/beacon"
    assert service(image={"repository": "a/b"}).repository == "a/b"


def test_a_setting_of_a_service_at_the_level_of_the_stack_is_refused_with_its_place() -> None:
    with pytest.raises(SettingsError) as error:
        validate("Pulumi.test.yaml", {**SMALLEST, "slo": {"availability": 99}})
    assert error.value.errors == (
        "slipway:slo is not a key: use services.<name>.slo, or defaults.slo",
    )


@pytest.mark.parametrize("name", ["default", "kube-system"])
@pytest.mark.parametrize(
    ("section", "key"),
    [
        ("namespace", "name"),
        ("network", "monitoringNamespace"),
        ("observability", "nodeNamespace"),
    ],
)
def test_a_namespace_that_the_stack_creates_must_not_be_one_of_kubernetes(
    section: str, key: str, name: str
) -> None:
    changes = changed({"observability": {"mode": "bundled"}}, {section: {key: name}})
    (error,) = errors_of(changes)
    assert error.startswith(f'{section}.{key} is "{name}": use a namespace of the stack\'s own')


@pytest.mark.parametrize("mode", ["operator", "off"])
def test_an_existing_monitoring_namespace_may_be_kube_system(mode: str) -> None:
    network = {"monitoringNamespace": "kube-system", "proxyNamespace": "kube-system"}
    assert settings(network=network, observability={"mode": mode})


def test_the_retention_of_an_existing_prometheus_is_not_checked() -> None:
    observability = {"mode": "operator", "metrics": {"retentionDays": 1}}
    slo = service(observability=observability).slo
    assert slo
    assert slo.window_days == 30


@pytest.mark.parametrize(
    ("changes", "buckets"),
    [
        ({}, "5ms, 10ms, 25ms, 50ms, 100ms, 250ms, 500ms, 1s, 2.5s, 5s, 10s"),
        ({"metrics": {"buckets": [0.1, 0.2]}}, "100ms, 200ms"),
        ({"slo": {"source": "proxy"}}, "100ms, 300ms, 1.2s, 5s"),
        ({"metrics": None, "observability": {"proxy": {"buckets": [0.5]}}}, "500ms"),
    ],
)
def test_a_latency_threshold_is_a_bucket_of_the_source_of_the_requests(
    changes: dict[str, Any], buckets: str
) -> None:
    bundled: dict[str, Any] = {
        "observability": {"mode": "bundled"},
        "slo": {"latency": {"threshold": "251ms"}},
    }
    assert errors_of(changed(bundled, changes)) == [
        'slo.latency.threshold is "251ms": use a bucket of the duration histogram: ' + buckets
    ]


def test_an_objective_of_latency_needs_durations() -> None:
    metrics = {"convention": "custom", "requests": "jobs_total"}
    changes = {"observability": {"mode": "bundled"}, "metrics": metrics, "slo": {"latency": {}}}
    (error,) = errors_of(changes)
    assert error.startswith("slo.latency.objective is 99.0: use latency: null, or a source")


@pytest.mark.parametrize(
    ("changes", "source"),
    [
        ({}, "service"),
        ({"metrics": None}, "proxy"),
        ({"metrics": {"convention": "custom"}}, "proxy"),
        ({"slo": {"source": "proxy"}, "observability": {"mode": "bundled"}}, "proxy"),
        ({"slo": None}, "service"),
        ({"probes": {"readiness": {"httpGet": {"path": "/"}}}}, "proxy"),
        ({"probes": {"readiness": {"httpGet": {"path": "/ready"}}}}, "service"),
        ({"metrics": None, "routing": None}, None),
    ],
)
def test_requests_are_measured_by_the_service_if_it_has_metrics(
    changes: dict[str, Any], source: str | None
) -> None:
    assert service(**changes).request_source == source


@pytest.mark.parametrize(
    ("routing", "url"),
    [
        ({"externalPort": 80}, "http://beacon.localhost"),
        ({"externalPort": 8080}, "http://beacon.localhost:8080"),
        ({"externalPort": 8080, "tls": TLS}, "https://beacon.localhost"),
        ({"externalTlsPort": 8443, "tls": TLS}, "https://beacon.localhost:8443"),
    ],
)
def test_the_url_contains_a_port_other_than_that_of_its_scheme(
    routing: dict[str, Any], url: str
) -> None:
    found = service(routing=routing).routing
    assert found
    assert found.url == url


def test_a_section_that_is_given_in_part_keeps_the_defaults_of_its_other_keys() -> None:
    workload = {"resources": {"limits": {"cpu": "1"}}}
    limits = service(workload=workload).workload.resources.limits
    assert (limits.cpu, limits.memory) == ("1", "512Mi")
    metrics = {"resources": {"requests": {"memory": "512Mi"}}}
    resources = settings(observability={"metrics": metrics}).observability.metrics.resources
    assert (resources.requests.cpu, resources.requests.memory) == ("100m", "512Mi")
    assert resources.limits.memory == "1Gi"


def test_settings_are_immutable() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        service().ports = {}


def with_stable(settings_of_stable: dict[str, Any], **service_keys: Any) -> Settings:
    release = changed(CANARY, {"stable": {"settings": settings_of_stable}})
    return settings(release=release, **service_keys)


def test_stable_has_the_settings_that_it_was_released_with_instead_of_the_services() -> None:
    stack = with_stable(
        {"config": {"message": "old"}},
        config={"message": "new", "more": True},
        args=["--new"],
        owner="shop",
    )
    service = stack.services["beacon"]
    stable = service.of_track("stable")
    assert (stable.config, stable.args, stable.owner) == ({"message": "old"}, (), "shop")
    assert service.of_track("canary") is service
    assert (service.config, service.args) == ({"message": "new", "more": True}, ("--new",))


@pytest.mark.parametrize(
    ("stable", "error"),
    [
        ({"workload": {"replicas": 0}}, "workload.replicas is 0: use an integer from 1"),
        ({"routing": {}}, "routing is {}: use one of command, args"),
        ({"autoscaling": {"minReplicas": 50}}, "autoscaling.minReplicas is 50: use at most"),
    ],
)
def test_the_settings_of_stable_are_validated_like_those_of_the_service(
    stable: dict[str, Any], error: str
) -> None:
    prefix = "slipway:services.beacon.release.stable.settings."
    with pytest.raises(SettingsError, match=re.escape(prefix + error)):
        with_stable(stable)


def test_each_color_has_the_settings_that_it_was_released_with() -> None:
    idle = {"idle": {"settings": {"config": {"message": "old"}}}}
    stack = settings(release=changed(BLUE_GREEN, idle), config={"message": "new"})
    service = stack.services["beacon"]
    assert service.of_track("canary").config == {"message": "old"}
    assert service.of_track("stable") is service
    wrong = changed(BLUE_GREEN, {"idle": {"settings": {"workload": {"replicas": 0}}}})
    place = r"beacon\.release\.idle\.settings\.workload\.replicas is 0: use an integer"
    with pytest.raises(SettingsError, match=place):
        settings(release=wrong)


def test_the_settings_of_stable_require_a_canary() -> None:
    stable = {"version": "1.0.0", "digest": DIGEST, "settings": {}}
    with pytest.raises(SettingsError, match=r"release\.stable\.settings is \{\}: use no settings"):
        settings(release={"strategy": "canary", "stable": stable})


def test_the_resource_quota_has_room_for_the_sidecars() -> None:
    without = settings(routing={"backend": "istio"}, autoscaling={"maxReplicas": 50})
    within = settings(
        routing={"backend": "istio"}, autoscaling={"maxReplicas": 50}, mesh={"istio": {}}
    )
    pods = within.services["beacon"].max_pods
    added = parse_quantity(within.resource_quota.limits.cpu) - parse_quantity(
        without.resource_quota.limits.cpu
    )
    assert added == pods * parse_quantity("500m")
