"""What has to be there before the Pulumi CLI can work on a stack."""

from collections.abc import Mapping
from dataclasses import replace

from rich.console import Console

from local.environment import environment
from local.layout import Layout
from local.machine import machine
from local.node import Node
from local.progress import Display
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
    version is to be built.
    """
    at = Layout()
    has = machine(at)
    if settings.cluster.context is not None:
        has = replace(has, cluster=True)
    if not (builds and any(track.digest is None for track in settings.release.tracks.values())):
        has = replace(has, docker=True)
    with Display(Console(stderr=True)) as display:
        Node(at, has).up(display)
