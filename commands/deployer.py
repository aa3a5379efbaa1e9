"""Update, preview and deletion of a stack, with checks before Pulumi's commands."""

import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, get_args

from commands import external_secrets, kubectl, operators, ownership, status
from commands.build_cache import filled_build_cache
from commands.capacity import Capacity, Shares, deployed_shares, shares_of
from commands.changed_config import ChangedConfig
from commands.ci_run import is_ci
from commands.deployed_configuration import DeployedConfiguration
from commands.diff.checkout import git
from commands.errors import CommandError
from commands.flagger_canary import Canaries, CanaryState
from commands.followed_release import FollowedRelease
from commands.notifications import Notifier
from commands.pending_release import PendingRelease
from commands.prerequisites import Prerequisites
from commands.progressive_releases import ProgressiveReleases
from commands.pulumi import Stack
from commands.registry import login
from commands.release import Release
from commands.release_log import ReleaseLog
from commands.release_records import Decision, ReleaseRecords, rejection
from commands.route_switch import RouteSwitch
from commands.stack_file import ReleaseFile, complete_file
from commands.strategy_change import delete_routes, exclusions, replaced_canaries
from local.layout import Layout
from settings import PROJECT, Service, Settings, SettingsError, Track, load
from settings.kubeconfig import check_server
from settings.project import project_name
from settings.stack_file import PROJECT_FOLDER, path_of

EXCLUDE_OBSERVABILITY = ("--exclude", "**slipway:observability:**", "--exclude-dependents")
"""Arguments of an update that leaves the observability servers unchanged."""
_MIN_REPLICAS = "autoscaling.minReplicas"
ROLLBACK_SECONDS = 20
"""Longest wait of a rollback for ready pods: a broken canary still gets requests meanwhile."""
PROGRAM = ("__main__.py", "components", "settings", "versions.yaml")
"""Files and folders of the Pulumi program."""

REPLACEMENT = (
    "Pulumi would update the existing object, which has the same name, instead of creating "
    "another one, and then delete it."
)


def _check_arguments(arguments: Sequence[str]) -> None:
    """Raise :class:`CommandError` for arguments that would delete objects."""
    for argument in arguments:
        if argument.partition("=")[0] in ("--replace", "--target-replace"):
            raise CommandError(
                f"{argument.partition('=')[0]} is not supported: {REPLACEMENT} Delete the object "
                "with kubectl and run `make up ARGS=--refresh`"
            )


@dataclass(frozen=True)
class Deployer:
    """Deploys one stack with valid settings."""

    stack: Stack
    settings: Settings
    prerequisites: Prerequisites
    environment: Mapping[str, str]
    registry_login: Mapping[str, str] = field(default_factory=dict[str, str])
    """Environment variables for looking up images, besides those of ``environment``."""
    force: bool = False
    """Deploys versions that were rolled back."""
    notifier: Notifier | None = None
    """Notifies of the releases. ``None``: nobody is notified."""
    _found_uids: dict[str, str | None] = field(default_factory=dict[str, str | None], compare=False)
    """UIDs of namespaces in the cluster; None: there is none of that name. They are read once."""

    def logged_in(self) -> "Deployer":
        """The deployer with the credentials of the registry. The stack has to exist."""
        given = login(self.settings.registry, self.stack, self.environment)
        return replace(self, registry_login=given)

    def pending_release(self, service: Service) -> PendingRelease:
        """The release change of a service that is not yet deployed."""
        folder = Layout().root / "pending-releases" / project_name() / self.stack.name
        return PendingRelease(folder / f"{service.name}.json")

    def release(self, service: Service) -> Release:
        """The release of a service, for the commands that change it."""
        image, pending = self.settings.image_name(service), self.pending_release(service)
        environment = {**self.environment, **self.registry_login}

        def cluster_digests() -> Mapping[str, str]:
            return kubectl.image_digests(
                self.settings.namespace.name,
                service.name,
                environment=self.environment,
                context=self.settings.cluster.context,
            )

        return Release(
            self.stack, service, image, environment, pending, cluster_digests=cluster_digests
        )

    @property
    def records(self) -> ReleaseRecords:
        """Records of the releases of the stack's services."""
        return ReleaseRecords(self.settings, self.environment, self.notifier)

    def progressive_releases(self) -> ProgressiveReleases:
        """Progressive releases as they are now."""
        return ProgressiveReleases(self.settings, self.environment, self.records, self.notifier)

    def check_version(self, service: Service, version: str) -> None:
        """Raise :class:`CommandError` for a version that was rolled back, unless it runs."""
        if self.force or version in self._running_versions(service.name):
            return
        if record := self.records.rolled_back(service.name, version):
            raise CommandError(f"VERSION={version} {rejection(record)}")

    def _check_rolled_back(self, services: Iterable[Service]) -> None:
        """Raise :class:`CommandError` if the stack file names a version that was rolled back."""
        for service in services:
            running = self._running_versions(service.name)
            for track, version in service.release.tracks.items() if running else ():
                if version.version in running:
                    continue
                if record := self.records.rolled_back(service.name, version.version):
                    key = "idle" if version is service.release.idle else track
                    raise CommandError(
                        f"slipway:services.{service.name}.release.{key}.version is "
                        f"{version.version}, which {rejection(record)}"
                    )

    def _running_versions(self, service: str) -> Collection[str]:
        """Versions in the last update. Empty before the first one. Call :meth:`Stack.select`."""
        tracks = self.stack.services().get(service, {})
        return {tracks[track]["version"] for track in get_args(Track) if tracks.get(track)}

    def update(
        self,
        *arguments: str,
        plan: Path | None = None,
        config_file: Path | None = None,
        only: Service | None = None,
        is_rollback: bool = False,
        restores_capacity: bool = True,
        decision: Decision | None = None,
    ) -> list[FollowedRelease]:
        """Run ``pulumi up`` and show the result.

        An update on the project's own node needs no preview. On any other cluster Pulumi shows a
        preview and, on a terminal, asks for confirmation. ``plan`` constrains the update to a saved
        plan. ``config_file`` is by default the stack file. Images are built of the service
        ``only``, by default of all services. Requests are moved to a track when it has the ready
        pods for them, in a rollback after :data:`ROLLBACK_SECONDS` at the latest. Without
        ``restores_capacity``, the track keeps them until :meth:`restore_capacity`.

        The releases that it starts or ends are recorded and notified, with ``decision`` as who
        ended them and why, by default the user. Return the progressive releases, which Flagger
        decides.
        """
        _check_arguments(arguments)
        # A release command has written the stack file after the settings were loaded.
        services = load(str(config_file or self.stack.name)).services
        built = [services[only.name]] if only else services.values()
        capacity = Capacity(self.settings, self.environment)
        self.select(arguments)
        deployed = {one.name: self._running_versions(one.name) for one in built}
        state = deployed, self.stack.state_time
        with filled_build_cache(built, self.settings.builder, self.environment, *state):
            released = built if is_rollback and only else services.values()
            try:
                return self._update(
                    capacity,
                    arguments,
                    plan,
                    config_file,
                    services=[*services.values()],
                    released=[*released],
                    # Otherwise arguments such as --target, which deploys a part.
                    scaled=[*services.values()] if only or not arguments else [],
                    is_rollback=is_rollback,
                    restores_capacity=restores_capacity,
                    decision=decision,
                )
            except CommandError:
                # Pulumi does not know why an external secret could not be read.
                with suppress(CommandError):
                    self._show_external_secrets()
                raise

    def _update(
        self,
        capacity: Capacity,
        arguments: Sequence[str],
        plan: Path | None,
        config_file: Path | None,
        *,
        services: Sequence[Service],
        released: Sequence[Service],
        scaled: Sequence[Service],
        is_rollback: bool,
        restores_capacity: bool,
        decision: Decision | None,
    ) -> list[FollowedRelease]:
        if not is_rollback and not self.force:
            self._check_rolled_back(released)
        self._check_taints()
        self._check_node_cidrs()
        self._check_mesh(is_rollback=is_rollback)
        self.stack.keep_moved_back(self.settings.namespaces.values())
        moves = list(self._moves(services))
        # In parallel: each start of kubectl takes a tenth of a second.
        with ThreadPoolExecutor() as pool:
            refresh = pool.submit(self._refresh, arguments)
            config = pool.submit(ChangedConfig, self.settings, self.environment)
            # A plan does not allow the additional update.
            started = {
                service.name: pods
                for service, before in moves
                if plan is None and (pods := capacity.missing_at_start(service, before))
            }
        options = (
            *self._confirmation(),
            *(["--skip-preview"] if self.prerequisites.has_own_node else []),
            *refresh.result(),
            *arguments,
            *(["--plan", str(plan)] if plan else []),
        )
        file = ("--config-file", str(config_file)) if config_file else ()
        log = self._release_log(arguments, released, is_rollback=is_rollback, decision=decision)
        log.start()
        with self._recorded_failure(log):
            if started:
                self._start_tracks(started, config_file, options)
                log.is_deployed = True
            for service, before in moves:
                rollout = service.workload.rollout.progress_deadline_seconds
                seconds = ROLLBACK_SECONDS if is_rollback else rollout
                capacity.reserve(service, before, seconds, is_required=not is_rollback)
            releases = self.progressive_releases()
            if self.prerequisites.lacks_images():
                # Deploy the service before the images of the servers are compiled, which takes
                # minutes.
                if plan is None:
                    self.stack.up(*EXCLUDE_OBSERVABILITY, *options, *file)
                    log.is_deployed = True
                self.prerequisites.build_images()
            if plan is None:
                adopted = self._adopted(capacity, services)
                self._adopt_tracks(adopted, config_file, options)
                log.is_deployed |= bool(adopted)
                log.is_deployed |= self._replace_routes(
                    (*options, *file), are_created=bool(started)
                )
            self.stack.up(*options, *file)
        # First: what follows reads and changes the cluster, and may fail.
        log.succeed(self._digests)
        if not (file or arguments):  # such as --target, which deploys a part
            for service in self.settings.services.values():
                self.pending_release(service).clear()
        found = self._updated_objects()
        # The receivers were notified by the update that could not record the end.
        ReleaseRecords(self.settings, self.environment).end_missed(log.services, found)
        with ThreadPoolExecutor() as pool:
            sync = pool.submit(config.result().sync, found)
            if restores_capacity:
                is_stale = capacity.restore(services, found)
            else:
                capacity.keep(services, found)
                is_stale = True
        sync.result()
        # Another configuration file may have another namespace.
        unchanged = None if is_stale or file else found
        is_scaled = [capacity.restore_replicas(service, unchanged) for service in scaled]
        self.status(found=None if any(is_scaled) else unchanged)
        return releases.started(released)

    @contextmanager
    def _recorded_failure(self, log: ReleaseLog) -> Iterator[None]:
        """Record that the update has failed if the block raises :class:`CommandError`."""
        try:
            yield
        except CommandError as error:
            log.fail()
            hints = self.prerequisites.unavailable_base_images()
            raise CommandError("\n".join([str(error), *hints]), error.exit_code) from None

    def _updated_objects(self) -> kubectl.Objects:
        """The objects in the cluster that are checked after an update."""
        try:
            return kubectl.workloads(
                self.settings.namespace.name,
                "configmaps",
                environment=self.environment,
                context=self.settings.cluster.context,
            )
        except CommandError as error:
            raise CommandError(
                f"{self.stack.name} is updated, and only its autoscalers are not checked: {error}. "
                "Run this again",
                error.exit_code,
            ) from None

    def _replace_routes(self, options: Sequence[str], *, are_created: bool) -> bool:
        """Create the routes of services that are no longer progressive, and delete the others.

        ``are_created``: an update has started the pods, and created the routes too. Return True if
        there was any.
        """
        canaries = self._replaced_canaries()
        if canaries:
            if not are_created:
                self.stack.up(*exclusions(canaries), *options)
            delete_routes(canaries, self.settings, self.environment)
        return bool(canaries)

    def _replaced_canaries(self) -> Mapping[str, str]:
        if not self.stack.has_canaries():
            return {}
        return replaced_canaries(self.settings, self.environment)

    def _release_log(
        self,
        arguments: Sequence[str],
        released: Sequence[Service],
        *,
        is_rollback: bool,
        decision: Decision | None,
    ) -> ReleaseLog:
        # An update of a part is no release.
        is_part = any(one.partition("=")[0] in ("--target", "-t") for one in arguments)
        services = {} if is_part else {one.name: one for one in released}
        deployed = {name: next(iter(self.stack.releases(name)), None) for name in services}
        return ReleaseLog(
            self.records,
            services,
            deployed,
            is_rollback=is_rollback,
            decision=decision,
            notifier=self.notifier,
        )

    def _digests(self) -> Mapping[str, Mapping[str, str]]:
        """Digest of each version that runs, by service and version."""
        return {
            name: {
                tracks[track]["version"]: tracks[track]["image"].rpartition("@")[2]
                for track in get_args(Track)
                if "@" in (tracks.get(track) or {}).get("image", "")
            }
            for name, tracks in self.stack.outputs().get("services", {}).items()
        }

    def _check_taints(self) -> None:
        """Raise :class:`CommandError` if the state marks an object for replacement."""
        if tainted := self.stack.tainted():
            raise CommandError(
                f"{', '.join(tainted)} is tainted: {REPLACEMENT} Remove the mark with `pulumi "
                "state untaint`. To create an object again, delete it with kubectl and run "
                "`make up ARGS=--refresh`"
            )

    def _start_tracks(
        self, services: Mapping[str, int], config_file: Path | None, options: Sequence[str]
    ) -> None:
        """Deploy new tracks with these numbers of pods, by service; canaries with weight 0."""

        def change(file: ReleaseFile, service: Service, pods: int) -> None:
            if "canary" in file.release:
                file.set_weight(0)
            elif service.release.strategy == "progressive":
                # Flagger would analyze another minimum as a second revision.
                file.set_value("autoscaling.startReplicas", str(pods))
            else:  # another strategy
                file.set_value(_MIN_REPLICAS, str(pods))

        kept = exclusions(self._replaced_canaries())
        self._deploy_changed(services, change, config_file, (*options, *kept))

    def _adopt_tracks(
        self, services: Mapping[str, int], config_file: Path | None, options: Sequence[str]
    ) -> None:
        """Adopt existing Deployments that are not in the state, with the replicas that they have.

        Pulumi would create them with fewer replicas than the autoscaler has set, which the API
        server refuses as a conflict.
        """

        def change(file: ReleaseFile, _: Service, replicas: int) -> None:
            file.set_value(_MIN_REPLICAS, str(replicas))

        for name, replicas in services.items():
            print(f"{name}: its Deployments are adopted with {replicas} replicas")
        if services:
            self._deploy_changed(services, change, config_file, options)

    def _adopted(self, capacity: Capacity, services: Iterable[Service]) -> Mapping[str, int]:
        """Replicas of the existing Deployments that have more than the minimum, by service.

        Empty if the cluster cannot be read: Pulumi's own message is better.
        """
        in_state = self.stack.deployments()
        with suppress(CommandError):
            return {
                one.name: replicas
                for one in services
                if (replicas := capacity.adopted(one, in_state))
            }
        return {}

    def _deploy_changed(
        self,
        services: Mapping[str, int],
        change: Callable[[ReleaseFile, Service, int], None],
        config_file: Path | None,
        options: Sequence[str],
    ) -> None:
        """Deploy a copy of the stack file, or of ``config_file``, with a change of each service."""
        with (
            complete_file(str(config_file or self.stack.name)) as complete,
            TemporaryDirectory(prefix="slipway-") as folder,
        ):
            path = shutil.copy(complete, folder)
            deployed = load(path).services
            for name, number in services.items():
                file = ReleaseFile(path, name)
                change(file, deployed[name], number)
                file.save()
            self.stack.up(*options, "--config-file", path)

    def _moves(self, services: Iterable[Service]) -> Iterator[tuple[Service, Shares]]:
        """Services with a track that gets more requests, with the shares before the update."""
        for service in services:
            for deployed in islice(self.stack.releases(service.name), 1):
                before, after = deployed_shares(deployed), shares_of(service.release)
                if any(share > before.get(track, 0) for track, share in after.items()):
                    yield service, before

    def restore_capacity(self, service: Service) -> None:
        """Let the autoscalers of a service scale to their declared minimums again."""
        Capacity(self.settings, self.environment).restore([service])

    def switch_requests(self, service: Service, command: Literal["promote", "rollback"]) -> bool:
        """Write the promotion or the rollback of a service, and switch its routes.

        Return False if only an update can move the requests; then nothing is changed.
        """
        release = service.release
        is_switch = release.idle is not None and release.is_promoted == (command == "rollback")
        is_end = command == "rollback" and release.canary is not None
        # A rollback is urgent. Pulumi asks before the update, which changes all the rest.
        asks = command == "promote" and not self._confirmation()
        if asks or not (is_switch or is_end):
            return False
        switch = RouteSwitch.of(self.settings, service, self._owner, self.environment)
        if switch is None:
            return False
        changed = self.release(service)
        print(changed.promote() if command == "promote" else changed.rollback())
        try:
            switch.apply(self.environment, self.settings.cluster.context)
        except CommandError as error:
            print(f"{error}: the update moves the requests")
        else:
            served = release.idle if is_switch and release.idle else release.stable
            print(f"{service.name}: the requests are routed to {served.version}")
        return True

    def update_service(
        self,
        service: Service,
        *,
        restores_capacity: bool = True,
        decision: Decision | None = None,
    ) -> list[FollowedRelease]:
        """Deploy the stack file without building the images of the other services again.

        The other arguments and the result are those of :meth:`update`. Call it after
        :meth:`select`.
        """
        images = self._exclude_images(self.settings, service)
        releases = self.update(
            *images, only=service, restores_capacity=restores_capacity, decision=decision
        )
        self.pending_release(service).clear()
        return releases

    def _exclude_images(self, settings: Settings, service: Service) -> Iterator[str]:
        """Arguments of an update that leaves the images of the other services unchanged.

        Otherwise newer source would be deployed with the release of ``service``.
        """
        deployed, images = self.stack.services(), self.stack.images()
        for one in settings.services.values():
            for track, version in one.release.built.items() if one.name != service.name else ():
                running = deployed.get(one.name, {}).get(track) or {}
                urn = images.get(f"{one.name}-{track}-image")
                if urn and running.get("version") == version.version:
                    yield from ("--exclude", urn)

    def update_release(
        self, service: Service, decision: Decision | None = None
    ) -> list[FollowedRelease]:
        """Roll back to the release of a service in the stack file, and deploy nothing else.

        The rest of the configuration is that of the last update. Keys with another value in the
        stack file are printed. Call it after :meth:`select`. The result is that of
        :meth:`update`.
        """
        with self.stack.deployed_configuration() as file:
            if file is None:
                return self.update(is_rollback=True, decision=decision)
            deployed = DeployedConfiguration(file, self.stack.name)
            try:
                undelivered = deployed.undelivered(service.name)
                settings = deployed.set_release(service.name)
            except SettingsError as error:
                print(
                    "the configuration of the last update cannot be used, so that of the working "
                    f"tree is deployed: {error}"
                )
                return self.update(is_rollback=True, decision=decision)
            if undelivered:
                print(f"not deployed by the rollback: {', '.join(undelivered)}")
            if changed := self._changed_program():
                print(f"deployed with the rollback: {changed}")
            images = self._exclude_images(settings, service)
            releases = self.update(
                *images, config_file=file, only=service, is_rollback=True, decision=decision
            )
        self.pending_release(service).clear()
        return releases

    def _changed_program(self) -> str:
        """Message about changes of the program since the last update. Empty: no change."""
        commit = self.stack.deployed_commit()
        if commit is None:
            return "the program of the working tree; the last update was made without a commit"
        changed = git(PROJECT_FOLDER, "diff", "--name-only", commit, "--", *PROGRAM)
        if changed.returncode != 0:
            return (
                f"the program of the working tree; commit {commit[:10]} is not in this repository"
            )
        names = changed.stdout.split()
        return f"changes of {', '.join(names)} since commit {commit[:10]}" if names else ""

    def preview(self, *arguments: str) -> None:
        """Run ``pulumi preview``."""
        self.stack.preview(*self.check_preview(arguments))

    def check_preview(self, arguments: Sequence[str] = ()) -> Sequence[str]:
        """Check the stack before a preview; return the arguments of ``pulumi preview``."""
        self.select(arguments)
        self.check_ownership()
        return (*self._refresh(arguments), *arguments)

    def down(self, *arguments: str) -> None:
        """Run ``pulumi destroy``."""
        self.check_deletion(arguments)
        self.select(arguments)
        found = ownership.objects(self.environment, self.settings)
        owners = ownership.namespace_owners(found)
        for name in self.stack.namespaces():
            if owners.get(name) not in (None, self._owner):
                raise CommandError(
                    f"namespace {name} belongs to stack {owners[name]}, and {self._owner} would "
                    "delete it: annotate it with its owner, or remove it from the state with "
                    "`pulumi state delete`"
                )
        self._check_removed_operators(None)
        self.stack.destroy(*self._confirmation(), *arguments)

    def status(self, service: str = "", found: kubectl.Objects | None = None) -> None:
        """Show tracks, versions, traffic, pods and the URL of one service, or of all of them.

        ``found`` is that of :func:`status.show`.
        """
        context = self.settings.cluster.context
        states = self.progressive_releases().before
        outputs = self.stack.outputs()
        status.show(outputs, service, self.environment, context, states, found=found)
        if outputs:
            self._show_external_secrets()

    def _show_external_secrets(self) -> None:
        """Print the external secrets and stores that fail, each with the reason."""
        settings = self.settings
        if settings.secret_stores:
            namespace, context = settings.namespace.name, settings.cluster.context
            for failure in external_secrets.failures(namespace, self.environment, context):
                print(failure)

    def check_deletion(self, arguments: Sequence[str]) -> None:
        """Raise :class:`CommandError` for an unconfirmed deletion on the user's cluster."""
        is_confirmed = bool({"--yes", "-y"} & {*arguments})
        if self._confirmation() and not self.prerequisites.has_own_node and not is_confirmed:
            raise CommandError(
                f"{self.stack.name} is not on this project's own node, and there is no terminal "
                f"to confirm on: to delete it, `make down STACK={self.stack.name} ARGS=--yes`"
            )

    def check_ownership(self) -> None:
        """Raise :class:`CommandError` if the update would change what another stack owns.

        Call it after :meth:`select`. If the cluster cannot be read, nothing is checked:
        Pulumi's own message is better.
        """
        stack, in_state = self._owner, self.stack.namespaces()
        context = self.settings.cluster.context
        found = ownership.objects(self.environment, self.settings)
        if uids := kubectl.uids(one for one in found if one["kind"] == "Namespace"):
            self._found_uids.update({name: uids.get(name) for name in in_state})
        conflicts = [
            *ownership.stack_conflicts(self.settings, stack, in_state, self.stack.services()),
            *ownership.namespace_conflicts(self.settings, stack, in_state, found),
            *ownership.route_conflicts(self.settings, stack, in_state, found),
            *operators.definition_conflicts(self.settings, self.environment, context),
        ]
        if conflicts:
            raise CommandError("\n".join(conflicts))
        self._check_removed_operators(self.settings)

    def _check_removed_operators(self, settings: Settings | None) -> None:
        """Raise :class:`CommandError` if other stacks use an operator that is not in the settings.

        ``None``: the stack is deleted.
        """
        conflicts = operators.removal_conflicts(
            self.stack.cluster_operators(),
            settings,
            {*self.stack.namespaces(), *self.settings.namespaces.values()},
            self.environment,
            self.settings.cluster.context,
        )
        if messages := [*conflicts]:
            raise CommandError("\n".join(messages))

    @property
    def _owner(self) -> str:
        return f"{project_name()}/{self.stack.name}"

    def _check_node_cidrs(self) -> None:
        """Network policies would cut the monitoring servers off from the API server."""
        if self.prerequisites.has_own_node or self.settings.observability.mode != "bundled":
            return
        try:
            addresses = kubectl.api_server_addresses(
                environment=self.environment, context=self.settings.cluster.context
            )
        except CommandError:
            return  # Pulumi's own message is better
        blocks = [ip_network(cidr) for cidr in self.settings.network.node_cidrs]
        for address in map(ip_address, addresses):
            if not any(address in block for block in blocks):
                raise CommandError(
                    f"slipway:network.nodeCIDRs does not contain {address}, an address of the API "
                    f"server: add {ip_network(address)}, or the IP block of the control plane"
                )

    def _check_mesh(self, *, is_rollback: bool) -> None:
        """Raise :class:`CommandError` if promoted pods would keep their sidecars without a mesh.

        Flagger replaces them when a release is promoted. Until then, pods that the autoscaler adds
        would not get ready: their sidecars could not connect to istiod.
        """
        if is_rollback or self.settings.mesh.istio or not self.stack.has_mesh():
            return
        states: Mapping[str, CanaryState] = {}
        with suppress(CommandError):  # Pulumi's own message is better
            names = (one.name for one in self.settings.progressive)
            states = Canaries(self.settings, self.environment).read(names)
        for name, state in states.items():
            if state.has_sidecar:
                key = f"slipway:services.{name}.release.strategy"
                raise CommandError(
                    f"slipway:mesh.istio is null, and the promoted pods of {name} have sidecars: "
                    f'keep it, or set {key} to "rolling" in the same update'
                )

    def _confirmation(self) -> Sequence[str]:
        """``--yes``, unless Pulumi has to and can ask the user."""
        # A CI may run its commands on a terminal.
        can_ask = sys.stdin.isatty() and not is_ci(self.environment)
        asks = not self.prerequisites.has_own_node and can_ask
        return () if asks else ("--yes",)

    def select(self, arguments: Sequence[str] = ()) -> None:
        """Call :meth:`Stack.select` and check that the cluster is that of the last update.

        ``arguments`` are those of Pulumi. Raises :class:`CommandError` for another cluster, unless
        they have ``--refresh``. If the cluster cannot be read, nothing is checked: Pulumi's own
        message is better.
        """
        self.stack.select(lambda: self._check_cluster(arguments))

    def read(self) -> None:
        """Call :meth:`Stack.read` and check the cluster as :meth:`select`; change nothing."""
        self.stack.read()
        self._check_cluster(())

    def _check_cluster(self, arguments: Sequence[str]) -> None:
        if self.prerequisites.has_own_node or _has_refresh(arguments):
            return
        file = path_of(self.stack.name).name
        try:
            check_server(self.settings.cluster, file, self.environment)
        except SettingsError as error:
            raise CommandError(str(error)) from None
        expected, found = self._namespace_uids()
        if not expected or any(found.get(name) == uid for name, uid in expected.items()):
            return
        context = self.settings.cluster.context
        cluster = f"context {context}" if context else "the current context"
        states = (f"{name} has another UID" if name in found else f"no {name}" for name in expected)
        raise CommandError(
            f"{cluster} of the kubeconfig is another cluster than at the last update of "
            f"{self.stack.name}: among its namespaces there is {', '.join(states)}. Select the "
            f"cluster of the stack, with {PROJECT}:cluster.context or KUBECONFIG. If that cluster "
            f"was created again: ARGS=--refresh"
        )

    def _namespace_uids(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """UIDs of the stack's namespaces in the state and in the cluster.

        Empty before the first update, and if the cluster cannot be read.
        """
        if not (expected := self.stack.namespaces()):
            return {}, {}
        if not expected.keys() <= self._found_uids.keys():
            try:
                uids = kubectl.namespace_uids(
                    expected, environment=self.environment, context=self.settings.cluster.context
                )
            except CommandError:
                return {}, {}
            self._found_uids.update({name: uids.get(name) for name in expected})
        return expected, {name: uid for name in expected if (uid := self._found_uids[name])}

    def _refresh(self, arguments: Sequence[str]) -> Sequence[str]:
        """``--refresh`` if the state describes an own node that was deleted and created again.

        On the user's cluster this only prints a hint that a namespace is another one.
        """
        expected, found = self._namespace_uids()
        if found == expected:
            return ()
        changed = ", ".join(sorted(name for name in expected if found.get(name) != expected[name]))
        problem = f"namespace {changed} was deleted or recreated since the last update"
        if self.prerequisites.has_own_node:
            print(f"{problem}: refreshing the state")
            return ("--refresh",)
        if not _has_refresh(arguments):
            print(f"{problem}: use `make up ARGS=--refresh`")
        return ()


def _has_refresh(arguments: Sequence[str]) -> bool:
    return not {"--refresh", "--refresh=true", "-r"}.isdisjoint(arguments)
