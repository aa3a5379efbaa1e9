"""The verbs of a release, for every strategy: release, promote, pause, resume, rollback."""

import os
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from commands import manual_gate, promotion_gate
from commands.ci_run import is_ci
from commands.deployer import Deployer
from commands.errors import FAILED, CommandError
from commands.flagger_canary import CanaryState
from commands.followed_release import FollowedRelease
from commands.kubectl import kubectl_command
from commands.release_records import Decision, current_user
from commands.switch_gate import observe_switch
from settings import Service

DEFAULT_WEIGHT = 10
"""Percentage of the requests that `make release` sends to a canary."""
APPROVAL_SECONDS = 30
"""Time besides two intervals in which Flagger sees an approval."""


def check_weight(service: Service, weight: int | None) -> None:
    """Raise :class:`CommandError` for a weight that the strategy of a service does not have."""
    if weight is not None and service.release.strategy != "canary":
        raise CommandError(
            f"WEIGHT={weight}: {service.name} has the strategy {service.release.strategy!r}, and "
            "only 'canary' has weights that are set by hand"
        )


def check_pause(service: Service, stack: str) -> None:
    """Raise :class:`CommandError` for a service whose releases nobody but a person advances."""
    if service.release.strategy != "progressive":
        raise CommandError(
            f"slipway:services.{service.name}.release.strategy is {service.release.strategy!r} in "
            f"Pulumi.{stack}.yaml: only a release with 'progressive' advances by itself and can be "
            "paused"
        )


def start(
    deployer: Deployer, service: Service, version: str, weight: int | None
) -> list[FollowedRelease]:
    """Start the release of a version: what the strategy of the service means by it."""
    canary = service.release.canary
    if not (canary and canary.version == version):
        deployer.check_version(service, version)
    if weight is None:
        weight = canary.weight if canary and canary.version == version else DEFAULT_WEIGHT
    print(deployer.release(service).start(version, weight))
    if service.release.strategy != "progressive":
        return _followed(service, deployer.update_service(service))
    deployer.records.start(service.name, version, "progressive")
    try:
        return _followed(service, deployer.update_service(service))
    except CommandError:
        failed = Decision(current_user(), "the update failed")
        deployer.records.end(service.name, version, "progressive", result="failed", decision=failed)
        raise


def promote(deployer: Deployer, service: Service, *, is_forced: bool) -> Callable[[], None] | None:
    """Send every request to the new version, if it passes its gate.

    The promotion gate compares a canary before the promotion. Return the observation of a color
    after the switch, which needs no lock of the stack.
    """
    if service.release.strategy == "progressive":
        _promote_progressive(deployer, service)
        return None
    if service.release.canary and not is_forced:
        promotion_gate.check(deployer.settings, service, deployer.environment)
    observes = bool(service.release.idle and service.release.blue_green.gate_seconds)
    observes = observes and not is_forced
    switched_at = time.time()
    if not deployer.switch_requests(service, "promote"):
        print(deployer.release(service).promote())
    decision = Decision(current_user(), "FORCE=1" if is_forced else "")
    deployer.update_service(service, restores_capacity=not observes, decision=decision)
    return (lambda: observe_switch(deployer, service.name, switched_at)) if observes else None


def rollback(deployer: Deployer, service: Service, version: str | None) -> None:
    """End the release in progress, or return to an earlier version."""
    if service.release.strategy == "progressive":
        _roll_back_progressive(deployer, service, version)
        return
    is_to_earlier = version is None and service.release.beside is None
    rejected = deployer.records.rejected(service.name) if is_to_earlier else ()
    print(deployer.release(service).rollback(version, rejected=rejected))
    deployer.update_release(service)


def pause(deployer: Deployer, service: Service) -> None:
    """Keep the weight of a progressive release as it is."""
    print(deployer.release(service).pause(True))
    deployer.update_service(service)
    print(f"nothing is checked until `make resume`, and Flagger does not roll {service.name} back")


def resume(deployer: Deployer, service: Service) -> list[FollowedRelease]:
    """Continue a paused release, or one that waits for an approval."""
    state = _state(deployer, service)
    if state is not None and state.is_waiting and not state.is_paused:
        return _approve(deployer, service, state)
    print(deployer.release(service).pause(False))
    return _followed(service, deployer.update_service(service))


def _followed(service: Service, releases: Iterable[FollowedRelease]) -> list[FollowedRelease]:
    """The release of a service, and those of other services that the update has started.

    Those that were in progress before are followed by the commands that have started them.
    """
    return [one for one in releases if one.service == service.name or one.is_started]


def _approve(deployer: Deployer, service: Service, state: CanaryState) -> list[FollowedRelease]:
    """Open the manual gate that a release waits for, until Flagger has passed it."""
    releases, settings = deployer.progressive_releases(), deployer.settings
    namespace = ("--namespace", settings.namespace.name)
    kubectl = [*kubectl_command(settings.cluster.context), *namespace]
    deadline = time.monotonic() + 2 * state.interval_seconds + APPROVAL_SECONDS
    with manual_gate.opened(state, kubectl, deployer.environment):
        while (now := _state(deployer, service)) and now.is_waiting:
            if time.monotonic() > deadline:
                raise CommandError(f"Flagger has not passed the gate of {service.name}", FAILED)
            time.sleep(1)
    print(f"{service.name}: approved by {current_user()}")
    return releases.started([service])


def restore(deployer: Deployer, release: FollowedRelease) -> None:
    """Make the stack file and the state agree with the cluster, after a rollback by Flagger."""
    service = deployer.settings.services[release.service]
    state = _state(deployer, service)
    if state is None or state.is_promoted or service.release.stable.version != release.version:
        return  # another command has changed the release
    served = state.served(service.name)
    if served is None:
        raise CommandError(f"{service.name} has no previous version: release another one")
    deployer.select()
    record = deployer.records.newest(service.name, release.version)
    started = datetime.fromisoformat(record.started) if record else release.started
    print(deployer.release(service).restore(*served, started, skips_analysis=False))
    _deploy_restored(deployer, service)
    file = f"Pulumi.{deployer.stack.name}.yaml"
    if is_ci(os.environ):
        print(
            f"{file} differs from its commit: open a pull request with it, for example with `git "
            f"switch --create rollback && git commit --message 'Roll back {service.name}' {file}`. "
            f"Until it is merged, `make up` refuses {release.version}"
        )
    else:
        print(f"commit {file}: it has the version that serves again")


def _promote_progressive(deployer: Deployer, service: Service) -> None:
    state, version = _state(deployer, service), service.release.stable.version
    is_interrupted = not service.release.stable.analysis
    if not is_interrupted and (state is None or not state.is_in_progress):
        raise CommandError(
            f"no release of {service.name} is in progress: start one with `make release VERSION=…`"
        )
    release = deployer.release(service)
    print(release.skip_analysis())
    releases = deployer.progressive_releases()
    followed = deployer.update_service(service)
    deployer.records.end(
        service.name,
        version,
        "progressive",
        result="promoted",
        decision=Decision(current_user(), "`make promote`, without further analysis"),
        digest=state.digest(service.name) if state else None,
    )
    releases.settle(service, followed)
    _end_skipped_analysis(deployer, service)


def _roll_back_progressive(deployer: Deployer, service: Service, version: str | None) -> None:
    state, release = _state(deployer, service), deployer.release(service)
    left = service.release.stable.version
    served = state.served(service.name) if state else None
    is_interrupted = not service.release.stable.analysis
    is_beside = state is not None and (state.is_in_progress or not state.is_promoted)
    if version is None and served and is_beside and not is_interrupted:
        running = deployer.records.newest(service.name, left)
        started = datetime.fromisoformat(running.started) if running else None
        print(release.restore(*served, started, skips_analysis=True))
    else:
        rejected = deployer.records.rejected(service.name)
        print(release.rollback(version, rejected=rejected))
    if not is_interrupted:
        serves = f"{served[0]} serves" if served and is_beside else "an earlier version serves"
        deployer.records.end(
            service.name,
            left,
            "progressive",
            result="rolledBack",
            decision=Decision(current_user(), f"`make rollback`: {serves}"),
            previous=served[0] if served and is_beside else None,
        )
    _deploy_restored(deployer, service)


def _deploy_restored(deployer: Deployer, service: Service) -> None:
    """Deploy a restored version, and wait until Flagger has promoted it without analysis."""
    releases = deployer.progressive_releases()
    followed = deployer.update_release(service)
    if deployer.release(service).skips_analysis:
        releases.settle(service, followed)
        _end_skipped_analysis(deployer, service)


def _end_skipped_analysis(deployer: Deployer, service: Service) -> None:
    """Remove the key that skips the analysis, so that the next version has one."""
    deployer.release(service).end_skipped_analysis()
    deployer.update_release(service)


def _state(deployer: Deployer, service: Service) -> CanaryState | None:
    return deployer.progressive_releases().read([service]).get(service.name)
