"""Upstream's images of the observability servers, made here for a node that cannot pull them."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from components.versions import IMAGES
from local import base_image
from local.images import Image
from local.layout import Layout
from local.recipes import RECIPES, Recipe

_ANSWER_SECONDS = 5.0
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
    """An image's name: `quay.io/prometheus/prometheus:v3.15.0` in its parts."""

    host: str
    repository: str
    tag: str

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Host and tag have to be there."""
        path, _, tag = text.rpartition(":")
        host, _, repository = path.partition("/")
        return cls(host, repository, tag)

    def __str__(self) -> str:
        return f"{self.host}/{self.repository}:{self.tag}"


@dataclass(frozen=True)
class Server:
    """One image of `versions.yaml`, by its key there, and the program that it runs.

    `path` is where upstream has the program, `beside` what else: path → program.
    """

    key: str
    program: str
    path: str
    user: str
    beside: Mapping[str, str] = field(default_factory=dict)

    @property
    def reference(self) -> Reference:
        """What the manifests name."""
        return Reference.parse(IMAGES[self.key])

    @property
    def recipe(self) -> Recipe:
        """What its programs are built with."""
        return RECIPES[self.program]

    @property
    def programs(self) -> Sequence[str]:
        """All that have to be built."""
        return [self.program, *self.beside.values()]

    def image(self, at: Layout, go_version: str) -> Image:
        """The programs and this machine's CA roots, under upstream's repository and tag."""
        programs = {self.path: self.program, **self.beside}
        roots = base_image.ROOTS
        return Image(
            repository=self.reference.repository,
            tag=self.reference.tag,
            key=f"{self.recipe.fingerprint(go_version)} {base_image.fingerprint(roots)}",
            content={
                **{path: at.bin / name for path, name in programs.items()},
                str(roots): roots,
            },
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
    # The same program: it has the exporter to Kafka, and none to Elasticsearch.
    Server("collectorContrib", "otelcol-k8s", "/otelcol-contrib", "10001"),
    Server("nodeExporter", "node_exporter", "/bin/node_exporter", _NOBODY),
    Server("kubeStateMetrics", "kube-state-metrics", "/kube-state-metrics", _NOBODY),
)
"""What can be built. Grafana cannot: its modules are not published."""


def can_be_pulled(reference: Reference) -> bool:
    """Asks the image's own registry, at most some seconds; without credentials."""
    host = _DOCKER_HUB_ADDRESS if reference.host == _DOCKER_HUB else reference.host
    url = f"https://{host}/v2/{reference.repository}/manifests/{reference.tag}"
    try:
        try:
            _head(url, {})
        except urllib.error.HTTPError as refusal:
            if refusal.code != 401:  # noqa: PLR2004
                return False
            token = _token(refusal.headers["WWW-Authenticate"])
            _head(url, {"Authorization": f"Bearer {token}"})
    except (OSError, ValueError, LookupError):
        return False
    return True


def _head(url: str, headers: Mapping[str, str]) -> None:
    asked = urllib.request.Request(  # noqa: S310 - https
        url, headers={"Accept": _MANIFESTS, **headers}, method="HEAD"
    )
    urllib.request.urlopen(asked, timeout=_ANSWER_SECONDS).close()  # noqa: S310


def _token(challenge: str) -> str:
    """What a registry gives to anyone who asks as it says."""
    scheme, _, text = challenge.partition(" ")
    asked = dict(urllib.parse.parse_qsl(text.replace('"', "").replace(",", "&")))
    realm = asked.pop("realm")
    if scheme.lower() != "bearer" or not realm.startswith("https://"):
        raise ValueError(challenge)
    url = f"{realm}?{urllib.parse.urlencode(asked)}"
    with urllib.request.urlopen(url, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310
        return json.load(answer)["token"]
