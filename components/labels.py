"""Names, labels and selectors of objects."""

from dataclasses import dataclass

Labels = dict[str, str]

_RECOMMENDED = "app.kubernetes.io"
NAME_LABEL = f"{_RECOMMENDED}/name"
"""Label with the name of the service or server."""
VERSION_LABEL = f"{_RECOMMENDED}/version"
"""Label with the version that runs."""
PART_OF_LABEL = f"{_RECOMMENDED}/part-of"
"""Label with the name of this project, of every object that the program creates."""
INSTANCE_LABEL = f"{_RECOMMENDED}/instance"
"""Label with the namespace."""
FLAGGER = "flagger"
"""Name of Flagger."""
CERT_MANAGER = "cert-manager"
"""Name of cert-manager."""
CA = "slipway-ca"
"""Name of the stack's own CA: its Certificate, Secret and Issuer."""
ACME = "slipway-acme"
"""Name of the Issuer of the ACME server, and prefix of the Secret with the key of its account."""
PRIMARY = "-primary"
"""Suffix that Flagger adds to the names of the objects, and to the name label of the pods, that run
the promoted version."""
BEFORE_START = "before-start"
"""Label ``track`` of the pods of Jobs that run before a version starts."""
COMMON_LABELS: Labels = {
    PART_OF_LABEL: "slipway",
    f"{_RECOMMENDED}/managed-by": "pulumi",
}
"""Labels of every object that the program creates."""
STACK_ANNOTATION = "slipway/stack"
"""Annotation of a namespace with the stack that owns it and everything in it: project and name."""


@dataclass(frozen=True)
class Identity:
    """Name, instance, track and version from which an object's name and labels are derived."""

    name: str
    """Name of the service or server."""
    instance: str
    """Distinguishes deployments of the same service: the namespace."""
    track: str | None = None
    """Label ``track`` of the pods, and suffix of the name. ``None``: common to all tracks."""
    version: str | None = None
    """A label only: selectors are immutable and therefore contain no version."""

    @property
    def object_name(self) -> str:
        """Name of the track's objects, such as ``shop-canary``."""
        return f"{self.name}-{self.track}" if self.track else self.name

    @property
    def selector(self) -> Labels:
        """Labels that select the pods."""
        track = {"track": self.track} if self.track else {}
        return {NAME_LABEL: self.name, INSTANCE_LABEL: self.instance, **track}

    @property
    def labels(self) -> Labels:
        """Selector labels, common labels and the version."""
        version = {VERSION_LABEL: self.version} if self.version else {}
        return {**self.selector, **COMMON_LABELS, **version}
