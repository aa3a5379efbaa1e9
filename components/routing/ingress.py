"""Ingress implementation: canary annotations of ingress-nginx, also supported by Traefik ≥ 3.7."""

from math import ceil
from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.networking.v1 import Ingress

from components.prune import prune_none
from components.routing.router import Router, RouterArgs
from components.routing.split import Backend, TrafficSplit
from settings import ServiceConfig, duration_seconds

if TYPE_CHECKING:
    from pulumi_kubernetes.networking.v1 import HTTPIngressPathArgsDict

_NGINX = "nginx.ingress.kubernetes.io"
_DEFAULT_BODY_BYTES = 2**20
_DEFAULT_TIMEOUT_SECONDS = 60
# The proxy publishes no address for a canary Ingress.
_SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}


class IngressRouter(Router):
    """Ingress of stable and, with a canary track, a canary Ingress with its weight."""

    def route(self, args: RouterArgs, opts: pulumi.ResourceOptions) -> None:
        name, split = self.identity.name, args["split"]
        await_address = args["settings"].ingress.await_address
        limits = _proxy_limits(args["config"])
        annotations = limits | ({} if await_address else _SKIP_AWAIT)
        stable = self._ingress(f"{name}-ingress", args, split.stable, annotations, opts)
        if split.canary:
            # The proxy ignores a canary Ingress without a main Ingress for the same host and path.
            after = pulumi.ResourceOptions(parent=self, depends_on=[stable])
            annotations = limits | _canary_annotations(split, split.canary)
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


def _proxy_limits(config: ServiceConfig) -> dict[str, str]:
    """Annotations for limits of the service that exceed the proxy's defaults."""
    limits = {
        "proxy-body-size": (config.limits.body_bytes, _DEFAULT_BODY_BYTES),
        "proxy-read-timeout": (
            ceil(duration_seconds(config.timeouts.write)),
            _DEFAULT_TIMEOUT_SECONDS,
        ),
        "proxy-send-timeout": (
            ceil(duration_seconds(config.timeouts.read)),
            _DEFAULT_TIMEOUT_SECONDS,
        ),
    }
    return {
        f"{_NGINX}/{key}": str(limit) for key, (limit, default) in limits.items() if limit > default
    }


def _canary_annotations(split: TrafficSplit, canary: Backend) -> dict[str, str]:
    override = split.active_override
    annotations = {
        "canary": "true",
        "canary-weight": str(canary.weight),
        "canary-weight-total": "100",
        "canary-by-header": override.header,
        "canary-by-cookie": override.cookie,
    }
    return {f"{_NGINX}/{key}": value for key, value in annotations.items() if value} | _SKIP_AWAIT


def _path(path: str, backend: Backend) -> "HTTPIngressPathArgsDict":
    return {
        "path": path,
        "path_type": "Prefix",
        "backend": {"service": {"name": backend.service, "port": {"number": backend.port}}},
    }
