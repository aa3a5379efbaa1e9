"""Everything that `pulumi up` needs and this machine lacks: started and stopped."""

import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

from local import (
    addons,
    buildx,
    cleanup,
    debian,
    files,
    images,
    kernel,
    network,
    pki,
    pod_logs,
    services,
    toolchain,
)
from local.base_image import base_image
from local.build import Builder
from local.daemon import Service, refuse_taken_port
from local.detection import Machine
from local.errors import LocalError
from local.images import Image
from local.layout import CHECKOUT, ENTRY_POINT, SANDBOX_IMAGE, Layout
from local.progress import Display, Say
from local.recipes import PLATFORM, RECIPES, Recipe
from local.server_images import SERVERS, Server, can_be_pulled
from local.steps import Step, run
from local.supervisor import Supervisor

_OTHER_RUN = 1800.0
"""Seconds to wait for another run: longer than everything takes to build."""


class Node:
    """The parts below one `SLIPWAY_HOME`."""

    def __init__(self, at: Layout, has: Machine) -> None:
        self.at = at
        self.has = has
        self.supervisor = Supervisor(at)
        self.cluster = addons.Cluster(at)

    def up(self, display: Display) -> None:
        """Builds what is missing, starts what does not run, waits until all is ready."""
        if self.has.needs_services and os.geteuid() != 0:
            raise LocalError(
                "A node and a builder need root: they run containers and own a bridge. Run this "
                "as root, or have a cluster (set KUBECONFIG) and a Docker engine."
            )
        with self._lock():
            run(self._steps(self._builder(display)), display)

    def build(self, programs: Sequence[str], display: Display) -> None:
        """Builds `programs` unless they are built."""
        wanted: dict[str, list[str]] = {}
        for program in programs:
            wanted.setdefault(RECIPES[program].name, []).append(program)
        with self._lock():
            tools = self._builder(display)
            run([_build(tools, RECIPES[names[0]], names) for names in wanted.values()], display)

    def missing_images(self) -> list[Server]:
        """Observability servers whose images are to be built: they cannot be pulled."""
        go = toolchain.find(self.at)
        if not self.has.needs_node:
            return []
        wanted = [
            server
            for server in SERVERS
            if go is None or not images.is_stored(self.at, server.image(self.at, go.version))
        ]
        with ThreadPoolExecutor() as pool:
            pulled = pool.map(can_be_pulled, [server.reference for server in wanted])
            return [server for server, found in zip(wanted, pulled, strict=True) if not found]

    def images(self, display: Display) -> None:
        """Builds and pushes the images that are missing; the registry has to run."""
        if not self.missing_images():
            return
        with self._lock():
            # Another run may have built them meanwhile.
            missing = self.missing_images()
            if not missing:
                return
            if not services.registry(self.at).healthy():
                raise LocalError("The registry does not run: `python -m local up` starts it.")
            run(_image_steps(self._builder(display), missing), display)

    def down(self) -> None:
        """Stops everything; images, volumes, built tools and the cluster's state stay."""
        with self._lock():
            self._stop()

    def reset(self) -> None:
        """Stops everything and forgets what ran: the cluster, its volumes, the builder's cache.

        Images stay: a version that is published is never built again.
        """
        with self._lock():
            self._stop()
            for folder in (self.at.node, self.at.buildkit):
                shutil.rmtree(folder, ignore_errors=True)
            self.at.kubeconfig.unlink(missing_ok=True)

    def services(self) -> list[Service]:
        """What has to run on this machine."""
        needed = [services.registry(self.at)] if self.has.needs_services else []
        if self.has.needs_builder:
            needed.append(services.buildkitd(self.at))
        return needed + (services.node(self.at) if self.has.needs_node else [])

    def _steps(self, tools: Builder) -> list[Step]:
        """The plan of `up`: each part as early as what it needs allows."""
        has = self.has
        steps = [_build(tools, PLATFORM, self._programs())]
        if has.needs_services:
            steps += [
                Step("Debian packages", self._install_packages),
                Step("supervisor", self._start_supervisor, ["Debian packages"]),
                Step("registry", self._start([services.registry(self.at)]), ["supervisor"]),
            ]
        if has.needs_builder:
            buildkitd = self._start([services.buildkitd(self.at)])
            steps += [
                Step("base image", lambda _: images.push(base_image(tools.go)), ["registry"]),
                Step("buildkitd", buildkitd, ["supervisor", PLATFORM.name]),
                Step("buildx", lambda _: buildx.ensure(self.at), [PLATFORM.name]),
            ]
        if has.needs_node:
            steps += self._node_steps(tools)
        if has.needs_plugins:
            steps.append(Step("plugins", self._install_plugins))
        return steps

    def _programs(self) -> list[str]:
        """What has to be built for this machine."""
        needed = ["pulumi"] if self.has.needs_pulumi else []
        if self.has.needs_builder:
            needed += ["buildkitd", "buildx"]
        if self.has.needs_node:
            needed += ["kubernetes", "pause", *(addon.name for addon in addons.ADDONS)]
        return needed

    def _node_steps(self, tools: Builder) -> list[Step]:
        def ports(_: Say) -> None:
            # kube-proxy's rules would win over a listener, which then gets no requests any more.
            entry = urlsplit(ENTRY_POINT)
            refuse_taken_port(entry.hostname or "", entry.port or 0, "Traefik")

        def sandbox_image(_: Say) -> None:
            repository, tag = SANDBOX_IMAGE.split("/", 1)[1].split(":")
            key = PLATFORM.fingerprint(tools.go.version)
            content = {"/pause": self.at.bin / "pause"}
            images.push(Image(repository, key, content, ["/pause"], tag=tag))

        def addon(each: addons.Addon) -> Step:
            def install(_: Say) -> None:
                addons.install(each, self.cluster, tools)

            return Step(each.name, install, ["node"])

        return [
            Step("ports", ports),
            Step("sandbox image", sandbox_image, ["registry", PLATFORM.name]),
            Step("node", self._start(services.node(self.at)), ["ports", "sandbox image"]),
            *map(addon, addons.ADDONS),
            Step("cluster", self.cluster.wait_ready, [each.name for each in addons.ADDONS]),
        ]

    def _builder(self, display: Display) -> Builder:
        with display.step("Go toolchain"):
            return Builder(self.at, toolchain.find(self.at) or toolchain.install(self.at))

    def _install_packages(self, say: Say) -> None:
        if missing := debian.missing():
            debian.install(self.at, missing, say)

    def _start_supervisor(self, _: Say) -> None:
        if not self.supervisor.running():
            cleanup.clear_after_restart(self.at)
        if self.has.needs_node:
            self._take_over()
            kernel.prepare()
            network.create(self.at.root)
            pod_logs.link(self.at)
            pki.ensure(self.at)
        self.supervisor.start()

    def _take_over(self) -> None:
        """Clears away what is left of the node of another home, if that has died."""
        other = network.owner()
        if other and other != self.at.root and not Supervisor(Layout(other)).running():
            _clear(Layout(other))

    def _start(self, parts: Sequence[Service]) -> "Start":
        return Start(self.supervisor, parts)

    def _install_plugins(self, _: Say) -> None:
        from plugins.install import install  # noqa: PLC0415 - not needed where Pulumi has its own

        install(self.at.plugins, CHECKOUT / ".venv" / "bin" / "python")

    def _stop(self) -> None:
        self.supervisor.stop()
        _clear(self.at)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One at a time; the lock goes with the process that holds it. Raises `LocalError`."""
        self.at.root.mkdir(parents=True, exist_ok=True)
        with (self.at.root / "lock").open("a+") as file:
            deadline = time.monotonic() + _OTHER_RUN
            if not files.lock(file):
                print("Another run is at work here: waiting for it to end.", file=sys.stderr)
            while not files.lock(file):
                if time.monotonic() > deadline:
                    raise LocalError(
                        f"Another run did not end within {_OTHER_RUN / 60:g} minutes: end it first."
                    )
                time.sleep(0.2)
            yield


def _clear(at: Layout) -> None:
    """Takes away all that a node which has ended leaves on the machine."""
    cleanup.clear(at)
    pod_logs.unlink(at)
    network.remove(at.root)


def _build(tools: Builder, recipe: Recipe, programs: Sequence[str]) -> Step:
    return Step(recipe.name, lambda say: tools.build(recipe, programs, say))


def _image_steps(tools: Builder, servers: Sequence[Server]) -> list[Step]:
    """One build after the other, since each has work for every core."""
    programs: dict[str, dict[str, None]] = {}
    for server in servers:
        programs.setdefault(server.recipe.name, {}).update(dict.fromkeys(server.programs))
    builds: list[Step] = []
    for names in programs.values():
        build = _build(tools, RECIPES[next(iter(names))], list(names))
        build.needs = [builds[-1].name] if builds else []
        builds.append(build)
    return builds + [_push(tools, server) for server in servers]


def _push(tools: Builder, server: Server) -> Step:
    def push(_: Say) -> None:
        images.push(server.image(tools.at, tools.go.version))

    return Step(f"image {server.key}", push, [server.recipe.name])


class Start:
    """The work of a step that runs services and waits for their health."""

    def __init__(self, supervisor: Supervisor, parts: Sequence[Service]) -> None:
        self._supervisor = supervisor
        self._parts = parts

    def __call__(self, say: Say) -> None:
        """All are started at once: each retries until what it needs is there."""
        for part in self._parts:
            self._supervisor.apply(part)
        for part in self._parts:
            say(f"waiting for {part.name}")
            self._supervisor.wait_healthy(part)
