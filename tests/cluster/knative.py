"""Knative Serving in the cluster of the tests, with its networking layer for the Gateway API."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from components.labels import NAME_LABEL
from local import images
from local.base_image import CA_CERTIFICATES
from local.layout import Layout
from local.recipes import KNATIVE
from tests.cluster.installation import Installation
from tests.cluster.project import wait_until
from tests.cluster.server import build

NAMESPACE = "knative-serving"
DOMAIN = "knative.localhost"
"""Domain of the Services' own hosts."""
_PROXY_NAMESPACE = "ingress"
_GATEWAY = "gateway-system/public"
_GATEWAY_SERVICE = "knative-gateway"
_FEATURES = (
    "securitycontext",
    "affinity",
    "topologyspreadconstraints",
    "tolerations",
    "fieldref",
    "init-containers",
    "persistent-volume-claim",
    "persistent-volume-write",
)
"""Fields of a pod that Slipway sets, and that Knative allows with a feature flag."""
_CONFIG: Mapping[str, Mapping[str, str]] = {
    "config-features": {f"kubernetes.podspec-{name}": "enabled" for name in _FEATURES},
    "config-domain": {DOMAIN: ""},
    "config-network": {"ingress-class": "gateway-api.ingress.networking.knative.dev"},
    "config-autoscaler": {
        "stable-window": "15s",
        "scale-to-zero-grace-period": "10s",
    },
    "config-gateway": {
        f"{name}-gateways": json.dumps(
            [
                {
                    "class": "traefik",
                    "gateway": _GATEWAY,
                    "service": f"{_PROXY_NAMESPACE}/{_GATEWAY_SERVICE}",
                    "supported-features": ["HTTPRouteRequestTimeout"],
                }
            ]
        )
        for name in ("external", "local")
    },
}
"""Data of ConfigMaps."""
_DEFINITION = "CustomResourceDefinition"
_DEPLOYMENTS = ("webhook", "controller", "activator", "autoscaler", "net-gateway-api-controller")
_LEFT_OUT = ("HorizontalPodAutoscaler", "PodDisruptionBudget")
_READY_SECONDS = 180


class Knative(Installation):
    """Knative Serving while the block runs; then everything of it is deleted."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._applied: list[dict[str, Any]] = []

    def _install(self) -> None:
        references = {name: self._image(name) for name in KNATIVE.programs}
        manifests = [*self._manifests(references)]
        definitions = [one for one in manifests if one["kind"] == _DEFINITION]
        objects = [one for one in manifests if one["kind"] != _DEFINITION]
        # The namespace first. The webhooks last: they check the ConfigMaps.
        objects.sort(key=lambda one: (one["kind"] != "Namespace", "Webhook" in one["kind"]))
        self._apply(definitions)
        names = [f"crd/{one['metadata']['name']}" for one in definitions]
        self._kubectl("wait", "--for=condition=Established", *names, "--timeout=60s")
        self._apply([*objects, _gateway_service()])
        for name in _DEPLOYMENTS:
            self._kubectl(
                *("rollout", "status", f"deployment/{name}", f"--namespace={NAMESPACE}"),
                f"--timeout={_READY_SECONDS}s",
            )
        wait_until("the webhook to accept a Service", self._is_accepted, _READY_SECONDS)

    def _remove(self) -> None:
        # The webhooks first: without their pods, nothing else could be deleted.
        webhooks = [one for one in self._applied if "Webhook" in one["kind"]]
        others = [one for one in self._applied if "Webhook" not in one["kind"]]
        for objects in (webhooks, others):
            command = ["kubectl", "delete", "--ignore-not-found", "--wait=false", "--filename=-"]
            self._run(command, _list(objects))
        # The next run creates them again.
        definitions = [one for one in self._applied if one["kind"] == _DEFINITION]
        gone = [f"crd/{one['metadata']['name']}" for one in definitions]
        self._kubectl("wait", "--for=delete", f"namespace/{NAMESPACE}", *gone, "--timeout=180s")

    def _image(self, program: str) -> str:
        build(program)
        path = Layout().root / KNATIVE.programs[program].folder / program
        image = images.Image(
            repository=f"knative/{program}",
            key=f"{program} {path.stat().st_mtime_ns}",
            content={f"/{program}": path, str(CA_CERTIFICATES): CA_CERTIFICATES},
            entrypoint=[f"/{program}"],
        )
        images.push(Layout(), image)
        return image.reference

    def _manifests(self, references: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        share = Layout().share
        for folder in KNATIVE.assets:
            # The Gateways of other implementations are in folders.
            recursive = folder == "knative-serving"
            files = sorted((share / folder).glob("**/*.yaml" if recursive else "*.yaml"))
            for file in files:
                if "webhook" in file.name and folder == "knative-net-gateway-api":
                    continue
                for one in yaml.safe_load_all(self._text(file, references)):
                    if one and one["kind"] not in _LEFT_OUT:
                        yield _configured(one)

    def _text(self, file: Path, references: Mapping[str, str]) -> str:
        text = file.read_text()
        paths = {f"knative.dev/serving/cmd/{name}": name for name in KNATIVE.programs}
        paths["knative.dev/net-gateway-api/cmd/controller"] = "net-gateway-api"
        for path, name in paths.items():
            if name in references:
                text = text.replace(f"ko://{path}", references[name])
        return text

    def _is_accepted(self) -> bool:
        service = {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": "accepted", "namespace": NAMESPACE},
            "spec": {"template": {"spec": {"containers": [{"image": "example.com/app"}]}}},
        }
        command = ["kubectl", "apply", "--dry-run=server", "--filename=-"]
        return self._run(command, json.dumps(service)).returncode == 0

    def _apply(self, objects: list[dict[str, Any]]) -> None:
        self._applied += objects
        command = ("apply", "--server-side", "--force-conflicts", "--filename=-")
        self._kubectl(*command, stdin=_list(objects))

    def _kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        result = self._run(["kubectl", *arguments], stdin)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def _run(
        self, command: list[str], stdin: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            env=dict(self._environment),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=_READY_SECONDS + 30,
        )


def _list(objects: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def _configured(one: dict[str, Any]) -> dict[str, Any]:
    """A manifest of Knative's with the configuration of the tests, for a small node."""
    name = one["metadata"]["name"]
    if one["kind"] == "ConfigMap":
        # The examples have a checksum that the webhook compares.
        one["data"] = {
            key: value for key, value in (one.get("data") or {}).items() if key != "_example"
        } | dict(_CONFIG.get(name, {}))
        one["metadata"].get("annotations", {}).pop("knative.dev/example-checksum", None)
    if one["kind"] == "Deployment":
        one["spec"]["replicas"] = 1
        pod = one["spec"]["template"]["spec"]
        # The activator has ten minutes for the last requests.
        pod["terminationGracePeriodSeconds"] = 5
        for container in pod["containers"]:
            container["resources"] = {"requests": {"cpu": "20m", "memory": "40Mi"}}
    return one


def _gateway_service() -> dict[str, Any]:
    """Service of the proxy whose port has the name that the networking layer looks for."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": _GATEWAY_SERVICE, "namespace": _PROXY_NAMESPACE},
        "spec": {
            "selector": {NAME_LABEL: "traefik"},
            "ports": [{"name": "http", "port": 80, "targetPort": "web"}],
        },
    }
