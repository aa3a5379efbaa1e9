"""The Prometheus operator in the cluster of the tests, and pod metrics for autoscalers.

As with kube-prometheus-stack, the operator's Prometheus selects the monitors and the rules of all
namespaces by the label ``release``. The operator and the adapter run on this machine.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

from components.versions import server_image
from local import images
from local.base_image import CA_CERTIFICATES
from local.images import Image
from local.layout import NODE_IP, Layout
from local.recipes import PROMETHEUS_ADAPTER, PROMETHEUS_OPERATOR, Recipe
from tests.cluster.installation import Installation
from tests.cluster.kubectl import kubectl
from tests.cluster.project import CHECKOUT, Project, wait_until
from tests.cluster.server import build, end, free_port, start

Json = dict[str, Any]

_API = "monitoring.coreos.com/v1"
_READY_SECONDS = 180
_RELEASE = {"matchLabels": {"release": "kube-prometheus-stack"}}
"""Label of the monitors and rules that Prometheus selects."""
_ALL: Json = {}
"""Selector of all namespaces."""


class PrometheusOperator(Installation):
    """The operator and a Prometheus in the monitoring namespace of a stack during a block."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.namespace = f"{project.stack}-monitoring"
        self._definitions = Layout().share / "prometheus-operator"
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        # The operator's Prometheus uses the image of the bundled server.
        subprocess.run([sys.executable, "-m", "local", "images"], cwd=CHECKOUT, check=True)
        for program in PROMETHEUS_OPERATOR.programs:
            build(program)
        return super().__enter__()

    def _install(self) -> None:
        reloader = _reloader_image()
        images.push(Layout(), reloader)
        self._kubectl("apply", "--server-side", f"--filename={self._definitions}")
        self._kubectl("wait", "--for=condition=Established", f"--filename={self._definitions}")
        self._processes.append(
            start(
                _program(PROMETHEUS_OPERATOR, "operator"),
                f"--prometheus-config-reloader={reloader.reference}",
                f"--web.listen-address=127.0.0.1:{free_port('127.0.0.1')}",
                environment=self._project.environment,
                log=self._project.folder / "operator.log",
            )
        )
        _apply(self._project, self._objects())
        wait_until("Prometheus", self._is_ready, _READY_SECONDS)

    def _remove(self) -> None:
        end(self._processes)
        namespace = self.namespace
        for objects in (
            ["namespace", namespace],
            ["clusterrole,clusterrolebinding", namespace],
            [f"--filename={self._definitions}"],
        ):
            self._kubectl("delete", "--ignore-not-found", *objects)

    @property
    def url(self) -> str:
        """URL of Prometheus, which this machine can reach."""
        path = "jsonpath={.status.podIP}"
        pod = ("pod", "prometheus-main-0", f"--namespace={self.namespace}")
        return f"http://{self._kubectl('get', *pod, f'--output={path}')}:9090"

    def query(self, promql: str) -> list[Json]:
        """Return the series of an instant query."""
        return self._get("query", query=promql)["result"]

    def rules(self) -> list[Json]:
        """Return the rules that Prometheus has loaded."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def _get(self, path: str, **parameters: str) -> Json:
        response = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=10)
        return response.raise_for_status().json()["data"]

    def _is_ready(self) -> bool:
        assert self._processes[0].poll() is None, "the operator has ended"
        condition = "jsonpath={.status.conditions[?(@.type=='Available')].status}"
        prometheus = ("prometheus/main", f"--namespace={self.namespace}")
        return self._kubectl("get", *prometheus, f"--output={condition}") == "True"

    def _objects(self) -> Sequence[Json]:
        name = {"name": self.namespace}
        account = {"name": "prometheus", "namespace": self.namespace}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", **name}
        discovered = {
            "apiGroups": ["", "discovery.k8s.io"],
            "resources": ["pods", "services", "endpoints", "endpointslices"],
            "verbs": ["get", "list", "watch"],
        }
        rbac = "rbac.authorization.k8s.io/v1"
        image = server_image("prometheus")
        return (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": name},
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
            {
                "apiVersion": rbac,
                "kind": "ClusterRole",
                "metadata": name,
                "rules": [discovered],
            },
            {
                "apiVersion": rbac,
                "kind": "ClusterRoleBinding",
                "metadata": name,
                "roleRef": role,
                "subjects": [{"kind": "ServiceAccount", **account}],
            },
            {
                "apiVersion": _API,
                "kind": "Prometheus",
                "metadata": {"name": "main", "namespace": self.namespace},
                "spec": {
                    "image": image,
                    "version": image.rpartition(":")[2],
                    "serviceAccountName": account["name"],
                    "podMonitorSelector": _RELEASE,
                    "podMonitorNamespaceSelector": _ALL,
                    "ruleSelector": _RELEASE,
                    "ruleNamespaceSelector": _ALL,
                    "evaluationInterval": "10s",
                    "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}},
                },
            },
        )

    def _kubectl(self, *arguments: str) -> str:
        result = self._project.run("kubectl", *arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout


class PrometheusAdapter(Installation):
    """Server of the custom metrics API during a block: ``rules`` name metrics of Prometheus."""

    def __init__(
        self, project: Project, operator: PrometheusOperator, rules: Sequence[Mapping[str, Any]]
    ) -> None:
        self._project = project
        self._operator = operator
        self._rules = rules
        self._service = {"name": "prometheus-adapter", "namespace": operator.namespace}
        self._processes: list[subprocess.Popen[bytes]] = []

    def _install(self) -> None:
        build("adapter")
        config = self._project.folder / "adapter.yaml"
        config.write_text(yaml.safe_dump({"rules": [*self._rules]}))
        port = free_port(NODE_IP)
        kubeconfig = self._project.environment["KUBECONFIG"]
        self._processes.append(
            start(
                _program(PROMETHEUS_ADAPTER, "adapter"),
                f"--config={config}",
                f"--prometheus-url={self._operator.url}",
                "--metrics-relist-interval=10s",
                "--metrics-max-age=1m",
                f"--bind-address={NODE_IP}",
                f"--secure-port={port}",
                f"--cert-dir={self._project.folder / 'adapter'}",
                f"--lister-kubeconfig={kubeconfig}",
                f"--authentication-kubeconfig={kubeconfig}",
                f"--authorization-kubeconfig={kubeconfig}",
                log=self._project.folder / "adapter.log",
            )
        )
        _apply(self._project, self._objects(port))

    def _remove(self) -> None:
        service = ("apiservice", "v1beta1.custom.metrics.k8s.io")
        self._project.kubectl("delete", "--ignore-not-found", *service)
        end(self._processes)

    def _objects(self, port: int) -> Sequence[Json]:
        group, version = "custom.metrics.k8s.io", "v1beta1"
        return (
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": self._service,
                "spec": {"ports": [{"port": 443, "targetPort": port}]},
            },
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    **self._service,
                    "labels": {"kubernetes.io/service-name": self._service["name"]},
                },
                "addressType": "IPv4",
                "endpoints": [{"addresses": [NODE_IP]}],
                "ports": [{"port": port}],
            },
            {
                "apiVersion": "apiregistration.k8s.io/v1",
                "kind": "APIService",
                "metadata": {"name": f"{version}.{group}"},
                "spec": {
                    "group": group,
                    "version": version,
                    "groupPriorityMinimum": 100,
                    "versionPriority": 100,
                    "insecureSkipTLSVerify": True,
                    "service": self._service,
                },
            },
        )


def _apply(project: Project, objects: Sequence[Json]) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    command = ("apply", "--server-side", "--filename=-")
    kubectl(*command, environment=project.environment, stdin=text)


def _program(recipe: Recipe, name: str) -> Path:
    return Layout().root / recipe.programs[name].folder / name


def _reloader_image() -> Image:
    path = "/bin/prometheus-config-reloader"
    program = _program(PROMETHEUS_OPERATOR, "prometheus-config-reloader")
    return Image(
        repository="prometheus-operator/prometheus-config-reloader",
        key=PROMETHEUS_OPERATOR.version("prometheus-config-reloader"),
        content={path: program, str(CA_CERTIFICATES): CA_CERTIFICATES},
        entrypoint=[path],
    )
