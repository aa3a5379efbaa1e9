"""Starts and stops everything that `pulumi up` needs and the machine does not provide."""

import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from local import (
    addons,
    buildkit,
    cleanup,
    containerd,
    debian,
    images,
    kernel,
    kubernetes,
    network,
    pki,
    pod_logs,
    registry,
    toolchain,
)
from local.base_image import base_image
from local.build import Builder
from local.daemon import Daemon, refuse_taken_port
from local.detection import Machine, has_docker_engine
from local.errors import LocalError
from local.images import Image
from local.layout import ENTRY_POINT, SANDBOX_IMAGE, TLS_ENTRY_POINT, Layout
from local.lock import NODE, TOOLCHAIN, hold_lock
from local.progress import Display, ReportProgress
from local.recipes import PLATFORM, RECIPES, Recipe
from local.server_images import SERVERS, Server, can_be_pulled
from local.steps import Step, run_steps
from local.supervisor import Supervisor


class Node:
    """The daemons, programs and images below one `SLIPWAY_HOME`."""

    def __init__(self, paths: Layout, machine: Machine) -> None:
        self.paths = paths
        self.machine = machine
        self.supervisor = Supervisor(paths)
        self.cluster = addons.Cluster(paths)

    def up(self, display: Display) -> None:
        """Build what is missing, start what does not run, and wait until all is ready."""
        if self.machine.needs_services and os.geteuid() != 0:
            raise LocalError(
                "The Kubernetes node and BuildKit run containers and create a bridge, which only "
                "root can. Run this as root, or provide a cluster (set KUBECONFIG) and a Docker "
                "engine."
            )
        with hold_lock(self.paths, NODE):
            run_steps(self._steps(self._builder(display)), display)

    def build(self, programs: Sequence[str], display: Display) -> None:
        """Build those of `programs` that are missing."""
        by_recipe: dict[str, list[str]] = {}
        for program in programs:
            by_recipe.setdefault(RECIPES[program].name, []).append(program)
        builder = self._builder(display)
        steps = [_build(builder, RECIPES[names[0]], names) for names in by_recipe.values()]
        run_steps(steps, display)

    def missing_images(self, servers: Sequence[Server] = SERVERS) -> list[Server]:
        """Those of `servers` whose images are not stored here and cannot be pulled."""
        if not self.machine.needs_node:
            return []
        go = toolchain.find(self.paths)
        missing = [
            server
            for server in servers
            if go is None or not images.is_stored(self.paths, server.image(self.paths, go.version))
        ]
        with ThreadPoolExecutor() as pool:
            pullable = pool.map(can_be_pulled, [server.reference for server in missing])
            return [server for server, found in zip(missing, pullable, strict=True) if not found]

    def images(self, display: Display, servers: Sequence[Server] = SERVERS) -> None:
        """Build and push the missing images. Raises `LocalError` if the registry is down."""
        missing = self.missing_images(servers)
        if not missing:
            return
        if not self._registry().healthy():
            raise LocalError("The registry does not run: start it with `python -m local up`.")
        run_steps(_image_steps(self._builder(display), missing), display)

    def down(self) -> None:
        """Stop everything; keep images, volumes, built programs and the cluster's state."""
        with hold_lock(self.paths, NODE):
            self._stop()

    def reset(self) -> None:
        """Stop everything and delete the cluster, its volumes and the builder's cache.

        Images are kept: a published version is never built again.
        """
        with hold_lock(self.paths, NODE):
            self._stop()
            for folder in (self.paths.node, self.paths.buildkit):
                shutil.rmtree(folder, ignore_errors=True)
            self.paths.kubeconfig.unlink(missing_ok=True)

    def daemons(self) -> list[Daemon]:
        """Daemons that have to run on this machine."""
        needed = [self._registry()] if self.machine.needs_services else []
        if self.machine.needs_builder:
            needed.append(buildkit.daemon(self.paths))
        return needed + (self._node_daemons() if self.machine.needs_node else [])

    def _registry(self) -> Daemon:
        # A Docker engine pushes with the user's own configuration, which is not changed.
        return registry.daemon(self.paths, authenticates=not has_docker_engine())

    def _node_daemons(self) -> list[Daemon]:
        return [
            containerd.daemon(self.paths),
            *kubernetes.daemons(self.paths),
            kubernetes.network_policy_controller(self.paths),
        ]

    def _steps(self, builder: Builder) -> list[Step]:
        """Steps of `up`."""
        paths, machine = self.paths, self.machine
        steps = [_build(builder, PLATFORM, self._programs())]
        if machine.needs_services:
            steps += [
                Step("Debian packages", self._install_packages),
                Step("supervisor", self._start_supervisor, ["Debian packages"]),
                Step("registry", self._start([self._registry()]), ["supervisor"]),
            ]
        if machine.needs_builder:
            buildkitd = self._start([buildkit.daemon(paths)])
            steps += [
                Step(
                    "base image",
                    lambda _: images.push(paths, base_image(builder.go)),
                    ["registry"],
                ),
                Step("buildkitd", buildkitd, ["supervisor", PLATFORM.name]),
                Step("buildx", lambda _: buildkit.create_builder(paths), [PLATFORM.name]),
            ]
        if machine.needs_node:
            steps += self._node_steps(builder)
        if machine.needs_plugins:
            steps.append(Step("plugins", self._install_plugins, [PLATFORM.name]))
        return steps

    def _programs(self) -> list[str]:
        """Programs that this machine needs from the platform recipe."""
        needed = ["pulumi"] if self.machine.needs_pulumi else []
        if self.machine.needs_plugins:
            needed += ["pulumi-resource-docker-build", "pulumi-resource-kubernetes"]
        if self.machine.needs_builder:
            needed += ["buildkitd", "buildx"]
        if self.machine.needs_node:
            needed += ["kubernetes", "kube-router", "pause"]
            needed += [addon.name for addon in addons.ADDONS]
        return needed

    def _node_steps(self, builder: Builder) -> list[Step]:
        def check_entry_ports(_: ReportProgress) -> None:
            # A host port has precedence over a listener, which would get no more requests.
            for entry in map(urlsplit, (ENTRY_POINT, TLS_ENTRY_POINT)):
                refuse_taken_port(entry.hostname or "", entry.port or 0, "Traefik")

        def push_sandbox_image(_: ReportProgress) -> None:
            repository, tag = SANDBOX_IMAGE.split("/", 1)[1].split(":")
            key = PLATFORM.fingerprint(builder.go.version)
            content = {"/pause": self.paths.bin / "pause"}
            images.push(self.paths, Image(repository, key, content, ["/pause"], tag=tag))

        def addon_step(addon: addons.Addon) -> Step:
            def install(_: ReportProgress) -> None:
                addons.install(addon, self.cluster, builder.go.version)

            return Step(addon.name, install, ["network policies"])

        *node, policies = self._node_daemons()
        return [
            Step("ports", check_entry_ports),
            Step("sandbox image", push_sandbox_image, ["registry", PLATFORM.name]),
            Step("certificates", lambda _: pki.ensure(self.paths), ["supervisor", PLATFORM.name]),
            Step(
                "node",
                self._start(node),
                ["ports", "sandbox image", "certificates"],
            ),
            Step("permissions", lambda _: addons.grant_permissions(self.cluster), ["node"]),
            Step("network policies", self._start([policies]), ["permissions"]),
            *map(addon_step, addons.ADDONS),
            Step("cluster", self.cluster.wait_ready, [addon.name for addon in addons.ADDONS]),
        ]

    def _builder(self, display: Display) -> Builder:
        with display.step("Go toolchain"):
            return Builder(self.paths, toolchain.find(self.paths) or self._install_toolchain())

    def _install_toolchain(self) -> toolchain.Toolchain:
        with hold_lock(self.paths, TOOLCHAIN):
            return toolchain.find(self.paths) or toolchain.install(self.paths)

    def _install_packages(self, report: ReportProgress) -> None:
        if missing := debian.missing():
            debian.install(self.paths, missing, report)

    def _start_supervisor(self, _: ReportProgress) -> None:
        if not self.supervisor.running():
            cleanup.clear_after_reboot(self.paths)
        if self.machine.needs_node:
            self._clear_other_node()
            kernel.configure()
            network.create(self.paths.root)
            containerd.install_plugins(self.paths)
            pod_logs.link(self.paths)
        self.supervisor.start()

    def _clear_other_node(self) -> None:
        """Remove what the node of another home left behind, unless it still runs."""
        other = network.owner()
        if other and other != self.paths.root and not Supervisor(Layout(other)).running():
            _clear(Layout(other))

    def _start(self, daemons: Sequence[Daemon]) -> Callable[[ReportProgress], None]:
        """Work of a step that starts `daemons` at once and waits until they are healthy."""

        def start(report: ReportProgress) -> None:
            for daemon in daemons:
                self.supervisor.apply(daemon)
            for daemon in daemons:
                report(f"waiting for {daemon.name}")
                self.supervisor.wait_healthy(daemon)

        return start

    def _install_plugins(self, _: ReportProgress) -> None:
        from local.plugins.install import install  # noqa: PLC0415 - takes long to import

        install(self.paths, self.paths.plugins)

    def _stop(self) -> None:
        self.supervisor.stop()
        _clear(self.paths)


def _clear(paths: Layout) -> None:
    """Remove everything that a stopped node leaves on the machine."""
    cleanup.clear(paths)
    pod_logs.unlink(paths)
    network.remove(paths.root)


def _build(builder: Builder, recipe: Recipe, programs: Sequence[str]) -> Step:
    return Step(recipe.name, lambda report: builder.build(recipe, programs, report))


def _image_steps(builder: Builder, servers: Sequence[Server]) -> list[Step]:
    programs: dict[str, dict[str, None]] = {}
    for server in servers:
        programs.setdefault(server.recipe.name, {}).update(dict.fromkeys(server.programs))
    builds = [
        _build(builder, RECIPES[next(iter(names))], list(names)) for names in programs.values()
    ]
    return builds + [_push(builder, server) for server in servers]


def _push(builder: Builder, server: Server) -> Step:
    def push(_: ReportProgress) -> None:
        images.push(builder.paths, server.image(builder.paths, builder.go.version))
        # Another build has the same tag.
        containerd.remove_image(builder.paths, str(server.reference))

    return Step(f"image {server.key}", push, [server.recipe.name])
