"""Recipes: the programs built from Go modules, and the pins and patches of each build."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from local import layout


@dataclass(frozen=True)
class Program:
    """One executable, built from a Go `package`; its version is that of `module`.

    `stamp` is the Go variable that the linker sets to the version. `links` are further names of a
    multi-call binary. `release` is the version of the release if its module has another one.
    `folder` is the folder below `SLIPWAY_HOME` into which it is installed.
    """

    package: str
    module: str = ""
    stamp: str = ""
    links: Sequence[str] = ()
    release: str = ""
    folder: str = "bin"


@dataclass(frozen=True)
class Recipe:
    """A folder below `tools/` whose `go.mod` pins all modules, and the programs built from it.

    `patches` replaces files of modules: module → file in it → file of the recipe, "" to delete it.
    `additions` adds files to modules: module → file in it → file of the recipe.
    `edits` replaces text in files of modules: module → file in it → text → replacement. A text that
    begins or ends with a word is replaced only where that word is whole.
    `assets` are folders copied from modules: name below `share/` → (module, folder in it).
    `tags` are Go build tags.
    """

    name: str
    programs: Mapping[str, Program]
    patches: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    additions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    edits: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    assets: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    tags: Sequence[str] = ()

    @property
    def folder(self) -> Path:
        """Folder of its `go.mod`."""
        return layout.TOOLS / self.name

    def version(self, program: str) -> str:
        """Version of a program as pinned in `go.mod`; "-" for a program of this repository."""
        known = self.programs[program]
        return known.release or (self.version_of(known.module) if known.module else "-")

    def version_of(self, module: str) -> str:
        """Version of a module as required in `go.mod`. Raises `ValueError`."""
        found = re.search(rf"^(?:require|\t)\s*{re.escape(module)} (v\S+)", self._go_mod, re.M)
        if found is None:
            raise ValueError(f"{self.folder / 'go.mod'} does not require {module}")
        return found[1]

    def fingerprint(self, go_version: str) -> str:
        """Hash of everything that the build depends on."""
        digest = hashlib.sha256(f"{self!r} {go_version}".encode())
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                name = path.relative_to(self.folder)
                digest.update(f"\0{name}\0".encode() + path.read_bytes())
        return digest.hexdigest()

    @cached_property
    def _go_mod(self) -> str:
        return (self.folder / "go.mod").read_text()


_ALERTMANAGER = "github.com/prometheus/alertmanager"
_ARGOCD = "github.com/argoproj/argo-cd/v3"
_CERT_MANAGER = "github.com/cert-manager/cert-manager"
_COLLECTOR = "go.opentelemetry.io/collector/otelcol"
_EXTERNAL_DNS = "sigs.k8s.io/external-dns"
_EXTERNAL_SECRETS = "github.com/external-secrets/external-secrets"
_FLAGGER = "github.com/fluxcd/flagger"
_ISTIO = "istio.io/istio"
_JAEGER = "github.com/jaegertracing/jaeger"
_KUBERNETES = "k8s.io/kubernetes"
_KNATIVE = "knative.dev/serving"
_KUBE_ROUTER = "github.com/cloudnativelabs/kube-router/v2"
_KWOK = "sigs.k8s.io/kwok"
_KUBE_STATE_METRICS = "k8s.io/kube-state-metrics/v2"
_LOKI = "github.com/grafana/loki/v3"
_NODE_EXPORTER = "github.com/prometheus/node_exporter"
_PEBBLE = "github.com/letsencrypt/pebble/v2"
_PROMETHEUS = "github.com/prometheus/prometheus"
_PROMETHEUS_ADAPTER = "sigs.k8s.io/prometheus-adapter"
_PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator"
_PULUMI = "github.com/pulumi/pulumi"
_PULUMI_DOCKER_BUILD = "github.com/pulumi/pulumi-docker-build"
_PULUMI_KUBERNETES = "github.com/pulumi/pulumi-kubernetes/provider/v4"
_TRAEFIK = "github.com/traefik/traefik/v3"
_TRIVY = "github.com/aquasecurity/trivy"
_VAULT = "github.com/hashicorp/vault"

_PROMETHEUS_VERSION_VARIABLE = "github.com/prometheus/common/version.Version"
"""Version variable of Prometheus and its related programs."""


_BUILD_POLICIES = "networkPoliciesInfo, err = npc.buildNetworkPoliciesInfo()"
_LIST_PODS = """allLocalPods := make(map[string]podInfo)
	for _, nodeIP := range npc.krNode.GetNodeIPAddrs() {
		npc.getLocalPods(allLocalPods, nodeIP.String())
	}"""
"""Statements of kube-router's network policy controller."""


def _sdk_version(package: str) -> str:
    """Version of a Pulumi SDK, which requires the provider of the same version."""
    requirements = (layout.CHECKOUT / "requirements.txt").read_text()
    return requirements.split(f"{package}==")[1].split()[0]


def _certificates_only(client: str) -> Mapping[str, str]:
    """Edit for the informer that Traefik watches Secrets with."""
    informer = (
        f"factorySecret := kinformers.NewSharedInformerFactoryWithOptions({client}, resyncPeriod, "
        "kinformers.WithNamespace(ns), kinformers.WithTweakListOptions("
    )
    selector = 'o.FieldSelector = "type=kubernetes.io/tls"'
    options = f"func(o *metav1.ListOptions) {{ notOwnedByHelm(o); {selector} }}"
    return {f"{informer}notOwnedByHelm": f"{informer}{options}"}


PLATFORM = Recipe(
    "platform",
    {
        "kubernetes": Program(
            "./kubernetes",
            _KUBERNETES,
            # Clients cannot parse the default version of the API server.
            "k8s.io/component-base/version.gitVersion",
            links=[
                "etcd",
                "kube-apiserver",
                "kube-controller-manager",
                "kube-proxy",
                "kube-scheduler",
                "kubeadm",
                "kubectl",
                "kubelet",
            ],
        ),
        "kube-router": Program("./kube-router", _KUBE_ROUTER),
        "pause": Program("./pause"),
        "coredns": Program("./coredns", "github.com/coredns/coredns"),
        "metrics-server": Program(
            "sigs.k8s.io/metrics-server/cmd/metrics-server", "sigs.k8s.io/metrics-server"
        ),
        "traefik": Program(f"{_TRAEFIK}/cmd/traefik", _TRAEFIK, f"{_TRAEFIK}/pkg/version.Version"),
        "provisioner": Program("./provisioner"),
        "buildkitd": Program(
            "github.com/moby/buildkit/cmd/buildkitd",
            "github.com/moby/buildkit",
            "github.com/moby/buildkit/version.Version",
        ),
        "buildx": Program(
            "github.com/docker/buildx/cmd/buildx",
            "github.com/docker/buildx",
            "github.com/docker/buildx/version.Version",
        ),
        "pulumi": Program(
            f"{_PULUMI}/pkg/v3/cmd/pulumi",
            f"{_PULUMI}/pkg/v3",
            f"{_PULUMI}/sdk/v3/go/common/version.Version",
        ),
        # Not on the PATH: the Pulumi CLI warns of plugins there.
        "pulumi-resource-docker-build": Program(
            f"{_PULUMI_DOCKER_BUILD}/provider/cmd/pulumi-resource-docker-build",
            _PULUMI_DOCKER_BUILD,
            f"{_PULUMI_DOCKER_BUILD}/provider.Version",
            release=_sdk_version("pulumi-docker-build"),
            folder="providers",
        ),
        "pulumi-resource-kubernetes": Program(
            f"{_PULUMI_KUBERNETES}/cmd/pulumi-resource-kubernetes",
            _PULUMI_KUBERNETES,
            f"{_PULUMI_KUBERNETES}/pkg/version.Version",
            release=_sdk_version("pulumi-kubernetes"),
            folder="providers",
        ),
        "kube-state-metrics": Program(
            _KUBE_STATE_METRICS, _KUBE_STATE_METRICS, _PROMETHEUS_VERSION_VARIABLE
        ),
        "node_exporter": Program(_NODE_EXPORTER, _NODE_EXPORTER, _PROMETHEUS_VERSION_VARIABLE),
    },
    patches={
        "github.com/go-acme/lego/v4": {
            "providers/dns/zz_gen_dns_providers.go": "_patches/dns_providers.go",
        },
        _PULUMI_DOCKER_BUILD: {
            "provider/cmd/pulumi-resource-docker-build/main.go": (
                "_patches/docker_build_provider_main.go"
            ),
        },
        _PULUMI_KUBERNETES: {
            "cmd/pulumi-resource-kubernetes/main.go": "_patches/kubernetes_provider_main.go",
            "cmd/pulumi-resource-kubernetes/generate.go": "",
            "pkg/provider/provider_construct.go": "_patches/kubernetes_provider_construct.go",
        },
        _TRAEFIK: {
            "pkg/provider/ecs/ecs.go": "_patches/ecs.go",
            "pkg/provider/ecs/config.go": "",
            "pkg/provider/ecs/label.go": "",
        },
        "sigs.k8s.io/metrics-server": {
            "pkg/api/generated/openapi/zz_generated.openapi.go": "_patches/openapi.go",
        },
    },
    additions={
        _PULUMI_DOCKER_BUILD: {
            "provider/internal/build_output.go": "_patches/docker_build_output.go",
        },
    },
    edits={
        _KUBE_ROUTER: {
            "pkg/controllers/netpol/network_policy_controller.go": {
                # A new pod's connections are delayed until its rules are in place, and not refused.
                "REJECT": "DROP",
                # Lists the pods before it selects those of each policy. By default it does so after
                # it, and allows all traffic of a pod that starts in between.
                _BUILD_POLICIES: f"{_LIST_PODS}\n\t{_BUILD_POLICIES}",
                "npc.syncPodFirewallChains(networkPoliciesInfo, syncVersion)": (
                    "npc.syncPodFirewallChains(networkPoliciesInfo, syncVersion, allLocalPods)"
                ),
            },
            "pkg/controllers/netpol/pod.go": {
                _LIST_PODS: "",
                "version string) (map[string]bool": (
                    "version string, allLocalPods map[string]podInfo) (map[string]bool"
                ),
            },
        },
        _TRAEFIK: {
            # Reads certificates only. By default it reads all Secrets of the cluster.
            "pkg/provider/kubernetes/gateway/client.go": _certificates_only("c.csKube"),
            "pkg/provider/kubernetes/ingress-nginx/client.go": _certificates_only("c.clientset"),
        },
        _PULUMI_DOCKER_BUILD: {
            "provider/internal/cli.go": {
                # Without this, `refresh` cannot look up images in a registry without TLS.
                # The last entry of a host decides about TLS; it leaves the credentials as they are.
                "WithConfigHost(hosts": (
                    f'WithConfigHost(append(hosts, *config.HostNewName("http://{layout.REGISTRY}"))'
                ),
                # Secrets are masked, empty lines are left out, and the end of the output is shown.
                "\tdumplogs bool": "\tbuildOutput\n\tdumplogs bool",
                "s := bufio.NewScanner(c.r)": "defer c.end()\n\ts := bufio.NewScanner(c.r)",
                "text := s.Text()": (
                    'text := c.masked(s.Text())\n\t\tif text == "" {\n\t\t\tcontinue\n\t\t}'
                ),
                "Info(b.String())": "Info(failedSteps(b.String()))",
                "Error(c.err.String())": "Error(c.masked(c.err.String()))",
                "return errors.Join(c.w.Close(), c.r.Close())": (
                    "err := c.w.Close()\n\tc.wait()\n\treturn errors.Join(err, c.r.Close())"
                ),
            },
            "provider/internal/client.go": {
                "opts := build.BuildOptions()": (
                    "opts := build.BuildOptions()\n\tc.buildOutput = newBuildOutput(c.auths, opts)"
                ),
                "Warning(b.String())": "Warning(c.masked(b.String()))",
                "errC <- err": "errC <- c.maskedError(err)",
            },
        },
        _PULUMI_KUBERNETES: {
            # The field manager of an object is the same when a killed update is run again. By
            # default it is random, and fields of the first one could not be changed any more.
            "pkg/provider/provider.go": {
                "fieldManagerName(nil, newResInputs": "fieldManagerName([]byte(urn), newResInputs",
            },
            # The provider was written for an older release of the Pulumi packages.
            "pkg/gen/schema.go": {
                "Provider: pschema.ResourceSpec": "Provider: &pschema.ResourceSpec",
            },
        },
    },
    assets={"gateway-api": ("sigs.k8s.io/gateway-api", "config/crd/standard")},
)
"""Programs that `up` needs. They share one `go.mod`, so that packages used by several programs are
compiled once, which saves a third of the work. Two programs for `images` are here for the same
reason."""

METRICS = Recipe(
    "metrics",
    {
        "prometheus": Program(
            f"{_PROMETHEUS}/cmd/prometheus",
            _PROMETHEUS,
            _PROMETHEUS_VERSION_VARIABLE,
            release="v3.15.0",
        ),
        "promtool": Program(
            f"{_PROMETHEUS}/cmd/promtool",
            _PROMETHEUS,
            _PROMETHEUS_VERSION_VARIABLE,
            release="v3.15.0",
        ),
        "loki": Program(f"{_LOKI}/cmd/loki", _LOKI, f"{_LOKI}/pkg/util/build.Version"),
        "alertmanager": Program(
            f"{_ALERTMANAGER}/cmd/alertmanager", _ALERTMANAGER, _PROMETHEUS_VERSION_VARIABLE
        ),
        "amtool": Program(
            f"{_ALERTMANAGER}/cmd/amtool", _ALERTMANAGER, _PROMETHEUS_VERSION_VARIABLE
        ),
    },
    patches={
        _ALERTMANAGER: {"ui/web.go": "_patches/alertmanager_ui.go"},
        _LOKI: {
            "pkg/compactor/deletion/delete_requests_store_sqlite.go": (
                "_patches/loki_delete_requests_sqlite.go"
            ),
            "pkg/compactor/deletion/delete_requests_db_sqlite.go": "",
        },
    },
    # Only the service discovery that is configured: the cloud SDKs of the others take most of the
    # build time.
    tags=["remove_all_sd", "enable_kubernetes_sd"],
)

TELEMETRY = Recipe(
    "telemetry",
    {
        "otelcol-k8s": Program("./otelcol-k8s", _COLLECTOR, "main.version"),
        "jaeger": Program(
            f"{_JAEGER}/cmd/jaeger",
            _JAEGER,
            f"{_JAEGER}/internal/version.latestVersion",
            release="v2.7.0",
        ),
    },
    patches={
        _JAEGER: {
            "cmd/jaeger/internal/components.go": "_patches/jaeger_components.go",
            "internal/storage/v1/factory/factory.go": "_patches/jaeger_factory.go",
            "internal/storage/v1/factory/config.go": "",
        },
    },
    # This release of Jaeger uses an API of the previous Collector release.
    edits={
        _JAEGER: {
            "cmd/query/app/flags.go": {"TLSSetting": "TLS"},
            "cmd/query/app/server.go": {"TLSSetting": "TLS"},
        },
    },
)

FLAGGER = Recipe(
    "flagger",
    {
        "flagger": Program(f"{_FLAGGER}/cmd/flagger", _FLAGGER),
        # Its load tester, with a version of its own, and the program that this one sends requests
        # with.
        "loadtester": Program(f"{_FLAGGER}/cmd/loadtester", _FLAGGER, release="v0.35.0"),
        "hey": Program("github.com/rakyll/hey", "github.com/rakyll/hey"),
    },
)

CERT_MANAGER = Recipe(
    "cert-manager",
    {
        "cert-manager": Program(
            "./cert-manager", _CERT_MANAGER, f"{_CERT_MANAGER}/pkg/util.AppVersion"
        ),
        "acmesolver": Program("./acmesolver", _CERT_MANAGER),
    },
)

EXTERNAL_SECRETS = Recipe(
    "external-secrets",
    {"external-secrets": Program(_EXTERNAL_SECRETS, _EXTERNAL_SECRETS)},
    # Only the stores that can be reached from a bare machine: the SDKs of the clouds and of thirty
    # other providers take most of the build time.
    patches={
        _EXTERNAL_SECRETS: {
            "pkg/generator/register/register.go": "_patches/generators.go",
            "pkg/provider/register/register.go": "_patches/providers.go",
        },
    },
)

_DISCOVER = "github.com/hashicorp/go-discover"
_KMS_WRAPPERS = "github.com/hashicorp/go-kms-wrapping/wrappers"
_VAULT_SDK = f"{_VAULT}/sdk"

VAULT = Recipe(
    "vault",
    {"vault": Program("./vault", _VAULT)},
    # The SDKs of the clouds, of key services and of databases take most of the build time.
    patches={
        _VAULT: {
            "vault/testing.go": "",
            "vault/testing_util.go": "",
            "vault/seal_testing.go": "",
        },
    },
    # The module was compiled with the SDK beside it, which is not published.
    additions={_VAULT_SDK: {"logical/original_body.go": "_patches/original_body.go"}},
    edits={
        _DISCOVER: {
            "discover.go": {
                f'"{_DISCOVER}/provider/aliyun"': "/*",
                f'"{_DISCOVER}/provider/vsphere"': "*/",
                '"aliyun":       &aliyun.Provider{},': "/*",
                '"packet":       &packet.Provider{},': "*/",
            },
        },
        _VAULT: {
            "http/handler.go": {
                "vault.HandlerHandler": (
                    "interface{ Handler(*vault.HandlerProperties) http.Handler }"
                ),
            },
            "internalshared/configutil/kms.go": {
                f'"{_KMS_WRAPPERS}/alicloudkms/v2"': "/*",
                f'"{_KMS_WRAPPERS}/ocikms/v2"': "*/",
                "case wrapping.WrapperTypeAliCloudKms:": "/*",
                "case wrapping.WrapperTypeTransit:": "*/ case wrapping.WrapperTypeTransit:",
                "func GetAliCloudKMSFunc": "/* func GetAliCloudKMSFunc",
                "var GetTransitKMSFunc": "*/ var GetTransitKMSFunc",
            },
            "internalshared/configutil/telemetry.go": {
                '"context"': "",
                'monitoring "cloud.google.com/go/monitoring/apiv3"': "",
                'stackdriver "github.com/google/go-metrics-stackdriver"': "",
                'stackdrivervault "github.com/google/go-metrics-stackdriver/vault"': "",
                '"google.golang.org/api/option"': "",
                "// Configure the stackdriver sink": "/*",
                "// Initialize the global sink": "*/",
            },
            "vault/core.go": {
                f'"{_KMS_WRAPPERS}/awskms/v2"': "",
                'awskms.WithLogger(c.logger.Named("shamir"))': "",
            },
            "vault/raft.go": {
                f'discoverk8s "{_DISCOVER}/provider/k8s"': "",
                'providers["k8s"] = &discoverk8s.Provider{}': "",
            },
            "vault/eventbus/bus.go": {
                "(bus *pluginEventBus) Send(": "(bus *pluginEventBus) SendEvent(",
            },
        },
        # Does not refuse the paths of this Vault.
        _VAULT_SDK: {"framework/backend.go": {"if p.ExistenceCheck == nil {": "if false {"}},
    },
)
"""Vault's server in development mode, for tests."""

ARGOCD = Recipe(
    "argocd",
    {
        "argocd": Program(
            "./argocd",
            _ARGOCD,
            links=["argocd-application-controller", "argocd-redis", "argocd-repo-server"],
        )
    },
    assets={"argocd": (_ARGOCD, "manifests/crds")},
)
"""Argo CD without its user interface, for tests."""

ISTIO = Recipe(
    "istio",
    {
        program: Program(f"{_ISTIO}/{folder}/cmd/{program}", _ISTIO)
        for program, folder in {
            "istioctl": "istioctl",
            "pilot-discovery": "pilot",
            "pilot-agent": "pilot",
            "istio-cni": "cni",
        }.items()
    },
    assets={
        "istio": (_ISTIO, "manifests/charts/base/files"),
        "istio-bootstrap": (_ISTIO, "tools/packaging/common"),
    },
)
"""Istio without its proxy, for tests: `istioctl` checks manifests."""

_DNS_PROVIDER = f"{_EXTERNAL_DNS}/provider"

EXTERNAL_DNS = Recipe(
    "external-dns",
    {"external-dns": Program(_EXTERNAL_DNS, _EXTERNAL_DNS)},
    # Only Route 53: the SDKs of twenty other providers take most of the build time.
    edits={
        _EXTERNAL_DNS: {
            "provider/factory/provider.go": {
                f'"{_DNS_PROVIDER}/alibabacloud"': "",
                f'"{_DNS_PROVIDER}/awssd"': "/*",
                f'"{_DNS_PROVIDER}/webhook"': "*/",
                "externaldns.ProviderAlibabaCloud: alibabacloud.New,": "",
                "externaldns.ProviderAWSSD:        awssd.New,": "/*",
                "externaldns.ProviderWebhook:      webhook.New,": "*/",
            }
        }
    },
)
"""external-dns with Route 53, for tests."""

KNATIVE = Recipe(
    "knative",
    {
        "net-gateway-api": Program(
            "./net-gateway-api", "knative.dev/net-gateway-api", folder="knative"
        ),
        **{
            name: Program(f"{_KNATIVE}/cmd/{name}", _KNATIVE, folder="knative")
            for name in ("activator", "autoscaler", "controller", "queue", "webhook")
        },
    },
    assets={
        "knative-serving": (_KNATIVE, "config/core"),
        "knative-networking": ("knative.dev/networking", "config"),
        "knative-caching": ("knative.dev/caching", "config"),
        "knative-net-gateway-api": ("knative.dev/net-gateway-api", "config"),
    },
)
"""Knative Serving, and its networking layer for the Gateway API, for tests."""

PROMETHEUS_OPERATOR = Recipe(
    "prometheus-operator",
    {
        name: Program(
            f"{_PROMETHEUS_OPERATOR}/cmd/{name}",
            _PROMETHEUS_OPERATOR,
            _PROMETHEUS_VERSION_VARIABLE,
            folder="prometheus-operator",
        )
        for name in ("operator", "prometheus-config-reloader")
    },
    assets={"prometheus-operator": (_PROMETHEUS_OPERATOR, "example/prometheus-operator-crd")},
)
"""The operator of kube-prometheus-stack, for tests."""

PROMETHEUS_ADAPTER = Recipe(
    "prometheus-adapter",
    {
        "adapter": Program(
            f"{_PROMETHEUS_ADAPTER}/cmd/adapter", _PROMETHEUS_ADAPTER, folder="prometheus-adapter"
        )
    },
)
"""Pod metrics for autoscalers from Prometheus, for tests."""

HELM = Recipe("helm", {"helm": Program("helm.sh/helm/v4/cmd/helm", "helm.sh/helm/v4")})

KUBE_SCORE = Recipe(
    "kube-score",
    {
        "kube-score": Program(
            "github.com/zegl/kube-score/cmd/kube-score", "github.com/zegl/kube-score"
        )
    },
)

KWOK = Recipe(
    "kwok",
    {"kwok": Program(f"{_KWOK}/cmd/kwok", _KWOK)},
    assets={"kwok": (_KWOK, "kustomize/stage")},
)
"""Nodes without a kubelet, for tests."""

PEBBLE = Recipe("pebble", {"pebble": Program(f"{_PEBBLE}/cmd/pebble", _PEBBLE)})

_VEGETA = "github.com/tsenart/vegeta/v12"

VEGETA = Recipe("vegeta", {"vegeta": Program(_VEGETA, _VEGETA, "main.Version")})

_SOPS = "github.com/getsops/sops/v3"

SOPS = Recipe(
    "sops",
    {
        "sops": Program(f"{_SOPS}/cmd/sops", _SOPS),
        "age-keygen": Program("filippo.io/age/cmd/age-keygen", "filippo.io/age"),
    },
)
"""For stacks with secrets in files that sops encrypts."""

TRIVY = Recipe(
    "trivy",
    {"trivy": Program(f"{_TRIVY}/cmd/trivy", _TRIVY, f"{_TRIVY}/pkg/version/app.ver")},
    # As the releases are built: it imports encoding/json/v2.
    tags=["goexperiment.jsonv2"],
)

RECIPES = {
    program: recipe
    for recipe in (
        PLATFORM,
        METRICS,
        TELEMETRY,
        FLAGGER,
        CERT_MANAGER,
        EXTERNAL_SECRETS,
        VAULT,
        ARGOCD,
        ISTIO,
        EXTERNAL_DNS,
        KNATIVE,
        PROMETHEUS_OPERATOR,
        PROMETHEUS_ADAPTER,
        HELM,
        KUBE_SCORE,
        KWOK,
        PEBBLE,
        VEGETA,
        SOPS,
        TRIVY,
    )
    for program in recipe.programs
}
"""Recipe of each program. `up` and `images` build what they need, `build NAME` any program."""
