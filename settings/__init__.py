"""Configuration of a stack: types, bounds, defaults and documentation of every key.

The program reads it with :func:`from_pulumi`, commands with :func:`load`; both validate it alike.
``python -m settings`` writes the JSON schema that editors check stack files with.
"""

from settings.autoscaling import Autoscaling
from settings.build import BuildSettings
from settings.builder import BuilderSettings
from settings.config import ServiceConfig
from settings.errors import SettingsError
from settings.go_source import (
    GoProgram,
    SourceError,
    check_source,
    find_program,
    own_dockerfile,
    workspace_of,
)
from settings.image import ImageSettings
from settings.loader import from_pulumi, load
from settings.namespace import LimitRangeSettings, NamespaceSettings, ResourceQuotaSettings
from settings.network import Network
from settings.observability import (
    AlertsSettings,
    GrafanaSettings,
    LogsSettings,
    MetricsSettings,
    ObservabilitySettings,
    OperatorSettings,
    Receiver,
    Storage,
    TracesSettings,
)
from settings.pod_disruption_budget import PodDisruptionBudgetSettings
from settings.quantities import (
    duration_seconds,
    format_mebibytes,
    parse_quantity,
    scaled_value,
)
from settings.registry import RegistryCredentials, RegistrySettings, docker_config
from settings.release import ReleasedVersion, ReleaseSettings, Strategy, Track
from settings.resources import ResourceList, ResourceRequirements
from settings.routing import CanaryOverride, GatewaySettings, RoutingBackend, RoutingSettings
from settings.schema import PROJECT
from settings.service import Service
from settings.slo import LatencyObjective, SloSettings
from settings.stack import Settings
from settings.string_formats import VERSION
from settings.workload import Probe, Scheduling, WorkloadSettings

__all__ = [
    "PROJECT",
    "VERSION",
    "AlertsSettings",
    "Autoscaling",
    "BuildSettings",
    "BuilderSettings",
    "CanaryOverride",
    "GatewaySettings",
    "GoProgram",
    "GrafanaSettings",
    "ImageSettings",
    "LatencyObjective",
    "LimitRangeSettings",
    "LogsSettings",
    "MetricsSettings",
    "NamespaceSettings",
    "Network",
    "ObservabilitySettings",
    "OperatorSettings",
    "PodDisruptionBudgetSettings",
    "Probe",
    "Receiver",
    "RegistryCredentials",
    "RegistrySettings",
    "ReleaseSettings",
    "ReleasedVersion",
    "ResourceList",
    "ResourceQuotaSettings",
    "ResourceRequirements",
    "RoutingBackend",
    "RoutingSettings",
    "Scheduling",
    "Service",
    "ServiceConfig",
    "Settings",
    "SettingsError",
    "SloSettings",
    "SourceError",
    "Storage",
    "Strategy",
    "TracesSettings",
    "Track",
    "WorkloadSettings",
    "check_source",
    "docker_config",
    "duration_seconds",
    "find_program",
    "format_mebibytes",
    "from_pulumi",
    "load",
    "own_dockerfile",
    "parse_quantity",
    "scaled_value",
    "workspace_of",
]
