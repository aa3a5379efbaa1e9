"""Prometheus: scrape configuration, retention and rules."""

from pathlib import PurePosixPath
from typing import Any

from components.istio_sidecar import METRICS_PATH, METRICS_PORT, PROXY_METRICS_PORT
from components.labels import FLAGGER, NAME_LABEL
from components.network_peer import NetworkPeer, ip_block_peer
from components.observability.addresses import (
    AGENT_METRICS,
    ALERTMANAGER,
    CERT_MANAGER_METRICS,
    COLLECTOR_METRICS,
    EXTERNAL_SECRETS_METRICS,
    GRAFANA,
    JAEGER_METRICS,
    KUBE_STATE_METRICS,
    KUBE_STATE_METRICS_OWN,
    LOG_CONSUMER_METRICS,
    LOKI,
    NODE_EXPORTER,
    PROMETHEUS,
    Address,
)
from components.observability.args import ObservabilityArgs
from components.observability.monitored_service import MonitoredService
from components.observability.queries import gate_window
from components.observability.rules import all_rules
from components.observability.server import HttpProbe, Server, ServerSpec
from components.observability.to_yaml import to_yaml
from components.track_roles import RoleRule
from components.versions import server_image
from settings import (
    OBJECT_TRACKS,
    MetricsSettings,
    ServiceMetrics,
    parse_quantity,
    yaml_writer,
)

_CONFIG_DIR = PurePosixPath("/etc/prometheus")
_DATA = PurePosixPath("/prometheus")
_CONFIG_FILE = "prometheus.yaml"
_RETENTION_PERCENT = 90
"""Percentage of the volume for blocks; the write-ahead log needs the rest."""
_KUBELET_PORT = 10250
_COREDNS_PORT = 9153
_SERVICE_ACCOUNT = PurePosixPath("/var/run/secrets/kubernetes.io/serviceaccount")

_SERVERS = (
    *(PROMETHEUS, ALERTMANAGER, LOKI, JAEGER_METRICS, COLLECTOR_METRICS, AGENT_METRICS),
    *(LOG_CONSUMER_METRICS, KUBE_STATE_METRICS_OWN, GRAFANA),
)
"""Metrics of the monitoring servers themselves."""
_ON_NODES = (AGENT_METRICS, NODE_EXPORTER)
_KUBELET_PATHS = ("/metrics", "/metrics/cadvisor", "/metrics/probes")
_API_SERVER_METRICS = (
    "up|process_.+|go_goroutines|apiserver_request_total|apiserver_current_inflight_requests|"
    "apiserver_storage_objects|apiserver_client_certificate_expiration_seconds_.+"
)
"""Metrics to keep; the API server exports tens of thousands of series."""
_KUBELET_METRICS = (
    "up|process_.+|go_goroutines|kubelet_(node_name|running_.+|volume_stats_.+|"
    "certificate_manager_.+|evictions|pod_start_sli_duration_seconds_(count|sum))|"
    "prober_probe_total|storage_operation_.+(count|sum)|"
    "container_(cpu_(usage|cfs_periods|cfs_throttled|cfs_throttled_periods|user|system)_.+|"
    "memory_(working_set_bytes|rss|cache|usage_bytes|failcnt)|"
    "network_(receive|transmit)_(bytes|packets|packets_dropped|errors)_total|"
    "fs_(reads|writes)_(bytes_)?total|fs_(usage|limit)_bytes|spec_.+|last_seen|"
    "processes|threads|oom_events_total|start_time_seconds)|machine_.+"
)
"""Metrics to keep."""

Config = dict[str, Any]


class Prometheus(Server):
    """Prometheus. It reloads a changed configuration by itself, without a gap in the metrics."""

    def spec(self, args: ObservabilityArgs) -> ServerSpec:
        metrics, network = args["settings"].metrics, args["network"]
        namespace, node_namespace = network.monitoring_namespace, args["settings"].node_namespace
        config_files = {_CONFIG_FILE: to_yaml(_config(args))}
        for name, groups in all_rules(args).items():
            text = yaml_writer.to_yaml({"groups": groups}, sort_keys=False, width=1000)
            config_files[f"rules-{name}.yaml"] = text
        return ServerSpec(
            kind="StatefulSet",
            namespace=namespace,
            image=server_image("prometheus"),
            user=65534,
            resources=metrics.resources,
            ports={"http": PROMETHEUS.port},
            readiness=HttpProbe("/-/ready", PROMETHEUS.port),
            liveness=HttpProbe("/-/healthy", PROMETHEUS.port),
            args=[
                f"--config.file={_CONFIG_DIR / _CONFIG_FILE}",
                "--config.auto-reload",
                "--config.auto-reload-interval=5s",
                f"--storage.tsdb.path={_DATA}",
                # After a restart, a series of a rule that has ended meanwhile keeps its last value
                # for this long. By default 5 minutes, in which a release would be held.
                f"--query.lookback-delta={gate_window(metrics.scrape_interval_seconds)}",
                f"--web.external-url={PROMETHEUS.url(namespace)}",
                "--enable-feature=exemplar-storage,created-timestamp-zero-ingestion",
            ],
            config_dir=_CONFIG_DIR,
            config_files=config_files,
            hot_reloaded=frozenset(config_files),
            data_dir=_DATA,
            storage=metrics,
            rbac_rules=[
                {
                    "api_groups": [""],
                    "resources": ["nodes", "pods", "services"],
                    "verbs": ["get", "list", "watch"],
                },
                {
                    "api_groups": ["discovery.k8s.io"],
                    "resources": ["endpointslices"],
                    "verbs": ["get", "list", "watch"],
                },
                {"api_groups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
                {"non_resource_urls": ["/metrics"], "verbs": ["get"]},
            ],
            ingress=[GRAFANA.peer(namespace, PROMETHEUS.port), *_release_controllers(args)],
            egress=[
                *_metrics_ports(args),
                *_external_secrets_metrics(args),
                *(CERT_MANAGER_METRICS.peer(one) for one in _cert_manager(args)),
                *(
                    address.peer(node_namespace if address in _ON_NODES else namespace)
                    for address in (*_SERVERS, KUBE_STATE_METRICS, NODE_EXPORTER)
                ),
                ip_block_peer(network.node_cidrs, _KUBELET_PORT),
                NetworkPeer("kube-system", (_COREDNS_PORT,), {"k8s-app": "kube-dns"}),
                # The annotation prometheus.io/port of its pods names the port.
                NetworkPeer(network.proxy_namespace),
            ],
        )


def _config(args: ObservabilityArgs) -> Config:
    metrics, network = args["settings"].metrics, args["network"]
    namespace, node_namespace = network.monitoring_namespace, args["settings"].node_namespace
    alertmanager = {"targets": [ALERTMANAGER.host(namespace)]}
    interval = f"{metrics.scrape_interval_seconds}s"
    return {
        "global": {
            "scrape_interval": interval,
            "scrape_timeout": f"{min(metrics.scrape_interval_seconds, 10)}s",
            "evaluation_interval": interval,
        },
        "storage": {
            "tsdb": {"retention": _retention(metrics)},
            "exemplars": {"max_exemplars": 20_000},
        },
        "alerting": {"alertmanagers": [{"static_configs": [alertmanager]}]},
        "rule_files": [str(_CONFIG_DIR / "rules-*.yaml")],
        "scrape_configs": [
            *(
                _service(service, service.metrics)
                for service in args["services"]
                if service.metrics or service.has_sidecar
            ),
            _servers({namespace, node_namespace}),
            {
                "job_name": KUBE_STATE_METRICS.server,
                # Keep the labels of the objects that the metrics are about.
                "honor_labels": True,
                "static_configs": [{"targets": [KUBE_STATE_METRICS.host(namespace)]}],
            },
            _node_exporter(node_namespace),
            *(_kubelet(path) for path in _KUBELET_PATHS),
            _api_server(),
            _coredns(),
            _ingress(network.proxy_namespace),
            *([_external_secrets(args["namespace"])] if args.get("has_external_secrets") else ()),
            *map(_cert_manager_job, _cert_manager(args)),
        ],
    }


def _retention(metrics: MetricsSettings) -> Config:
    size = int(parse_quantity(metrics.volume_size)) * _RETENTION_PERCENT // 100
    return {"time": f"{metrics.retention_days}d", "size": f"{size}B"}


def _release_controllers(args: ObservabilityArgs) -> list[NetworkPeer]:
    """Peer for Flagger, which queries the gates of releases. Empty if no service has gates."""
    if not any(service.gate_window for service in args["services"]):
        return []
    return [NetworkPeer(args["namespace"], (PROMETHEUS.port,), {NAME_LABEL: FLAGGER})]


def _metrics_ports(args: ObservabilityArgs) -> list[NetworkPeer]:
    """Peer for the metrics ports of all services. Empty if no service has metrics."""
    ports = {service.metrics_port for service in args["services"] if service.metrics}
    ports |= {METRICS_PORT for service in args["services"] if service.has_sidecar}
    return [NetworkPeer(args["namespace"], tuple(sorted(ports)))] if ports else []


def _external_secrets_metrics(args: ObservabilityArgs) -> list[NetworkPeer]:
    """Peer for the metrics of External Secrets. Empty if the stack has none."""
    if not args.get("has_external_secrets"):
        return []
    return [EXTERNAL_SECRETS_METRICS.peer(args["namespace"])]


def _service(service: MonitoredService, metrics: ServiceMetrics | None) -> Config:
    port = service.metrics_port if metrics else PROXY_METRICS_PORT
    return {
        "job_name": f"services/{service.name}",
        "metrics_path": metrics.path if metrics else METRICS_PATH,
        "kubernetes_sd_configs": [
            _pods(
                {service.namespace},
                label=f"{NAME_LABEL} in ({','.join(service.roles.pod_names)}),track",
                field="status.phase=Running",
            )
        ],
        "relabel_configs": [
            _keep("__meta_kubernetes_pod_container_port_number", str(port)),
            *(_SIDECAR if service.has_sidecar else ()),
            *_POD_LABELS,
            {"target_label": "service", "replacement": service.name},
            _copy("__meta_kubernetes_pod_label_track", "track"),
            *map(_role, service.roles.rules),
            _copy("__meta_kubernetes_pod_label_app_kubernetes_io_version", "version"),
        ],
    }


def _role(rule: RoleRule) -> Config:
    return {
        "source_labels": [f"__meta_kubernetes_pod_{rule.metric_label}"],
        "regex": rule.value,
        "target_label": "track",
        "replacement": rule.track,
    }


def _servers(namespaces: set[str]) -> Config:
    return {
        "job_name": "servers",
        "kubernetes_sd_configs": [
            _pods(
                namespaces, label="app.kubernetes.io/part-of=slipway", field="status.phase=Running"
            )
        ],
        "relabel_configs": [
            _keep(
                (
                    "__meta_kubernetes_pod_label_app_kubernetes_io_name",
                    "__meta_kubernetes_pod_container_port_number",
                ),
                "|".join(_name_and_port(address) for address in _SERVERS),
            ),
            *_POD_LABELS,
            _copy("__meta_kubernetes_pod_label_app_kubernetes_io_name", "job"),
            _copy("__meta_kubernetes_pod_node_name", "node"),
        ],
    }


def _name_and_port(address: Address) -> str:
    return f"{address.server};{address.port}"


def _node_exporter(namespace: str) -> Config:
    return {
        "job_name": NODE_EXPORTER.server,
        "kubernetes_sd_configs": [
            _pods(
                {namespace},
                label=f"app.kubernetes.io/name={NODE_EXPORTER.server}",
                field="status.phase=Running",
            )
        ],
        "relabel_configs": [
            _copy("__meta_kubernetes_pod_node_name", "node"),
            _copy("__meta_kubernetes_pod_node_name", "instance"),
        ],
    }


def _kubelet(path: str) -> Config:
    return {
        "job_name": f"kubelet{path.removeprefix('/metrics').replace('/', '-')}",
        "scheme": "https",
        "metrics_path": path,
        "authorization": {"credentials_file": str(_SERVICE_ACCOUNT / "token")},
        # Most kubelets have a self-signed certificate.
        "tls_config": {"insecure_skip_verify": True},
        # Keep the labels of the pods that the metrics are about.
        "honor_labels": True,
        # cAdvisor exports timestamps: without this, series of a deleted pod would not become stale.
        "track_timestamps_staleness": True,
        "kubernetes_sd_configs": [{"role": "node"}],
        "relabel_configs": [
            {"target_label": "job", "replacement": "kubelet"},
            {"target_label": "metrics_path", "replacement": path},
            _copy("__meta_kubernetes_node_name", "node"),
            _copy("__meta_kubernetes_node_name", "instance"),
        ],
        "metric_relabel_configs": [_keep("__name__", _KUBELET_METRICS)],
    }


def _api_server() -> Config:
    return {
        "job_name": "apiserver",
        "scheme": "https",
        "authorization": {"credentials_file": str(_SERVICE_ACCOUNT / "token")},
        "tls_config": {"ca_file": str(_SERVICE_ACCOUNT / "ca.crt"), "server_name": "kubernetes"},
        "kubernetes_sd_configs": [{"role": "endpointslice", "namespaces": {"names": ["default"]}}],
        "relabel_configs": [
            _keep(
                (
                    "__meta_kubernetes_service_name",
                    "__meta_kubernetes_endpointslice_port_name",
                ),
                "kubernetes;https",
            )
        ],
        "metric_relabel_configs": [_keep("__name__", _API_SERVER_METRICS)],
    }


def _coredns() -> Config:
    return {
        "job_name": "coredns",
        "kubernetes_sd_configs": [
            _pods({"kube-system"}, label="k8s-app=kube-dns", field="status.phase=Running")
        ],
        "relabel_configs": [
            _keep("__meta_kubernetes_pod_container_port_number", str(_COREDNS_PORT)),
            *_POD_LABELS,
        ],
    }


def _external_secrets(namespace: str) -> Config:
    server = EXTERNAL_SECRETS_METRICS.server
    return {
        "job_name": server,
        # Keep the labels of the objects that the metrics are about.
        "honor_labels": True,
        "kubernetes_sd_configs": [
            _pods({namespace}, label=f"{NAME_LABEL}={server}", field="status.phase=Running")
        ],
        "relabel_configs": [*_POD_LABELS],
        "metric_relabel_configs": [
            _keep("__name__", "up|process_.+|go_goroutines|(externalsecret|secretstore)_.+")
        ],
    }


def _cert_manager(args: ObservabilityArgs) -> list[str]:
    """Namespace of cert-manager. Empty: it issues no certificate of the services."""
    namespace = args.get("cert_manager")
    return [namespace] if namespace else []


def _cert_manager_job(namespace: str) -> Config:
    server, port = CERT_MANAGER_METRICS.server, CERT_MANAGER_METRICS.port
    return {
        "job_name": server,
        # Keep the namespaces and names of the certificates that the metrics are about.
        "honor_labels": True,
        "kubernetes_sd_configs": [
            _pods({namespace}, label=f"{NAME_LABEL}={server}", field="status.phase=Running")
        ],
        "relabel_configs": [
            _keep("__meta_kubernetes_pod_container_port_number", str(port)),
            *_POD_LABELS,
        ],
    }


def _ingress(namespace: str) -> Config:
    annotation = "__meta_kubernetes_pod_annotation_prometheus_io"
    return {
        "job_name": "ingress",
        "kubernetes_sd_configs": [_pods({namespace}, field="status.phase=Running")],
        "relabel_configs": [
            _keep(f"{annotation}_scrape", "true"),
            _keep(f"{annotation}_port", "[0-9]+"),
            # Service discovery makes a target for each port of a container: they become the same
            # target. The port of Istio's gateway is not one of its container's.
            {
                "source_labels": ["__address__", f"{annotation}_port"],
                "regex": "(.+?)(?::[0-9]+)?;([0-9]+)",
                "target_label": "__address__",
                "replacement": "$1:$2",
            },
            {
                "source_labels": [f"{annotation}_path"],
                "regex": "(.+)",
                "target_label": "__metrics_path__",
            },
            *_POD_LABELS,
        ],
    }


def _pods(namespaces: set[str], label: str = "", field: str = "") -> Config:
    """Service discovery of pods, filtered by the API server."""
    selector = {"role": "pod"} | ({"label": label} if label else {}) | {"field": field}
    return {
        "role": "pod",
        "namespaces": {"names": sorted(namespaces)},
        "selectors": [selector],
    }


def _keep(source: str | tuple[str, ...], regex: str) -> Config:
    labels = [source] if isinstance(source, str) else list(source)
    return {"source_labels": labels, "regex": regex, "action": "keep"}


def _copy(source: str, target: str) -> Config:
    return {"source_labels": [source], "target_label": target}


_WITH_SIDECAR = "__meta_kubernetes_pod_annotationpresent_sidecar_istio_io_status"
_SIDECAR = (
    # A Job before a start has no ports and accepts no connections.
    _keep("__meta_kubernetes_pod_label_track", "|".join(OBJECT_TRACKS)),
    {
        "source_labels": [_WITH_SIDECAR, "__address__"],
        "regex": "true;(.+):[0-9]+",
        "target_label": "__address__",
        "replacement": f"$1:{METRICS_PORT}",
    },
    {
        "source_labels": [_WITH_SIDECAR],
        "regex": "true",
        "target_label": "__metrics_path__",
        "replacement": METRICS_PATH,
    },
)
"""The sidecar of a pod answers with the metrics of both; a pod that has none yet, with its own."""
_POD_LABELS = (
    _copy("__meta_kubernetes_namespace", "namespace"),
    _copy("__meta_kubernetes_pod_name", "pod"),
)
