"""The programs that are built from Go modules, and how."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local import layout

KUBERNETES_NAMES = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
)


@dataclass(frozen=True)
class Recipe:
    """One folder below `tools/` with a `go.mod` that pins everything.

    `packages` are built into programs named after their last path element.
    `stamps` maps Go variables to the module whose version they show.
    `links` are further names of a program. `patches` replaces files of a module before the build:
    module → file in it → file in the folder. `assets` are folders kept from modules' sources:
    name below `share/` → (module, folder in it).
    """

    name: str
    packages: Sequence[str]
    module: str = ""
    """The module whose version is the tool's own; empty for a program of this folder."""
    stamps: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, Sequence[str]] = field(default_factory=dict)
    patches: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    assets: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where its `go.mod` is."""
        return layout.TOOLS / self.name

    @property
    def programs(self) -> list[str]:
        """What the build leaves in `bin/`, links not counted."""
        return [_program(package) for package in self.packages]

    @property
    def version(self) -> str:
        """What `go.mod` pins."""
        return self.version_of(self.module) if self.module else "-"

    def version_of(self, module: str) -> str:
        """The version at which `go.mod` requires `module`."""
        text = (self.folder / "go.mod").read_text()
        found = re.search(rf"^(?:require|\t)\s*{re.escape(module)} (v\S+)", text, re.MULTILINE)
        if found is None:
            raise ValueError(f"{self.folder / 'go.mod'} does not require {module}")
        return found[1]

    def fingerprint(self, go_version: str) -> str:
        """Changes with anything that the build depends on."""
        digest = hashlib.sha256(f"{self!r} {go_version}".encode())
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                name = path.relative_to(self.folder)
                digest.update(f"\0{name}\0".encode() + path.read_bytes())
        return digest.hexdigest()


def _program(package: str) -> str:
    """Go's own rule: the last path element, a major version aside."""
    elements = package.split("/")
    return elements[-2] if re.fullmatch(r"v\d+", elements[-1]) else elements[-1]


_PULUMI = "github.com/pulumi/pulumi"

PULUMI = Recipe(
    "pulumi",
    [f"{_PULUMI}/pkg/v3/cmd/pulumi"],
    module=f"{_PULUMI}/pkg/v3",
    stamps={f"{_PULUMI}/sdk/v3/go/common/version.Version": f"{_PULUMI}/pkg/v3"},
)

KUBERNETES = Recipe(
    "kubernetes",
    ["./node", "./coredns", "sigs.k8s.io/metrics-server/cmd/metrics-server"],
    module="k8s.io/kubernetes",
    # Clients cannot parse the version that an unstamped server tells.
    stamps={
        "k8s.io/component-base/version.gitVersion": "k8s.io/kubernetes",
        "sigs.k8s.io/metrics-server/pkg/version.gitVersion": "sigs.k8s.io/metrics-server",
    },
    links={"node": KUBERNETES_NAMES},
    patches={
        "sigs.k8s.io/metrics-server": {
            "pkg/api/generated/openapi/zz_generated.openapi.go": "patches/openapi.go",
        }
    },
)

BUILDKIT = Recipe(
    "buildkit",
    ["github.com/moby/buildkit/cmd/buildkitd", "github.com/docker/buildx/cmd/buildx"],
    module="github.com/moby/buildkit",
    stamps={
        "github.com/moby/buildkit/version.Version": "github.com/moby/buildkit",
        "github.com/docker/buildx/version.Version": "github.com/docker/buildx",
    },
)

TRAEFIK = Recipe(
    "traefik",
    ["github.com/traefik/traefik/v3/cmd/traefik"],
    module="github.com/traefik/traefik/v3",
    stamps={"github.com/traefik/traefik/v3/pkg/version.Version": "github.com/traefik/traefik/v3"},
    patches={
        "github.com/go-acme/lego/v4": {
            "providers/dns/zz_gen_dns_providers.go": "patches/dns_providers.go",
        }
    },
    assets={"gateway-api": ("sigs.k8s.io/gateway-api", "config/crd/standard")},
)

PAUSE = Recipe("pause", ["slipway/local/tools/pause"])

HELM = Recipe("helm", ["helm.sh/helm/v4/cmd/helm"], module="helm.sh/helm/v4")
KUBECONFORM = Recipe(
    "kubeconform",
    ["github.com/yannh/kubeconform/cmd/kubeconform"],
    module="github.com/yannh/kubeconform",
)
KUBE_SCORE = Recipe(
    "kube-score",
    ["github.com/zegl/kube-score/cmd/kube-score"],
    module="github.com/zegl/kube-score",
)
VEGETA = Recipe("vegeta", ["github.com/tsenart/vegeta/v12"], module="github.com/tsenart/vegeta/v12")

RECIPES = {
    recipe.name: recipe
    for recipe in (
        KUBERNETES,
        PULUMI,
        BUILDKIT,
        TRAEFIK,
        PAUSE,
        HELM,
        KUBECONFORM,
        KUBE_SCORE,
        VEGETA,
    )
}
"""Every tool by name. `up` builds what it needs; the rest is built by `build NAME`."""
