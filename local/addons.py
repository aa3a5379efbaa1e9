"""What runs in the cluster from the start: names, metrics, volumes, the way in from outside."""

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
from local.build import Builder
from local.errors import LocalError
from local.images import Image
from local.layout import Layout
from local.progress import Say
from local.recipes import PLATFORM

_READY_DEADLINE = 120.0
_AUTHORITY_DEADLINE = 30.0
_PAUSE = 0.5
_APPLY_TIMEOUT = 60.0

_RESOLVERS = (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf"))
"""Where this machine's name servers are told; the first file that names a usable one counts."""


@dataclass(frozen=True)
class Addon:
    """One Deployment from one manifest, whose image is one built program."""

    name: str
    namespace: str
    manifest: str
    assets: Sequence[str] = ()
    """Folders below `share/` whose objects (CRDs) come first."""

    @property
    def workload(self) -> str:
        """How `Cluster.unready` names it."""
        return f"deployment {self.namespace}/{self.name}"

    @property
    def version(self) -> str:
        """What is built."""
        return PLATFORM.version(self.name)

    def image(self, builder: Builder) -> Image:
        """From scratch: the program and nothing else."""
        return Image(
            repository=f"slipway/{self.name}",
            key=PLATFORM.fingerprint(builder.go.version),
            content={f"/{self.name}": builder.at.bin / self.name},
            entrypoint=[f"/{self.name}"],
        )


DNS = Addon("coredns", "kube-system", "dns.yaml")
METRICS = Addon("metrics-server", "kube-system", "metrics.yaml")
VOLUMES = Addon("provisioner", "kube-system", "volumes.yaml")
INGRESS = Addon("traefik", "ingress", "traefik.yaml", ["gateway-api"])

ADDONS = (DNS, METRICS, VOLUMES, INGRESS)


class Cluster:
    """The node's API server, spoken to through kubectl."""

    def __init__(self, at: Layout) -> None:
        self.at = at

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs kubectl; its error is ours."""
        done = subprocess.run(
            [self.at.bin / "kubectl", f"--kubeconfig={self.at.kubeconfig}", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_APPLY_TIMEOUT,
            check=False,
        )
        if done.returncode:
            raise LocalError(f"kubectl {arguments[0]} failed: {done.stderr.strip()}")
        return done.stdout

    def apply(self, text: str) -> None:
        """Server-side apply of the objects in `text`."""
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)

    def unready(self) -> list[str]:
        """What is not as it should be: the node, or Deployments of the addons."""
        listed = self.kubectl(
            *("get", "node,deployment,apiservice", "--all-namespaces", "--output=json"),
            "--request-timeout=10s",
        )
        found = json.loads(listed)["items"]
        ready = {_identity(item) for item in found if _is_ready(item)}
        wanted = [f"node {layout.NODE_NAME}"]
        wanted += [addon.workload for addon in ADDONS]
        # Unlike a status, which may be of yesterday, this is the API server's own experience.
        wanted.append("apiservice v1beta1.metrics.k8s.io")
        return [name for name in wanted if name not in ready]

    def wait_ready(self, say: Say) -> None:
        """Waits until node and addons are ready, at most 120 s."""
        end = time.monotonic() + _READY_DEADLINE
        while waited_for := self.unready():
            say(f"waiting for {', '.join(waited_for)}")
            if time.monotonic() > end:
                raise LocalError(
                    f"Waited {_READY_DEADLINE:.0f} s for {', '.join(waited_for)}. What the "
                    f"cluster says:\n{self._warnings()}"
                )
            time.sleep(_PAUSE)

    def wait_authority(self) -> None:
        """Waits until pods are given the authority that the API server has now.

        They read it once: one started with an earlier authority would never trust the API server.
        """
        wanted = self.at.authority.read_text()
        end = time.monotonic() + _AUTHORITY_DEADLINE
        while self._published_authority() != wanted:
            if time.monotonic() > end:
                raise LocalError(
                    f"Waited {_AUTHORITY_DEADLINE:.0f} s for the controller manager to publish "
                    "the cluster's certificate authority to the pods."
                )
            time.sleep(_PAUSE)

    def _published_authority(self) -> str:
        return self.kubectl(
            *("get", "configmap", "kube-root-ca.crt", "--namespace=kube-system"),
            *("--ignore-not-found", r"--output=jsonpath={.data.ca\.crt}"),
        )

    def _warnings(self) -> str:
        events = self.kubectl(
            *("get", "events", "--all-namespaces", "--field-selector=type=Warning"),
            *("--sort-by=.lastTimestamp", "--no-headers"),
        )
        return "\n".join(events.splitlines()[-10:]) or "(no warning)"


def install(addon: Addon, cluster: Cluster, builder: Builder) -> None:
    """Pushes the addon's image and applies its manifest, if either is new."""
    at = cluster.at
    image = addon.image(builder)
    images.push(image)
    definitions = [_objects_in(at.share / name) for name in addon.assets]
    manifest = _rendered(addon, image, at)
    stamp = at.node / "applied" / addon.name
    digest = hashlib.sha256("".join([*definitions, manifest]).encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    cluster.wait_authority()
    for text in definitions:
        cluster.apply(text)
        cluster.kubectl(
            *("wait", "--for=condition=Established", "--timeout=30s", "-f", "-"),
            stdin=_custom_resource_definitions(text),
        )
    cluster.apply(manifest)
    files.write(stamp, digest)


def _rendered(addon: Addon, image: Image, at: Layout) -> str:
    entry = urlsplit(layout.ENTRY_POINT)
    variable = f"{addon.name.replace('-', '_').upper()}_IMAGE"
    text = (layout.MANIFESTS / addon.manifest).read_text()
    return Template(text).substitute(
        {variable: image.reference},
        AUTHORITY=hashlib.sha256(at.authority.read_bytes()).hexdigest()[:16],
        CLUSTER_DOMAIN=layout.CLUSTER_DOMAIN,
        DNS_SERVICE_IP=layout.DNS_SERVICE_IP,
        DNS_UPSTREAM=_upstream(),
        ENTRY_ADDRESS=entry.hostname,
        ENTRY_PORT=entry.port,
        NODE_NAME=layout.NODE_NAME,
        VOLUMES=at.volumes,
    )


def _upstream() -> str:
    """CoreDNS's line for names outside the cluster.

    A name server on this machine's loopback, as systemd-resolved is, cannot be reached from a pod;
    what it asks itself can.
    """
    for source in _RESOLVERS:
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


def _objects_in(folder: Path) -> str:
    return "\n---\n".join(path.read_text() for path in sorted(folder.glob("*.yaml")))


def _custom_resource_definitions(text: str) -> str:
    documents = text.split("\n---")
    return "\n---\n".join(each for each in documents if "kind: CustomResourceDefinition" in each)


def _identity(item: dict) -> str:
    metadata = item["metadata"]
    name = (
        f"{metadata['namespace']}/{metadata['name']}"
        if "namespace" in metadata
        else metadata["name"]
    )
    return f"{item['kind'].lower()} {name}"


def _is_ready(item: dict) -> bool:
    status = item.get("status", {})
    if item["kind"] != "Deployment":
        return any(
            condition["type"] in ("Ready", "Available") and condition["status"] == "True"
            for condition in status.get("conditions", [])
        )
    wanted = item["spec"]["replicas"]
    return (
        status.get("observedGeneration") == item["metadata"]["generation"]
        and status.get("updatedReplicas") == status.get("readyReplicas") == wanted
    )
