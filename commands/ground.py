"""What has to be there before the Pulumi CLI can work on a stack."""

from collections.abc import Mapping
from dataclasses import replace

from rich.console import Console

from commands.errors import CommandError
from components.versions import IMAGES
from local import registry
from local.detection import Machine, detect
from local.environment import environment
from local.layout import Layout
from local.node import Node
from local.progress import Display
from local.server_images import Reference, can_be_pulled
from settings import Settings


class Ground:
    """The machine under one stack. What it has is looked for once, when this is made."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._at = Layout()
        has = detect(self._at)
        self._has = replace(has, cluster=True) if settings.cluster.context is not None else has

    def variables(self) -> Mapping[str, str]:
        """The variables for work on the stack; one that names its cluster uses the user's."""
        return environment(machine=self._has)

    @property
    def has_own_node(self) -> bool:
        """Whether the stack is on the node that this project runs, and on no cluster of a user's.

        That is so where the stack names no context and ``KUBECONFIG`` no other cluster.
        """
        return self._has.needs_node

    def prepare(self, *, builds: bool, another_version: bool = False) -> None:
        """Build and start what this machine lacks: for a preview that is less than for an update.

        A cluster runs here only for a stack that names none, a builder only when ``builds`` and a
        version is to be built, or ``another_version`` than the settings have is to be built or
        looked for. What the machine cannot have is refused before anything is touched.
        """
        if builds and self._has.needs_node:
            self._refuse_grafana()
        tracks = self._settings.release.tracks.values()
        is_built = another_version or (builds and any(track.digest is None for track in tracks))
        self._up(self._has if is_built else replace(self._has, docker=True))

    def prepare_cli(self) -> None:
        """Build what the CLI needs to run at all, and start nothing."""
        self._up(replace(self._has, cluster=True, docker=True))

    def lacks_images(self) -> bool:
        """Whether the stack deploys servers whose images have to be built here first."""
        if self._settings.observability.mode != "bundled":
            return False
        return bool(Node(self._at, self._has).missing_images())

    def build_images(self) -> None:
        """Build what :meth:`lacks_images` says is missing; minutes when nothing is cached."""
        with Display(Console(stderr=True)) as display:
            Node(self._at, self._has).images(display)

    def _up(self, has: Machine) -> None:
        with Display(Console(stderr=True)) as display:
            Node(self._at, has).up(display)

    def _refuse_grafana(self) -> None:
        """Grafana's image cannot be built here: it is there, can be pulled, or is not asked for."""
        observability = self._settings.observability
        if observability.mode != "bundled" or not observability.grafana.enabled:
            return
        wanted = Reference.parse(IMAGES["grafana"])
        if not registry.has_tag(self._at, wanted.repository, wanted.tag) and not can_be_pulled(
            wanted
        ):
            raise CommandError(
                f"slipway:observability.grafana.enabled is true: {wanted} can neither be pulled "
                f"nor built on this machine. Use false, or push it to the registry here as "
                f"{wanted.repository}:{wanted.tag}"
            )
