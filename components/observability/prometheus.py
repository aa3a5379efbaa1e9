"""Prometheus: metrics, and the rules that make alerts of them."""

from pathlib import PurePosixPath
from typing import Any

from components.network_peer import NetworkPeer
from components.observability.addresses import (
    AGENT_METRICS,
    ALERTMANAGER,
    COLLECTOR_METRICS,
    GRAFANA,
    JAEGER_METRICS,
    KUBE_STATE_METRICS,
    KUBE_STATE_METRICS_OWN,
    LOKI,
    NODE_EXPORTER,
    PROMETHEUS,
    Address,
)
from components.observability.rules import rule_files
from components.observability.server import Description, Http, Server, ServerArgs
from components.observability.slo import Slo
from components.observability.text import as_yaml
from components.versions import IMAGES
from settings import MetricsSettings, Service, parse_quantity

_FOLDER = PurePosixPath("/etc/prometheus")
_DATA = PurePosixPath("/prometheus")
_FILE = "prometheus.yaml"
_VOLUME_SHARE = 90
"""Percent of the volume that blocks may fill; the write-ahead log needs the rest."""
_KUBELET = 10250
_COREDNS = 9153
_ACCOUNT = PurePosixPath("/var/run/secrets/kubernetes.io/serviceaccount")

_SELF_REPORTING = (
    *(PROMETHEUS, ALERTMANAGER, LOKI, JAEGER_METRICS, COLLECTOR_METRICS, AGENT_METRICS),
    *(KUBE_STATE_METRICS_OWN, GRAFANA),
)
"""What the stack's servers say of themselves."""
_KUBELET_PATHS = ("/metrics", "/metrics/cadvisor", "/metrics/probes")
_API_SERVER_KEPT = (
    "up|process_.+|go_goroutines|apiserver_request_total|apiserver_current_inflight_requests|"
    "apiserver_storage_objects|apiserver_client_certificate_expiration_seconds_.+"
)
"""Of tens of thousands of series."""
_KUBELET_KEPT = (
    "up|process_.+|go_goroutines|kubelet_(node_name|running_.+|volume_stats_.+|"
    "certificate_manager_.+|evictions|pod_start_sli_duration_seconds_(count|sum))|"
    "prober_probe_total|storage_operation_.+(count|sum)|"
    "container_(cpu_(usage|cfs_periods|cfs_throttled|cfs_throttled_periods|user|system)_.+|"
    "memory_(working_set_bytes|rss|cache|usage_bytes|failcnt)|"
    "network_(receive|transmit)_(bytes|packets|packets_dropped|errors)_total|"
    "fs_(reads|writes)_(bytes_)?total|fs_(usage|limit)_bytes|spec_.+|last_seen|"
    "processes|threads|oom_events_total|start_time_seconds)|machine_.+"
)
"""Likewise."""

Config = dict[str, Any]


class PrometheusArgs(ServerArgs):
    """Arguments of :class:`Prometheus`."""

    service: Service
    proxy_namespace: str
    """Namespace of the proxies that serve Ingresses or Gateways."""
    metrics: MetricsSettings
    slo: Slo
    runbook_base_url: str


class Prometheus(Server[PrometheusArgs]):
    """Reads every target, evaluates every rule, keeps what the settings say.

    It takes a changed configuration over by itself, without a gap in what it reads.
    """

    def describe(self, args: PrometheusArgs) -> Description:
        metrics, namespace = args["metrics"], args["monitoring_namespace"]
        node_namespace = args["node_namespace"]
        files = prometheus_files(args)
        return Description(
            kind="StatefulSet",
            namespace=namespace,
            image=IMAGES["prometheus"],
            user=65534,
            resources=metrics.resources,
            ports={"http": PROMETHEUS.port},
            ready=Http("/-/ready", PROMETHEUS.port),
            alive=Http("/-/healthy", PROMETHEUS.port),
            args=[
                f"--config.file={_FOLDER / _FILE}",
                "--config.auto-reload",
                "--config.auto-reload-interval=5s",
                f"--storage.tsdb.path={_DATA}",
                f"--web.external-url={PROMETHEUS.url(namespace)}",
                "--enable-feature=exemplar-storage,created-timestamp-zero-ingestion",
            ],
            folder=_FOLDER,
            files=files,
            reread=frozenset(files),
            data=_DATA,
            store=metrics,
            may=[
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
            reached_by=[GRAFANA.peer(namespace, PROMETHEUS.port)],
            reaches=[
                NetworkPeer(args["slo"].namespace, (args["service"].admin_port,)),
                *(
                    at.peer(node_namespace if at in _ON_NODES else namespace)
                    for at in (*_SELF_REPORTING, KUBE_STATE_METRICS, NODE_EXPORTER)
                ),
                # Nodes are no pods.
                NetworkPeer(None, (_KUBELET,)),
                NetworkPeer("kube-system", (_COREDNS,), {"k8s-app": "kube-dns"}),
                # Its pods say themselves on which port.
                NetworkPeer(args["proxy_namespace"]),
            ],
        )


_ON_NODES = (AGENT_METRICS, NODE_EXPORTER)


def prometheus_files(args: PrometheusArgs) -> dict[str, str]:
    """Return the configuration file and the rule files."""
    namespaces = (args["slo"].namespace, args["monitoring_namespace"], args["node_namespace"])
    rules = rule_files(args["service"], args["slo"], namespaces, args["runbook_base_url"])
    return {
        _FILE: as_yaml(_config(args)),
        **{f"rules/{name}": text for name, text in rules.items()},
    }


def _config(args: PrometheusArgs) -> Config:
    metrics, service, namespace = args["metrics"], args["service"], args["monitoring_namespace"]
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
        "rule_files": [str(_FOLDER / "rules" / "*.yaml")],
        "scrape_configs": [
            *([_service(service.name, args["slo"].namespace)] if service.metrics else []),
            _servers({namespace, args["node_namespace"]}),
            {
                "job_name": KUBE_STATE_METRICS.server,
                # Its metrics are about other pods than its own.
                "honor_labels": True,
                "static_configs": [{"targets": [KUBE_STATE_METRICS.host(namespace)]}],
            },
            _node_exporter(args["node_namespace"]),
            *(_kubelet(path) for path in _KUBELET_PATHS),
            _api_server(),
            _coredns(),
            _ingress(args["proxy_namespace"]),
        ],
    }


def _retention(metrics: MetricsSettings) -> Config:
    size = int(parse_quantity(metrics.volume_size)) * _VOLUME_SHARE // 100
    return {"time": f"{metrics.retention_days}d", "size": f"{size}B"}


def _service(name: str, namespace: str) -> Config:
    return {
        "job_name": name,
        "kubernetes_sd_configs": [
            _pods(
                {namespace},
                label=f"app.kubernetes.io/name={name},track",
                field="status.phase=Running",
            )
        ],
        "relabel_configs": [
            _keep("__meta_kubernetes_pod_container_port_name", "admin"),
            *_POD_LABELS,
            _copy("__meta_kubernetes_pod_label_app_kubernetes_io_name", "service"),
            _copy("__meta_kubernetes_pod_label_track", "track"),
            _copy("__meta_kubernetes_pod_label_app_kubernetes_io_version", "version"),
        ],
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
                "|".join(_port(address) for address in _SELF_REPORTING),
            ),
            *_POD_LABELS,
            _copy("__meta_kubernetes_pod_label_app_kubernetes_io_name", "job"),
            _copy("__meta_kubernetes_pod_node_name", "node"),
        ],
    }


def _port(address: Address) -> str:
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
        "authorization": {"credentials_file": str(_ACCOUNT / "token")},
        # Most kubelets sign their certificate themselves.
        "tls_config": {"insecure_skip_verify": True},
        # Theirs are the namespace, pod and container that a metric is about.
        "honor_labels": True,
        # cAdvisor's own times are those of its last look; without this a dead pod would live on.
        "track_timestamps_staleness": True,
        "kubernetes_sd_configs": [{"role": "node"}],
        "relabel_configs": [
            {"target_label": "job", "replacement": "kubelet"},
            {"target_label": "metrics_path", "replacement": path},
            _copy("__meta_kubernetes_node_name", "node"),
            _copy("__meta_kubernetes_node_name", "instance"),
        ],
        "metric_relabel_configs": [_keep("__name__", _KUBELET_KEPT)],
    }


def _api_server() -> Config:
    return {
        "job_name": "apiserver",
        "scheme": "https",
        "authorization": {"credentials_file": str(_ACCOUNT / "token")},
        "tls_config": {"ca_file": str(_ACCOUNT / "ca.crt"), "server_name": "kubernetes"},
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
        "metric_relabel_configs": [_keep("__name__", _API_SERVER_KEPT)],
    }


def _coredns() -> Config:
    return {
        "job_name": "coredns",
        "kubernetes_sd_configs": [
            _pods({"kube-system"}, label="k8s-app=kube-dns", field="status.phase=Running")
        ],
        "relabel_configs": [
            _keep("__meta_kubernetes_pod_container_port_number", str(_COREDNS)),
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
            # One target for each port of the pod: the one that is named.
            {
                "source_labels": [f"{annotation}_port"],
                "action": "keepequal",
                "target_label": "__meta_kubernetes_pod_container_port_number",
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
    """Pods, filtered by the API server: what is not a target is not even sent."""
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


_POD_LABELS = (
    _copy("__meta_kubernetes_namespace", "namespace"),
    _copy("__meta_kubernetes_pod_name", "pod"),
)
