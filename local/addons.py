"""The cluster's addons: DNS, metrics, volumes and ingress."""

import hashlib
import ipaddress
import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from local import files, images, layout
from local.errors import LocalError
from local.images import Image
from local.layout import Layout
from local.progress import ReportProgress
from local.recipes import PLATFORM

_READY_DEADLINE = 120.0
_POLL_INTERVAL = 0.5
_KUBECTL_TIMEOUT = 60.0

_RESOLV_CONF = (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf"))
"""Files that name this machine's DNS servers; the first with a usable one is used."""


@dataclass(frozen=True)
class Addon:
    """One manifest with one Deployment, whose image contains one program."""

    name: str
    namespace: str
    manifest: str
    crds: Sequence[str] = ()
    """Folders below `share/` whose CustomResourceDefinitions are applied first."""

    @property
    def workload(self) -> str:
        """Name of the Deployment in `Cluster.unready`."""
        return f"deployment {self.namespace}/{self.name}"

    @property
    def version(self) -> str:
        """Version of the program."""
        return PLATFORM.version(self.name)

    def image(self, paths: Layout, go_version: str) -> Image:
        """Image that contains only the program."""
        return Image(
            repository=f"slipway/{self.name}",
            key=PLATFORM.fingerprint(go_version),
            content={f"/{self.name}": paths.bin / self.name},
            entrypoint=[f"/{self.name}"],
        )


DNS = Addon("coredns", "kube-system", "dns.yaml")
METRICS = Addon("metrics-server", "kube-system", "metrics.yaml")
VOLUMES = Addon("provisioner", "kube-system", "volumes.yaml")
INGRESS = Addon("traefik", "ingress", "traefik.yaml", ["gateway-api"])

ADDONS = (DNS, METRICS, VOLUMES, INGRESS)


class Cluster:
    """The cluster of the local node, accessed with kubectl."""

    def __init__(self, paths: Layout) -> None:
        self.paths = paths

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl and return its output. Raises `LocalError`."""
        done = subprocess.run(
            [self.paths.bin / "kubectl", f"--kubeconfig={self.paths.kubeconfig}", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_KUBECTL_TIMEOUT,
            check=False,
        )
        if done.returncode:
            raise LocalError(f"kubectl {arguments[0]} failed: {done.stderr.strip()}")
        return done.stdout

    def apply(self, name: str, manifest: str, crds: Sequence[Path] = ()) -> None:
        """Apply a manifest and the CRDs in the folders `crds`, if the manifest has changed."""
        stamp = self.paths.node / "applied" / name
        digest = hashlib.sha256(manifest.encode()).hexdigest()
        if stamp.is_file() and stamp.read_text() == digest:
            return
        for folder in crds:
            self._apply(str(folder))
            self.kubectl(
                *("wait", "--for=condition=Established", "--timeout=30s"),
                *(f"--filename={file}" for file in _crd_files(folder)),
            )
        self._apply("-", manifest)
        files.write(stamp, digest)

    def unready(self) -> list[str]:
        """The node, Deployments of the addons and APIServices that are not ready."""
        listed = self.kubectl(
            *("get", "node,deployment,apiservice", "--all-namespaces", "--output=json"),
            "--request-timeout=10s",
        )
        ready = {_identity(item) for item in json.loads(listed)["items"] if _is_ready(item)}
        expected = [f"node {layout.NODE_NAME}"]
        expected += [addon.workload for addon in ADDONS]
        # The API server checks this one itself; the status of the others may be outdated.
        expected.append("apiservice v1beta1.metrics.k8s.io")
        return [name for name in expected if name not in ready]

    def wait_ready(self, report: ReportProgress) -> None:
        """Wait until the node and the addons are ready, at most 120 s."""
        end = time.monotonic() + _READY_DEADLINE
        while unready := self.unready():
            report(f"waiting for {', '.join(unready)}")
            if time.monotonic() > end:
                raise LocalError(
                    f"Waited {_READY_DEADLINE:.0f} s for {', '.join(unready)}. The latest warnings "
                    f"of the cluster:\n{self._warnings()}"
                )
            time.sleep(_POLL_INTERVAL)

    def _apply(self, source: str, stdin: str | None = None) -> None:
        options = ("--server-side", "--force-conflicts", f"--filename={source}")
        self.kubectl("apply", *options, stdin=stdin)

    def _warnings(self) -> str:
        events = self.kubectl(
            *("get", "events", "--all-namespaces", "--field-selector=type=Warning"),
            *("--sort-by=.lastTimestamp", "--no-headers"),
        )
        return "\n".join(events.splitlines()[-10:]) or "(no warnings)"


def grant_permissions(cluster: Cluster) -> None:
    """Grant the API server access to the kubelet, and kube-router access to NetworkPolicies."""
    for name in ("kubelet-access", "network-policies"):
        cluster.apply(name, (layout.MANIFESTS / f"{name}.yaml").read_text())


def install(addon: Addon, cluster: Cluster, go_version: str) -> None:
    """Push the image of an addon and apply its manifest, if either has changed."""
    image = addon.image(cluster.paths, go_version)
    images.push(cluster.paths, image)
    crds = [cluster.paths.share / name for name in addon.crds]
    cluster.apply(addon.name, _manifest(addon, image, cluster.paths), crds)


def _manifest(addon: Addon, image: Image, paths: Layout) -> str:
    entry = urlsplit(layout.ENTRY_POINT)
    image_variable = f"{addon.name.replace('-', '_').upper()}_IMAGE"
    text = (layout.MANIFESTS / addon.manifest).read_text()
    return Template(text).substitute(
        {image_variable: image.reference},
        CLUSTER_DOMAIN=layout.CLUSTER_DOMAIN,
        DNS_SERVICE_IP=layout.DNS_SERVICE_IP,
        DNS_UPSTREAM=_dns_upstream(),
        ENTRY_ADDRESS=entry.hostname,
        ENTRY_PORT=entry.port,
        NODE_NAME=layout.NODE_NAME,
        TLS_ENTRY_PORT=urlsplit(layout.TLS_ENTRY_POINT).port,
        VOLUMES=paths.volumes,
    )


def _dns_upstream() -> str:
    """CoreDNS's plugin for names outside the cluster: `forward`, or NXDOMAIN without a server.

    Pods cannot reach a server on this machine's loopback interface, such as systemd-resolved, but
    the servers that it forwards to.
    """
    for source in _RESOLV_CONF:
        if source.exists():
            servers = [
                words[1]
                for line in source.read_text().splitlines()
                if (words := line.split())[:1] == ["nameserver"] and not _is_loopback(words[1])
            ]
            if servers:
                return f"forward . {' '.join(servers)}"
    return "template ANY ANY {\n            rcode NXDOMAIN\n        }"


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.split("%", maxsplit=1)[0]).is_loopback


def _crd_files(folder: Path) -> list[Path]:
    definition = "kind: CustomResourceDefinition"
    return [file for file in sorted(folder.glob("*.yaml")) if definition in file.read_text()]


def _identity(item: dict) -> str:
    metadata = item["metadata"]
    namespace = f"{metadata['namespace']}/" if "namespace" in metadata else ""
    return f"{item['kind'].lower()} {namespace}{metadata['name']}"


def _is_ready(item: dict) -> bool:
    status = item.get("status", {})
    if item["kind"] != "Deployment":
        return any(
            condition["type"] in ("Ready", "Available") and condition["status"] == "True"
            for condition in status.get("conditions", [])
        )
    replicas = item["spec"]["replicas"]
    return (
        status.get("observedGeneration") == item["metadata"]["generation"]
        and status.get("updatedReplicas") == status.get("readyReplicas") == replicas
    )
