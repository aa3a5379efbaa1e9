"""Routing by Ingresses: ingress-nginx's canary annotations, which Traefik ≥ 3.7 serves too."""

from math import ceil
from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.networking.v1 import Ingress

from components.prune import prune_none
from components.routing.router import Router, RouterArgs
from components.routing.split import Backend, TrafficSplit
from schemas.values import seconds
from settings import ServiceConfig

if TYPE_CHECKING:
    from pulumi_kubernetes.networking.v1 import HTTPIngressPathArgsDict

_NGINX = "nginx.ingress.kubernetes.io"
_BODY_BYTES = 2**20
"""Longest request body that nginx lets through by itself."""
_SECONDS = 60
"""How long it waits by itself for the service to take, or to send, the next bytes."""
# Proxies publish an address for an Ingress with routes of its own; a canary Ingress has none.
_SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}


class IngressRouter(Router):
    """An Ingress for stable, and one for the canary that takes its share from it."""

    def route(self, args: RouterArgs, opts: pulumi.ResourceOptions) -> None:
        name, split = self.identity.name, args["split"]
        published = args["settings"].ingress.await_address
        bounds = _bounds(args["config"])
        annotations = bounds | ({} if published else _SKIP_AWAIT)
        stable = self._ingress(f"{name}-ingress", args, split.stable, annotations, opts)
        if split.canary:
            # The proxy ignores a canary Ingress that no other Ingress has the host and paths of.
            after = pulumi.ResourceOptions(parent=self, depends_on=[stable])
            annotations = bounds | _canary_annotations(split, split.canary)
            self._ingress(f"{name}-ingress-canary", args, split.canary, annotations, after)

    def _ingress(
        self,
        name: str,
        args: RouterArgs,
        backend: Backend,
        annotations: dict[str, str],
        opts: pulumi.ResourceOptions,
    ) -> Ingress:
        split, identity = args["split"], self.identity
        suffix = "" if backend is split.stable else f"-{backend.track}"
        return Ingress(
            name,
            metadata=prune_none(
                {
                    "name": f"{identity.object_name}{suffix}",
                    "namespace": args["namespace"],
                    "labels": identity.labels,
                    "annotations": annotations or None,
                }
            ),
            spec={
                "ingress_class_name": args["settings"].ingress.class_name,
                "rules": [
                    {
                        "host": split.host,
                        "http": {"paths": [_path(path, backend) for path in split.paths]},
                    }
                ],
            },
            opts=opts,
        )


def _bounds(config: ServiceConfig) -> dict[str, str]:
    """What the service allows, where the proxy would not: bytes and seconds."""
    wanted = {
        "proxy-body-size": (config.limits.body_bytes, _BODY_BYTES),
        "proxy-read-timeout": (ceil(seconds(config.timeouts.write)), _SECONDS),
        "proxy-send-timeout": (ceil(seconds(config.timeouts.read)), _SECONDS),
    }
    return {f"{_NGINX}/{key}": str(value) for key, (value, most) in wanted.items() if value > most}


def _canary_annotations(split: TrafficSplit, canary: Backend) -> dict[str, str]:
    testers = split.open_to
    annotations = {
        "canary": "true",
        "canary-weight": str(canary.weight),
        "canary-weight-total": "100",
        "canary-by-header": testers.header,
        "canary-by-cookie": testers.cookie,
    }
    return {f"{_NGINX}/{key}": value for key, value in annotations.items() if value} | _SKIP_AWAIT


def _path(path: str, backend: Backend) -> "HTTPIngressPathArgsDict":
    return {
        "path": path,
        "path_type": "Prefix",
        "backend": {"service": {"name": backend.service, "port": {"number": backend.port}}},
    }
