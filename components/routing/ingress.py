"""Routing by Ingresses: ingress-nginx's canary annotations, which Traefik ≥ 3.7 serves too."""

from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.networking.v1 import Ingress

from components.routing.router import Router, RouterArgs
from components.routing.split import Backend, TrafficSplit
from components.unset import without_unset

if TYPE_CHECKING:
    from pulumi_kubernetes.networking.v1 import HTTPIngressPathArgsDict

_NGINX = "nginx.ingress.kubernetes.io"
# Proxies publish an address for an Ingress with routes of its own; a canary Ingress has none.
_SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}


class IngressRouter(Router):
    """An Ingress for stable, and one for the canary that takes its share from it."""

    def route(self, args: RouterArgs, opts: pulumi.ResourceOptions) -> None:
        name, split = self.identity.name, args["split"]
        published = args["settings"].ingress.await_address
        annotations = {} if published else _SKIP_AWAIT
        stable = self._ingress(f"{name}-ingress", args, split.stable, annotations, opts)
        if split.canary:
            # The proxy ignores a canary Ingress that no other Ingress has the host and paths of.
            after = pulumi.ResourceOptions(parent=self, depends_on=[stable])
            annotations = _canary_annotations(split, split.canary)
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
            metadata=without_unset(
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
