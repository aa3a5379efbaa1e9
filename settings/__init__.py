"""Configuration of a stack: types, bounds, defaults and documentation of every key.

The program reads it with :func:`from_pulumi`, commands with :func:`load`; both validate it alike.
``python -m settings`` writes the JSON schema that editors check stack files with.
"""

from settings.acme import AcmeSettings
from settings.autoscaling import Autoscaling
from settings.before_start import BeforeStart
from settings.blue_green import BlueGreen, Color
from settings.build import BuildSettings
from settings.builder import BuilderSettings
from settings.cert_manager import CertManagerSettings
from settings.cluster import Cluster
from settings.config_file import ConfigFileSettings
from settings.containers import InitContainer, Sidecar
from settings.delivery import DeliverySettings
from settings.dns import DnsSettings
from settings.drill import DrillSettings, Fault
from settings.edge import ARCHITECTURE, EDGE_NODE, NODE_GROUP, OFFLINE_TAINTS, EdgeSettings
from settings.env import Env, EnvFrom, EnvFromSource, EnvSource
from settings.errors import SettingsError
from settings.external_secrets import ExternalSecretsSettings
from settings.flagger import FlaggerSettings
from settings.go_source import (
    GoProgram,
    SourceError,
    check_source,
    find_program,
    own_dockerfile,
    workspace_of,
)
from settings.host import BALANCER, FIRST_PORT, PUBLISHED_PORTS, HostSettings
from settings.image import ImageSettings
from settings.istio_routing import IstioRouting, OutlierDetection
from settings.knative import QUEUE_PROXY, REVISION_HASH_LENGTH, KnativeSettings
from settings.loader import check_owner, from_pulumi, load, merged_service, stable_settings
from settings.mesh import IstioSettings, MeshSettings
from settings.namespace import LimitRangeSettings, NamespaceSettings, ResourceQuotaSettings
from settings.network import Network
from settings.notifications import NotificationsSettings, SlackSettings
from settings.observability import (
    AlertsSettings,
    ElasticsearchSink,
    GrafanaSettings,
    KafkaSink,
    LogsSettings,
    MetricsSettings,
    ObservabilitySettings,
    OperatorSettings,
    Receiver,
    Storage,
    TracesSettings,
)
from settings.peers import PeerFrom, Peers, PeerTo
from settings.pod_disruption_budget import PodDisruptionBudgetSettings
from settings.ports import Ports
from settings.probes import ExecAction, GrpcAction, HttpGetAction, Probe, Probes, TcpSocketAction
from settings.progressive import Gates, Match, Progressive
from settings.proxy_metrics import Proxy, ProxyMetrics
from settings.quantities import (
    duration_seconds,
    format_mebibytes,
    parse_quantity,
    scaled_value,
)
from settings.registry import RegistryCredentials, RegistrySettings, docker_config
from settings.release import (
    OBJECT_TRACKS,
    TRACK_KEYS,
    ReleasedVersion,
    ReleaseSettings,
    Strategy,
    Track,
)
from settings.request_metrics import RequestMetricNames
from settings.resources import ResourceList, ResourceRequirements
from settings.routing import (
    WEIGHTED,
    CanaryOverride,
    GatewaySettings,
    Route,
    RoutingBackend,
    RoutingSettings,
    is_wildcard,
)
from settings.schema import PROJECT
from settings.secret_files import ExternalSecretSource, SecretEntry, SecretFiles, secret_name
from settings.secret_stores import SecretStore, SecretStores
from settings.service import SECRETS_FOLDER, Service
from settings.service_alert import ServiceAlert
from settings.service_logs import LogKeys, ServiceLogs
from settings.service_metrics import ServiceMetrics
from settings.service_panel import ServicePanel
from settings.slo import LatencyObjective, SloQueries, SloSettings, format_seconds
from settings.stack import EXTERNAL_SECRETS, Settings
from settings.string_formats import VERSION
from settings.tls import TlsSettings
from settings.volumes import Volume, Volumes
from settings.workload import Scheduling, WorkloadSettings

__all__ = [
    "ARCHITECTURE",
    "BALANCER",
    "EDGE_NODE",
    "EXTERNAL_SECRETS",
    "FIRST_PORT",
    "NODE_GROUP",
    "OBJECT_TRACKS",
    "OFFLINE_TAINTS",
    "PROJECT",
    "PUBLISHED_PORTS",
    "QUEUE_PROXY",
    "REVISION_HASH_LENGTH",
    "SECRETS_FOLDER",
    "TRACK_KEYS",
    "VERSION",
    "WEIGHTED",
    "AcmeSettings",
    "AlertsSettings",
    "Autoscaling",
    "BeforeStart",
    "BlueGreen",
    "BuildSettings",
    "BuilderSettings",
    "CanaryOverride",
    "CertManagerSettings",
    "Cluster",
    "Color",
    "ConfigFileSettings",
    "DeliverySettings",
    "DnsSettings",
    "DrillSettings",
    "EdgeSettings",
    "ElasticsearchSink",
    "Env",
    "EnvFrom",
    "EnvFromSource",
    "EnvSource",
    "ExecAction",
    "ExternalSecretSource",
    "ExternalSecretsSettings",
    "Fault",
    "FlaggerSettings",
    "Gates",
    "GatewaySettings",
    "GoProgram",
    "GrafanaSettings",
    "GrpcAction",
    "HostSettings",
    "HttpGetAction",
    "ImageSettings",
    "InitContainer",
    "IstioRouting",
    "IstioSettings",
    "KafkaSink",
    "KnativeSettings",
    "LatencyObjective",
    "LimitRangeSettings",
    "LogKeys",
    "LogsSettings",
    "Match",
    "MeshSettings",
    "MetricsSettings",
    "NamespaceSettings",
    "Network",
    "NotificationsSettings",
    "ObservabilitySettings",
    "OperatorSettings",
    "OutlierDetection",
    "PeerFrom",
    "PeerTo",
    "Peers",
    "PodDisruptionBudgetSettings",
    "Ports",
    "Probe",
    "Probes",
    "Progressive",
    "Proxy",
    "ProxyMetrics",
    "Receiver",
    "RegistryCredentials",
    "RegistrySettings",
    "ReleaseSettings",
    "ReleasedVersion",
    "RequestMetricNames",
    "ResourceList",
    "ResourceQuotaSettings",
    "ResourceRequirements",
    "Route",
    "RoutingBackend",
    "RoutingSettings",
    "Scheduling",
    "SecretEntry",
    "SecretFiles",
    "SecretStore",
    "SecretStores",
    "Service",
    "ServiceAlert",
    "ServiceLogs",
    "ServiceMetrics",
    "ServicePanel",
    "Settings",
    "SettingsError",
    "Sidecar",
    "SlackSettings",
    "SloQueries",
    "SloSettings",
    "SourceError",
    "Storage",
    "Strategy",
    "TcpSocketAction",
    "TlsSettings",
    "TracesSettings",
    "Track",
    "Volume",
    "Volumes",
    "WorkloadSettings",
    "check_owner",
    "check_source",
    "docker_config",
    "duration_seconds",
    "find_program",
    "format_mebibytes",
    "format_seconds",
    "from_pulumi",
    "is_wildcard",
    "load",
    "merged_service",
    "own_dockerfile",
    "parse_quantity",
    "scaled_value",
    "secret_name",
    "stable_settings",
    "workspace_of",
]
