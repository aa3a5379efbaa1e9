"""Images of the servers and controllers that are built here when they cannot be pulled."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from components.versions import server_image
from local import base_image
from local.detection import pulls_images
from local.images import Image
from local.layout import Layout
from local.recipes import RECIPES, Recipe

_TIMEOUT = 5.0
_MANIFESTS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.list.v2",
        "docker.distribution.manifest.v2",
    )
)
_DOCKER_HUB = "docker.io"
_DOCKER_HUB_ADDRESS = "registry-1.docker.io"


@dataclass(frozen=True)
class Reference:
    """An image reference such as `quay.io/prometheus/prometheus:v3.15.0`."""

    host: str
    repository: str
    tag: str

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Parse a reference; host and tag are required, and a digest is ignored."""
        path, _, tag = text.partition("@")[0].rpartition(":")
        host, _, repository = path.partition("/")
        return cls(host, repository, tag)

    def __str__(self) -> str:
        return f"{self.host}/{self.repository}:{self.tag}"


@dataclass(frozen=True)
class Server:
    """One image of `versions.yaml`, named by its key there.

    `path` is the path of `program` in the upstream image; `further` maps paths to more programs.
    `has_shell` adds a shell.
    """

    key: str
    program: str
    path: str
    user: str
    further: Mapping[str, str] = field(default_factory=dict)
    has_shell: bool = False

    @property
    def reference(self) -> Reference:
        """Reference of the image in the manifests."""
        return Reference.parse(server_image(self.key))

    @property
    def recipe(self) -> Recipe:
        """Recipe of its programs."""
        return RECIPES[self.program]

    @property
    def programs(self) -> Sequence[str]:
        """Programs that the image contains."""
        return [self.program, *self.further.values()]

    def image(self, paths: Layout, go_version: str) -> Image:
        """Image of the programs and this machine's CA certificates, named as upstream's."""
        programs = {self.path: self.program, **self.further}
        certificates = base_image.CA_CERTIFICATES
        shell = base_image.BUSYBOX
        content = {
            **{path: paths.bin / name for path, name in programs.items()},
            str(certificates): certificates,
            **({str(shell): shell} if self.has_shell else {}),
        }
        return Image(
            repository=self.reference.repository,
            tag=self.reference.tag,
            key=f"{self.recipe.fingerprint(go_version)} {base_image.fingerprint(certificates)}",
            content=content,
            links={"/bin/sh": shell.name} if self.has_shell else {},
            entrypoint=[self.path],
            user=f"{self.user}:{self.user}",
        )


_NOBODY = "65534"

SERVERS = (
    Server("prometheus", "prometheus", "/bin/prometheus", _NOBODY, {"/bin/promtool": "promtool"}),
    Server("alertmanager", "alertmanager", "/bin/alertmanager", _NOBODY, {"/bin/amtool": "amtool"}),
    Server("loki", "loki", "/usr/bin/loki", "10001"),
    Server("jaeger", "jaeger", "/cmd/jaeger/jaeger-linux", "10001"),
    Server("collector", "otelcol-k8s", "/otelcol-k8s", "10001"),
    # The same program, which also contains the components for Kafka and Elasticsearch.
    Server("collectorContrib", "otelcol-k8s", "/otelcol-contrib", "10001"),
    Server("nodeExporter", "node_exporter", "/bin/node_exporter", _NOBODY),
    Server("kubeStateMetrics", "kube-state-metrics", "/kube-state-metrics", _NOBODY),
)
"""Images of observability that can be built. Grafana cannot: its Go modules are not published."""
EXTERNAL_SECRETS = Server("externalSecrets", "external-secrets", "/bin/external-secrets", "65532")
FLAGGER = Server("flagger", "flagger", "/home/flagger/flagger", "10001")
LOAD_TESTER = Server(
    *("flaggerLoadtester", "loadtester", "/home/app/loadtester", "10001"),
    {"/usr/bin/hey": "hey"},
    has_shell=True,
)

CERT_MANAGER = (
    Server("certManager", "cert-manager", "/app/cmd/controller/controller", "1000"),
    Server("certManagerAcmeSolver", "acmesolver", "/app/cmd/acmesolver/acmesolver", "1000"),
)


def can_be_pulled(reference: Reference) -> bool:
    """Query the image's registry without credentials; takes at most a few seconds.

    `SLIPWAY_PULL=off` declares that the registries cannot be reached.
    """
    if not pulls_images():
        return False
    host = _DOCKER_HUB_ADDRESS if reference.host == _DOCKER_HUB else reference.host
    url = f"https://{host}/v2/{reference.repository}/manifests/{reference.tag}"
    try:
        try:
            _head(url, {})
        except urllib.error.HTTPError as error:
            if error.code != 401:  # noqa: PLR2004
                return False
            token = _token(error.headers["WWW-Authenticate"])
            _head(url, {"Authorization": f"Bearer {token}"})
    except (OSError, ValueError, LookupError):
        return False
    return True


def _head(url: str, headers: Mapping[str, str]) -> None:
    request = urllib.request.Request(  # noqa: S310 - https
        url, headers={"Accept": _MANIFESTS, **headers}, method="HEAD"
    )
    urllib.request.urlopen(request, timeout=_TIMEOUT).close()  # noqa: S310


def _token(challenge: str) -> str:
    """Anonymous token from the service that the `WWW-Authenticate` header names."""
    scheme, _, text = challenge.partition(" ")
    parameters = dict(urllib.parse.parse_qsl(text.replace('"', "").replace(",", "&")))
    realm = parameters.pop("realm")
    if scheme.lower() != "bearer" or not realm.startswith("https://"):
        raise ValueError(challenge)
    url = f"{realm}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:  # noqa: S310
        return json.load(response)["token"]
