"""One stack that keeps every rule, and for each rule a change that breaks it and one that does not.

The same cases go through the manifests' front end and through the real CLI.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from policy.objects import PROVIDER, Object

Manifest = dict[str, Any]
Change = Callable[[list[Manifest]], None]
Path = str | tuple[str, ...]
"""Keys joined by dots, or one by one where a key has dots."""

DIGEST = f"sha256:{'a' * 64}"
CONTAINER = "spec.template.spec.containers.0"
LABELS = {
    "app.kubernetes.io/name": "app",
    "app.kubernetes.io/part-of": "slipway",
    "app.kubernetes.io/managed-by": "pulumi",
}


def _object(api_version: str, kind: str, **fields: Any) -> Manifest:
    metadata = {"name": "app", "namespace": "app", "labels": dict(LABELS)}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def _deployment() -> Manifest:
    probe = {"httpGet": {"path": "/", "port": 8080}}
    amounts = {"cpu": "100m", "memory": "64Mi"}
    container = {
        "name": "app",
        "image": f"registry.example.com/app:1.0.0@{DIGEST}",
        "env": [{"name": "TRACK", "value": "stable"}],
        "resources": {"requests": dict(amounts), "limits": dict(amounts)},
        "livenessProbe": deepcopy(probe),
        "readinessProbe": deepcopy(probe),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    spread = {
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": dict(LABELS)},
    }
    pod = {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "topologySpreadConstraints": [spread],
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    return _object(
        "apps/v1",
        "Deployment",
        spec={
            "selector": {"matchLabels": dict(LABELS)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}},
            "template": {"metadata": {"labels": dict(LABELS)}, "spec": pod},
        },
    )


def _stack() -> list[Manifest]:
    namespace = _object("v1", "Namespace")
    namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "restricted"
    selector = {"matchLabels": dict(LABELS)}
    scaled = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"}
    return [
        {"kind": PROVIDER, "metadata": {"name": "cluster"}, "spec": {"context": "prod"}},
        namespace,
        _deployment(),
        _object(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            spec={"scaleTargetRef": scaled, "minReplicas": 3, "maxReplicas": 20},
        ),
        _object(
            "policy/v1", "PodDisruptionBudget", spec={"maxUnavailable": 1, "selector": selector}
        ),
        _object(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            spec={"podSelector": selector, "policyTypes": ["Ingress", "Egress"]},
        ),
        _object("v1", "ConfigMap", data={"config.yaml": "debug: false\npasswordFile: /run/x\n"}),
        _object("v1", "Service", spec={"type": "ClusterIP", "selector": dict(LABELS)}),
        _object(
            "rbac.authorization.k8s.io/v1",
            "Role",
            rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}],
        ),
    ]


def find(objects: list[Manifest], kind: str) -> Manifest:
    """The one object of a kind."""
    return next(one for one in objects if one["kind"] == kind)


def _steps(path: Path) -> list[str]:
    return path.split(".") if isinstance(path, str) else list(path)


def put(kind: str, path: Path, value: Any) -> Change:
    """Set what is at a path of an object; numbers are places in lists."""

    def change(objects: list[Manifest]) -> None:
        *way, last = _steps(path)
        holder: Any = find(objects, kind)
        for key in way:
            holder = holder[int(key)] if key.isdigit() else holder.setdefault(key, {})
        holder[int(last) if last.isdigit() else last] = value

    return change


def drop(kind: str, path: Path = "") -> Change:
    """Take away an object, or what is at a path of it."""

    def change(objects: list[Manifest]) -> None:
        holder: Any = find(objects, kind)
        if not path:
            objects.remove(holder)
            return
        *way, last = _steps(path)
        for key in way:
            holder = holder[int(key)] if key.isdigit() else holder[key]
        del holder[last]

    return change


def config(text: str) -> Change:
    """Give the ConfigMap other text."""
    return put("ConfigMap", ("data", "config.yaml"), text)


def environment(**variable: Any) -> Change:
    """Give the container one variable."""
    return put("Deployment", f"{CONTAINER}.env.0", variable)


def _all(*changes: Change) -> Change:
    def change(objects: list[Manifest]) -> None:
        for one in changes:
            one(objects)

    return change


@dataclass(frozen=True)
class Case:
    """One rule: a change that breaks it, what is then said, and a change that keeps it."""

    rule: str
    broken: Change
    says: str
    kept: Change
    stack: str = "prod"

    def __str__(self) -> str:
        return f"{self.rule}: {self.says}"


_SECURITY = f"{CONTAINER}.securityContext"
_POD_SECURITY = [
    (put("Deployment", "spec.template.spec.hostNetwork", True), "remove hostNetwork"),
    (
        put("Deployment", "spec.template.spec.volumes.0", {"name": "a", "hostPath": {"path": "/"}}),
        "volume a: use another source than hostPath",
    ),
    (
        put(
            "Deployment", "spec.template.spec.securityContext.sysctls", [{"name": "kernel.msgmax"}]
        ),
        "remove the sysctl kernel.msgmax",
    ),
    (
        put("Deployment", "spec.template.spec.securityContext.seccompProfile.type", "Unconfined"),
        "set securityContext.seccompProfile.type to RuntimeDefault",
    ),
    (
        put("Deployment", f"{_SECURITY}.appArmorProfile", {"type": "Unconfined"}),
        "set securityContext.appArmorProfile.type to RuntimeDefault",
    ),
    (
        put("Deployment", f"{_SECURITY}.seLinuxOptions", {"user": "system_u"}),
        "remove securityContext.seLinuxOptions",
    ),
    (
        put("Deployment", f"{_SECURITY}.runAsUser", 0),
        "set securityContext.runAsUser to another user than 0",
    ),
    (
        put("Deployment", f"{_SECURITY}.privileged", True),
        "remove securityContext.privileged",
    ),
    (
        drop("Deployment", f"{_SECURITY}.allowPrivilegeEscalation"),
        "set securityContext.allowPrivilegeEscalation to false",
    ),
    (put("Deployment", f"{_SECURITY}.procMount", "Unmasked"), "remove securityContext.procMount"),
    (
        put("Deployment", "spec.template.spec.securityContext.runAsNonRoot", False),
        "set securityContext.runAsNonRoot to true",
    ),
    (
        drop("Deployment", "spec.template.spec.securityContext.seccompProfile"),
        "set securityContext.seccompProfile.type to RuntimeDefault",
    ),
    (
        put("Deployment", f"{_SECURITY}.capabilities", {"drop": ["KILL"]}),
        "set securityContext.capabilities.drop to [ALL]",
    ),
    (
        put("Deployment", f"{_SECURITY}.capabilities.add", ["SYS_TIME"]),
        "remove SYS_TIME from securityContext.capabilities.add",
    ),
    (
        put("Deployment", f"{CONTAINER}.ports", [{"containerPort": 1, "hostPort": 80}]),
        "remove hostPort 80",
    ),
    (
        put("Deployment", f"{CONTAINER}.livenessProbe.httpGet.host", "example.com"),
        "remove livenessProbe.httpGet.host",
    ),
    (
        put("Deployment", f"{CONTAINER}.lifecycle.preStop.tcpSocket", {"host": "a", "port": 1}),
        "remove lifecycle.preStop.tcpSocket.host",
    ),
]
_BINDING = _object(
    "rbac.authorization.k8s.io/v1",
    "RoleBinding",
    roleRef={
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "cluster-admin",
    },
    subjects=[],
)

CASES = [
    Case(
        "owner-labels",
        drop("Service", ("metadata", "labels", "app.kubernetes.io/part-of")),
        "add the labels app.kubernetes.io/part-of",
        put("Service", ("metadata", "labels", "team"), "payments"),
    ),
    Case(
        "images-by-digest",
        put("Deployment", f"{CONTAINER}.image", "registry.example.com/app:1.0.0"),
        "name it by digest",
        put("Deployment", f"{CONTAINER}.image", "quay.io/prometheus/prometheus:v3.15.0"),
    ),
    Case(
        "images-by-digest",
        put("Deployment", f"{CONTAINER}.image", "quay.io/prometheus/prometheus:latest"),
        "list a third-party release in versions.yaml",
        put("Deployment", f"{CONTAINER}.image", f"app@{DIGEST}"),
    ),
    Case(
        "resources",
        drop("Deployment", f"{CONTAINER}.resources.limits.memory"),
        "set resources.limits.memory",
        put("Deployment", f"{CONTAINER}.resources.limits.memory", "1Gi"),
    ),
    Case(
        "probes",
        drop("Deployment", f"{CONTAINER}.readinessProbe"),
        "add readinessProbe",
        put("Deployment", f"{CONTAINER}.startupProbe", {"httpGet": {"path": "/", "port": 1}}),
    ),
    Case(
        "pod-security",
        drop("Namespace", ("metadata", "labels", "pod-security.kubernetes.io/enforce")),
        "set the label pod-security.kubernetes.io/enforce: restricted",
        put("Namespace", ("metadata", "labels", "pod-security.kubernetes.io/warn"), "restricted"),
    ),
    *(
        Case(
            "pod-security",
            broken,
            says,
            put("Deployment", f"{_SECURITY}.capabilities.add", ["NET_BIND_SERVICE"]),
        )
        for broken, says in _POD_SECURITY
    ),
    Case(
        "autoscaler-bounds",
        put("HorizontalPodAutoscaler", "spec.maxReplicas", 3),
        "make maxReplicas the larger",
        put("HorizontalPodAutoscaler", "spec.maxReplicas", 4),
    ),
    Case(
        "autoscaler-bounds",
        put("Deployment", "spec.replicas", 3),
        "remove replicas",
        put("Deployment", "spec.revisionHistoryLimit", 3),
    ),
    Case(
        "disruption-budget",
        put("PodDisruptionBudget", "spec.maxUnavailable", 0),
        "let at least 1 pod go",
        put("PodDisruptionBudget", "spec.maxUnavailable", "1%"),
    ),
    Case(
        "disruption-budget",
        put("PodDisruptionBudget", "spec", {"minAvailable": 3, "selector": {}}),
        "keep fewer available, or run more pods",
        put("PodDisruptionBudget", "spec", {"minAvailable": 2, "selector": {}}),
    ),
    Case(
        "network-policy",
        drop("NetworkPolicy"),
        "add a NetworkPolicy that selects its pods, with policyTypes Ingress, Egress",
        put("NetworkPolicy", "spec.podSelector", {}),
    ),
    Case(
        "network-policy",
        put("NetworkPolicy", "spec.policyTypes", ["Ingress"]),
        "with policyTypes Egress",
        put("NetworkPolicy", "spec", {"podSelector": {}, "egress": [{}]}),
    ),
    Case(
        "no-public-load-balancer",
        put("Service", "spec.type", "LoadBalancer"),
        "use type ClusterIP",
        _all(
            put("Service", "spec.type", "LoadBalancer"),
            put(
                "Service",
                "metadata.annotations",
                {"service.beta.kubernetes.io/aws-load-balancer-scheme": "internal"},
            ),
        ),
        stack="dev",
    ),
    Case(
        "no-wildcard-rbac",
        put("Role", "rules.0.verbs", ["*"]),
        "rules[0].verbs holds a *",
        put("Role", "rules.0.verbs", ["get", "watch"]),
    ),
    Case(
        "no-wildcard-rbac",
        lambda objects: objects.append(deepcopy(_BINDING)),
        "it binds cluster-admin",
        put("Role", "rules.0.resources", ["pods", "nodes"]),
    ),
    Case(
        "no-secret-in-env",
        environment(name="DB_PASSWORD", value="hunter2"),
        "move DB_PASSWORD to a Secret, mounted as a file",
        environment(name="DB_PASSWORD_FILE", value="/run/secrets/db"),
    ),
    Case(
        "no-secret-in-env",
        environment(name="DB", valueFrom={"secretKeyRef": {"name": "db", "key": "password"}}),
        "mount the secret of DB as a file",
        environment(name="POD", valueFrom={"fieldRef": {"fieldPath": "metadata.name"}}),
    ),
    Case(
        "no-secret-in-env",
        put("Deployment", f"{CONTAINER}.envFrom", [{"secretRef": {"name": "db"}}]),
        "mount Secret/db as files in place of envFrom",
        put("Deployment", f"{CONTAINER}.envFrom", [{"configMapRef": {"name": "app"}}]),
    ),
    Case(
        "no-secret-in-configmap",
        config("db:\n  password: hunter2\n"),
        "config.yaml sets password",
        config("db:\n  password_file: /run/secrets/db\n"),
    ),
    Case(
        "no-secret-in-configmap",
        config("url: postgres://app:hunter2@db/app\n"),
        "config.yaml holds a password in a URL",
        config("url: postgres://app@db/app\n"),
    ),
    Case(
        "replicas",
        put("HorizontalPodAutoscaler", "spec.minReplicas", 2),
        "it may have just 2",
        _all(drop("HorizontalPodAutoscaler"), put("Deployment", "spec.replicas", 3)),
    ),
    Case(
        "budgeted",
        drop("PodDisruptionBudget"),
        "add a PodDisruptionBudget",
        put("PodDisruptionBudget", "spec.selector", {}),
    ),
    Case(
        "rollout",
        drop("Deployment", "spec.strategy"),
        "maxUnavailable is 25% by default: set it to 0",
        put("Deployment", "spec.strategy.rollingUpdate.maxUnavailable", "0%"),
    ),
    Case(
        "zones",
        put("Deployment", "spec.template.spec.topologySpreadConstraints", []),
        "add a topologySpreadConstraint over topology.kubernetes.io/zone",
        put("Deployment", "spec.template.spec.topologySpreadConstraints.0.maxSkew", 2),
    ),
    Case(
        "named-cluster",
        put(PROVIDER, "spec.context", None),
        "name the kubeconfig's context in slipway:cluster.context",
        put(PROVIDER, "spec.context", "eu-1"),
    ),
    Case(
        "no-debug",
        config("debug: true\n"),
        "set slipway:config.debug to false",
        config("debug: false\n"),
    ),
    Case(
        "no-debug",
        config("faults: {enabled: true}\n"),
        "set slipway:config.faults.enabled to false",
        config("faults: {enabled: false}\n"),
    ),
    Case(
        "retention",
        put("Deployment", f"{CONTAINER}.args", ["--storage.tsdb.retention.time=6d"]),
        "it keeps 6d: set retentionDays in slipway:observability to at least 7",
        put("Deployment", f"{CONTAINER}.args", ["--storage.tsdb.retention.time=1w"]),
    ),
    Case(
        "retention",
        config("limits_config:\n  retention_period: 167h\n"),
        "it keeps 167h",
        config("limits_config:\n  retention_period: 168h\n"),
    ),
]
"""Every rule has at least one."""


def manifests(change: Change | None = None) -> list[Manifest]:
    """The stack that keeps every rule, changed."""
    objects = _stack()
    if change:
        change(objects)
    return objects


def as_objects(manifests: list[Manifest]) -> list[Object]:
    """The same, as the rules read them."""
    return [Object(one, f"{one['kind']}.yaml") for one in manifests]
