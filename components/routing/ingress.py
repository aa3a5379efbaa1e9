"""Ingress implementation: canary annotations of ingress-nginx, also supported by Traefik ≥ 3.7."""

from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.networking.v1 import Ingress

from components.prune import prune_none
from components.routing.dns import dns_annotations
from components.routing.router import Router, RouterArgs
from components.routing.split import Backend, TrafficSplit
from settings import WEIGHTED, Route, parse_quantity

if TYPE_CHECKING:
    from pulumi_kubernetes.networking.v1 import HTTPIngressPathArgsDict, IngressTLSArgsDict

_NGINX = "nginx.ingress.kubernetes.io"
_BACKEND_PROTOCOLS = {"http": None, "h2c": "GRPC", "grpc": "GRPC"}
"""The proxy passes HTTP/2 without TLS on with the protocol ``GRPC`` only."""
# The proxy publishes no address for a canary Ingress.
_SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}


class IngressRouter(Router):
    """Ingress of stable and, with a canary track, a canary Ingress with its weight."""

    def route(self, args: RouterArgs, opts: pulumi.ResourceOptions) -> None:
        name, split = self.name, args["split"]
        await_address = args["settings"].ingress.await_address
        # Also for the canary: other records of the same host would be in conflict with these.
        common = _proxy_annotations(args["route"]) | dns_annotations(args["settings"].dns)
        annotations = common | _redirect(args) | ({} if await_address else _SKIP_AWAIT)
        stable = self._ingress(f"{name}-ingress", args, split.stable, annotations, opts)
        if split.canary:
            # The proxy ignores a canary Ingress without a main Ingress for the same host and path.
            after = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[stable]))
            annotations = common | _canary_annotations(split, split.canary)
            # Flagger's own canary Ingress has the name that this one had before.
            replaced = pulumi.ResourceOptions(delete_before_replace=True)
            after = pulumi.ResourceOptions.merge(after, replaced)
            self._ingress(f"{name}-ingress-canary", args, split.canary, annotations, after)

    def _ingress(
        self,
        name: str,
        args: RouterArgs,
        backend: Backend,
        annotations: dict[str, str],
        opts: pulumi.ResourceOptions,
    ) -> Ingress:
        split = args["split"]
        suffix = "" if backend is split.stable else f"-{WEIGHTED}"
        return Ingress(
            name,
            metadata=prune_none(
                {
                    "name": f"{self.name}{suffix}",
                    "namespace": args["namespace"],
                    "labels": self.labels,
                    "annotations": annotations or None,
                }
            ),
            spec=prune_none(
                {
                    "ingress_class_name": args["settings"].ingress.class_name,
                    # The canary Ingress is served with the certificate of stable's.
                    "tls": _tls(args) if backend is split.stable else None,
                    "rules": [
                        {
                            "host": host,
                            "http": {"paths": [_path(path, backend) for path in split.paths]},
                        }
                        for host in split.hosts
                    ],
                }
            ),
            opts=opts,
        )


def _tls(args: RouterArgs) -> "list[IngressTLSArgsDict] | None":
    secret = args.get("tls_secret")
    return [{"hosts": [*args["split"].hosts], "secret_name": secret}] if secret else None


def _redirect(args: RouterArgs) -> dict[str, str]:
    if not args.get("tls_secret"):
        return {}
    return {f"{_NGINX}/ssl-redirect": "true" if args["settings"].tls.redirect else "false"}


def _proxy_annotations(route: Route) -> dict[str, str]:
    """Annotations for the protocol and the limits of the service."""
    size, timeout = route.max_body_size, route.request_timeout_seconds
    annotations = {
        "backend-protocol": _BACKEND_PROTOCOLS[route.protocol],
        "proxy-body-size": size and f"{parse_quantity(size):.0f}",
        "proxy-read-timeout": timeout and str(timeout),
        "proxy-send-timeout": timeout and str(timeout),
    }
    return {f"{_NGINX}/{key}": value for key, value in annotations.items() if value}


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
