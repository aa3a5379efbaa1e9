"""What has to be there before the Pulumi CLI can work on a stack."""

from collections.abc import Mapping
from dataclasses import replace

from rich.console import Console

from commands.errors import CommandError
from components.versions import IMAGES
from local import images
from local.environment import environment
from local.layout import Layout
from local.machine import machine
from local.node import Node
from local.progress import Display
from local.upstream import Reference, can_be_pulled
from settings import Settings


def variables(settings: Settings) -> Mapping[str, str]:
    """The variables for work on a stack; one that names its cluster uses the user's kubeconfig."""
    found = environment()
    if settings.cluster.context is not None:
        found.pop("KUBECONFIG", None)
    return found


def prepare(settings: Settings, *, builds: bool) -> None:
    """Build and start what this machine lacks: for a preview that is less than for an update.

    A cluster runs here only for a stack that names none, a builder only when ``builds`` and a
    version is to be built. What the machine cannot have is refused before anything is touched.
    """
    node = _node(settings)
    if builds and node.has.needs_node:
        _refuse_grafana(settings, node.at)
    if not (builds and any(track.digest is None for track in settings.release.tracks.values())):
        node = Node(node.at, replace(node.has, docker=True))
    with Display(Console(stderr=True)) as display:
        node.up(display)


def lacks_images(settings: Settings) -> bool:
    """Whether the stack deploys servers whose images have to be built here first."""
    if settings.observability.mode != "bundled":
        return False
    return bool(_node(settings).missing_images())


def build_images(settings: Settings) -> None:
    """Build what :func:`lacks_images` says is missing; minutes when nothing is cached."""
    with Display(Console(stderr=True)) as display:
        _node(settings).images(display)


def _node(settings: Settings) -> Node:
    """What this machine has, with the cluster that the stack names."""
    at = Layout()
    has = machine(at)
    return Node(at, replace(has, cluster=True) if settings.cluster.context is not None else has)


def _refuse_grafana(settings: Settings, at: Layout) -> None:
    """Grafana's image cannot be built here: it is there, can be pulled, or is not asked for."""
    if settings.observability.mode != "bundled" or not settings.observability.grafana.enabled:
        return
    wanted = Reference.parse(IMAGES["grafana"])
    if not images.has_tag(at, wanted.repository, wanted.tag) and not can_be_pulled(wanted):
        raise CommandError(
            f"slipway:observability.grafana.enabled is true: {wanted} can neither be pulled nor "
            f"built on this machine. Use false, or push it to the registry here as "
            f"{wanted.repository}:{wanted.tag}"
        )
