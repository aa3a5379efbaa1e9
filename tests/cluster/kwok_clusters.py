"""Clusters of a real control plane each, whose node and pods kwok simulates, on this machine."""

import json
import secrets
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

from local import kubernetes
from local.layout import NODE_IP, SERVICE_NETWORK, Layout
from tests.cluster.project import wait_until
from tests.cluster.server import build, free_port, start

CONTROLLERS = (
    "deployment-controller",
    "disruption-controller",
    "endpoints-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "horizontal-pod-autoscaler-controller",
    "namespace-controller",
    "replicaset-controller",
    "resourcequota-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
)
"""Controllers of the objects that a stack without observability has."""
STAGES = ("node/fast/node-initialize", "pod/fast/pod-ready", "pod/fast/pod-delete")
"""Stages of kwok: the node and each pod are ready at once."""
INGRESS_STAGE = {
    "apiVersion": "kwok.x-k8s.io/v1alpha1",
    "kind": "Stage",
    "metadata": {"name": "ingress"},
    "spec": {
        "resourceRef": {"apiGroup": "networking.k8s.io/v1", "kind": "Ingress"},
        "selector": {
            "matchExpressions": [
                {"key": ".status.loadBalancer.ingress", "operator": "DoesNotExist"}
            ]
        },
        "next": {"statusTemplate": "loadBalancer: {ingress: [{ip: 127.0.0.1}]}"},
    },
}
"""An Ingress has an address at once, for which Pulumi waits."""


_RESOURCES = {"cpu": "8", "memory": "32Gi", "ephemeral-storage": "100Gi", "pods": "110"}
NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {
        "name": "simulated",
        # As the node here.
        "labels": {"kubernetes.io/os": "linux", "disktype": "ssd"},
    },
    "status": {"allocatable": _RESOURCES, "capacity": _RESOURCES},
}


@dataclass(frozen=True)
class KwokCluster:
    """One API server, its controllers, and a node without containers."""

    name: str
    """Name of its kubeconfig context, and its folder in etcd."""
    folder: Path
    etcd: Path
    """Socket of etcd."""
    port: int
    token: str

    @classmethod
    def new(cls, name: str, folder: Path, etcd: Path) -> Self:
        """A cluster that does not run yet, with a free port."""
        folder.mkdir()
        return cls(name, folder, etcd, free_port("127.0.0.1"), secrets.token_hex(16))

    @property
    def kubeconfig(self) -> Mapping[str, Any]:
        """Kubeconfig with this cluster alone."""
        cluster = {
            "server": f"https://127.0.0.1:{self.port}",
            "certificate-authority": str(self.folder / "apiserver.crt"),
        }
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": self.name, "cluster": cluster}],
            "users": [{"name": self.name, "user": {"token": self.token}}],
            "contexts": [{"name": self.name, "context": {"cluster": self.name, "user": self.name}}],
            "current-context": self.name,
        }

    def start_api_server(self) -> "subprocess.Popen[bytes]":
        """Start the API server."""
        key, tokens = self.folder / "service-accounts.key", self.folder / "tokens.csv"
        curve = ("-name", "prime256v1", "-genkey", "-noout")
        subprocess.run(["openssl", "ecparam", *curve, "-out", key], check=True)
        tokens.write_text(f"{self.token},admin,admin,system:masters\n")
        return self._start(
            "kube-apiserver",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--cert-dir={self.folder}",
            # The Service `kubernetes` has no endpoints: no pod runs here.
            f"--advertise-address={NODE_IP}",
            "--endpoint-reconciler-type=none",
            f"--etcd-servers=unix://{self.etcd}",
            f"--etcd-prefix=/{self.name}",
            f"--service-cluster-ip-range={SERVICE_NETWORK}",
            "--authorization-mode=RBAC",
            f"--token-auth-file={tokens}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            # No controller would remove the taint of a node that is ready.
            "--disable-admission-plugins=TaintNodesByCondition",
            "--profiling=false",
        )

    def is_ready(self) -> bool:
        """True if the API server serves requests."""
        url = f"https://127.0.0.1:{self.port}/readyz"
        try:
            return httpx.get(url, verify=False, timeout=5).status_code == 200  # noqa: S501
        except httpx.HTTPError:
            return False

    def start_controllers(self) -> "Sequence[subprocess.Popen[bytes]]":
        """Start the controllers, the scheduler and kwok; create the node, and the CRDs here."""
        file = self.folder / "kubeconfig"
        file.write_text(yaml.safe_dump(self.kubeconfig))
        share, kubeconfig = Layout().share, f"--kubeconfig={file}"
        apply = ("apply", "--server-side", f"--filename={share / 'gateway-api'}")
        # Created, since an applied object has no status.
        for arguments in (apply, ("create", "--filename=-")):
            subprocess.run(
                [Layout().bin / "kubectl", kubeconfig, *arguments],
                input=json.dumps(NODE).encode(),
                stdout=subprocess.DEVNULL,
                check=True,
            )
        ingress = self.folder / "ingress.yaml"
        ingress.write_text(yaml.safe_dump(INGRESS_STAGE))
        stages = [*(share / "kwok" / f"{stage}.yaml" for stage in STAGES), ingress]
        own = ("--leader-elect=false", "--secure-port=0")
        return (
            self._start(
                "kube-controller-manager",
                *(kubeconfig, *own),
                f"--controllers={','.join(CONTROLLERS)}",
                f"--root-ca-file={self.folder / 'apiserver.crt'}",
            ),
            self._start("kube-scheduler", kubeconfig, *own),
            self._start(
                "kwok",
                *(kubeconfig, "--manage-all-nodes", f"--node-ip={NODE_IP}"),
                *(f"--config={stage}" for stage in stages),
            ),
        )

    def _start(self, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        return start(program, *arguments, log=self.folder / f"{program}.log")


@contextmanager
def kwok_clusters(folder: Path, names: Sequence[str]) -> Iterator[Sequence[KwokCluster]]:
    """Start clusters with these names, wait until they serve requests, and end them at the end.

    They share one etcd.
    """
    build("kwok")
    paths = Layout(folder)
    paths.run.mkdir(parents=True)
    _, *flags = kubernetes.etcd(paths).command
    processes = [start("etcd", *flags, log=folder / "etcd.log")]
    try:
        clusters = [KwokCluster.new(name, folder / name, paths.etcd_socket) for name in names]
        processes += [one.start_api_server() for one in clusters]
        for one in clusters:
            wait_until(f"the API server of {one.name}", one.is_ready, 300, 0.5)
            processes += one.start_controllers()
        yield clusters
    finally:
        # On SIGTERM an API server would wait for every watch to end.
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
