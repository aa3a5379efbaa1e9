"""Prerequisites of the Pulumi CLI on this machine: programs, builder, registry, Kubernetes node."""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace

from rich.console import Console

from commands.dockerfile import base_images
from commands.errors import CommandError
from components.versions import server_image
from local import registry
from local.detection import Machine, detect
from local.environment import environment
from local.layout import Layout
from local.node import Node
from local.progress import Display
from local.server_images import (
    CERT_MANAGER,
    EXTERNAL_SECRETS,
    FLAGGER,
    LOAD_TESTER,
    Reference,
    Server,
    can_be_pulled,
)
from settings import Settings, own_dockerfile
from settings.sops_secrets import decrypt, uses_sops
from settings.source import source_folder
from settings.stack_file import path_of


class Prerequisites:
    """Prerequisites for one stack. The machine is inspected once, in the constructor."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._layout = Layout()
        found = detect(self._layout)
        has_cluster = settings.cluster.context is not None
        self._machine = replace(found, cluster=True) if has_cluster else found

    def variables(self) -> Mapping[str, str]:
        """Environment variables for Pulumi, kubectl and buildx.

        They leave the user's kubeconfig in place for a stack that names its cluster.
        """
        return environment(machine=self._machine)

    @property
    def has_own_node(self) -> bool:
        """True if the stack runs on this project's own node and not on the user's cluster.

        That is the case when the stack has no context and ``KUBECONFIG`` names no other cluster.
        """
        return self._machine.needs_node

    def prepare(self, *, builds: bool, another_version: bool = False) -> None:
        """Build and start what is missing. A preview needs less than an update.

        Starts a node only for a stack that has no context. Starts a builder when ``builds`` and a
        version of the settings has no digest, or when ``another_version`` has to be built or
        looked up. Raises :class:`CommandError` before it changes anything.
        """
        if builds and self._machine.needs_node:
            self._check_grafana_image()
        services = self._settings.services.values()
        needs_builder = another_version or (
            builds and any(service.release.built for service in services)
        )
        self._start(self._machine if needs_builder else replace(self._machine, docker=True))
        if builds and (servers := self._controllers()):
            with Display(Console(stderr=True)) as display:
                Node(self._layout, self._machine).images(display, servers)

    def _controllers(self) -> list[Server]:
        """Servers that control the releases, certificates and secrets of the stack."""
        settings = self._settings
        servers = [FLAGGER] if settings.has_flagger else []
        servers += [LOAD_TESTER] if settings.needs_load_tester else []
        servers += [EXTERNAL_SECRETS] if settings.has_external_secrets else []
        return servers + ([*CERT_MANAGER] if settings.has_cert_manager else [])

    def check_sops(self, stack: str) -> None:
        """Raise :class:`SettingsError` for a secret of the stack that sops cannot decrypt here.

        Builds sops if it is needed and missing; not on a machine that has Pulumi already.
        """
        if not uses_sops(self._settings):
            return
        environment = {**os.environ, **self.variables()}
        if self._machine.needs_pulumi and shutil.which("sops", path=environment["PATH"]) is None:
            with Display(Console(stderr=True)) as display:
                Node(self._layout, self._machine).build(["sops"], display)
        decrypt(self._settings, path_of(stack).name, environment)

    def prepare_cli(self) -> None:
        """Build the Pulumi CLI and its plugins; start nothing."""
        self._start(replace(self._machine, cluster=True, docker=True))

    def lacks_images(self) -> bool:
        """True if images of the observability servers have to be built on this machine first."""
        if self._settings.observability.mode != "bundled":
            return False
        return bool(Node(self._layout, self._machine).missing_images())

    def build_images(self) -> None:
        """Build the missing images of the observability servers; minutes with nothing cached."""
        with Display(Console(stderr=True)) as display:
            Node(self._layout, self._machine).images(display)

    def unavailable_base_images(self) -> Iterator[str]:
        """Yield a message for each base image of a Dockerfile that this machine cannot get."""
        services = self._settings.services.values()
        for service in services if self._machine.needs_builder else ():
            source = service.source if service.release.built else None
            dockerfile = own_dockerfile(source, service.image.build) if source else None
            for image in base_images(source_folder(dockerfile)) if dockerfile else ():
                if not self._is_available(image):
                    yield (
                        f"{dockerfile} needs {image}, which can neither be pulled nor built on "
                        f"this machine. slipway:services.{service.name}.image.build.dockerfile: "
                        "null builds the service without it"
                    )

    def _start(self, has: Machine) -> None:
        with Display(Console(stderr=True)) as display:
            Node(self._layout, has).up(display)

    def _is_available(self, image: Reference) -> bool:
        return registry.has_tag(self._layout, image.repository, image.tag) or can_be_pulled(image)

    def _check_grafana_image(self) -> None:
        """Grafana's image cannot be built here: it has to be in the registry or pullable."""
        observability = self._settings.observability
        if observability.mode != "bundled" or not observability.grafana.enabled:
            return
        image = Reference.parse(server_image("grafana"))
        if not self._is_available(image):
            raise CommandError(
                f"slipway:observability.grafana.enabled is true: {image} can neither be pulled "
                f"nor built on this machine. Use false, or push it to the registry here as "
                f"{image.repository}:{image.tag}"
            )
