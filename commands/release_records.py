"""Records of a service's releases: a ConfigMap in the cluster, which all machines read."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from commands import ci_run, kubectl
from commands.control_characters import escape_control_characters
from commands.errors import CommandError
from commands.notifications import Notifier, VersionChange
from commands.notifications.event import format_time
from components.labels import COMMON_LABELS, NAME_LABEL
from settings import Service, Settings, Strategy

MAX_RECORDS = 50
"""Number of releases that are kept, for each service."""
RECORDS_LABEL = "slipway/release-records"
"""Label of the ConfigMaps with records; its value is ``true``."""
DATA_KEY = "releases.json"
"""Key of the ConfigMap's data: a JSON list of records, newest first."""

Result = Literal["promoted", "rolledBack", "failed", "running"]

_KEYS = {"decided_by": "decidedBy"}
"""Keys of a record that are written in another way than its fields."""


@dataclass(frozen=True)
class Decision:
    """End of a release: the person or program that decided it, and the reason."""

    by: str
    """A person, ``Flagger``, or a gate."""
    reason: str = ""


@dataclass(frozen=True)
class ReleaseRecord:
    """One release of a version."""

    version: str
    strategy: Strategy
    started: str
    """Time in RFC 3339, UTC."""
    digest: str | None = None
    """Digest of the image. ``None``: it was not built yet when the record was written."""
    ended: str | None = None
    """Time in RFC 3339, UTC. ``None``: the release has not ended."""
    result: Result = "running"
    """``failed``: it was neither promoted nor rolled back, for example because another release
    replaced it."""
    decided_by: str = ""
    reason: str = ""

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> "ReleaseRecord":
        """The record that :meth:`to_json` wrote. Raises ``ValueError`` for anything else."""
        names = {_KEYS.get(name, name): name for name in cls.__dataclass_fields__}
        record = cls(**{names[key]: one for key, one in written.items() if key in names})
        for value in (record.version, record.started, record.decided_by, record.reason):
            if not isinstance(value, str):
                raise ValueError(f"{value!r} is not text")
        datetime.fromisoformat(record.started)
        if record.ended is not None:
            datetime.fromisoformat(record.ended)
        if record.result not in get_args(Result) or record.strategy not in get_args(Strategy):
            raise ValueError(f"{record.result!r} or {record.strategy!r} is not known")
        return record

    def to_json(self) -> dict[str, Any]:
        """The record as it is written."""
        return {_KEYS.get(name, name): value for name, value in asdict(self).items()}


class ReleaseRecords:
    """Records of the releases of a stack's services. ``notifier`` gets their starts and ends.

    They inform and never stop a deployment: if the cluster cannot be read or changed, or if the
    records are not readable, a line is printed, and there are none.
    """

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        notifier: Notifier | None = None,
    ) -> None:
        self._notifier = notifier
        self._namespace = settings.namespace.name
        self._context = settings.cluster.context
        self._environment = environment

    def of(self, service: str) -> list[ReleaseRecord]:
        """Records of a service, newest first."""
        return self._read(service) or []

    def _read(self, service: str) -> list[ReleaseRecord] | None:
        """Records of a service, newest first. ``None``: the cluster cannot be read."""
        name = config_map_name(service)
        try:
            found = kubectl.get(
                *("configmap", name, "--namespace", self._namespace, "--ignore-not-found"),
                environment=self._environment,
                context=self._context,
            )
        except CommandError as error:
            print(f"the releases of {service} are not known: {_last_line(error)}")
            return None
        return self._parse(name, found) if found else []

    def _parse(self, name: str, config_map: Mapping[str, Any]) -> list[ReleaseRecord]:
        try:
            return [ReleaseRecord.of(one) for one in json.loads(config_map["data"][DATA_KEY])]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            print(
                f"the ConfigMap {self._namespace}/{name} has no readable releases "
                f"({escape_control_characters(str(error))}): its content is ignored"
            )
            return []

    def newest(self, service: str, version: str) -> ReleaseRecord | None:
        """The last release of a version."""
        return next((one for one in self.of(service) if one.version == version), None)

    def rolled_back(self, service: str, version: str) -> ReleaseRecord | None:
        """The last release of a version, if it was rolled back."""
        newest = self.newest(service, version)
        return newest if newest and newest.result == "rolledBack" else None

    def rejected(self, service: str) -> set[str]:
        """Versions whose last release was rolled back."""
        newest: dict[str, ReleaseRecord] = {}
        for one in self.of(service):
            newest.setdefault(one.version, one)
        return {one.version for one in newest.values() if one.result == "rolledBack"}

    def start(
        self,
        service: str,
        version: str,
        strategy: Strategy,
        started: datetime | None = None,
        *,
        previous: str | None = None,
        weight: int | None = None,
    ) -> None:
        """Record that the release of a version starts, by default now.

        An interrupted release that is started again keeps its record. A running release of another
        version ends: it is replaced. ``previous`` is the version that serves, by default the last
        promoted one, and ``weight`` the percentage of the requests, if it is known.
        """
        known = self._read(service)
        records = known or []
        if records and records[0].result == "running" and records[0].version == version:
            return
        new = ReleaseRecord(version, strategy, format_time(started or datetime.now(UTC)))
        by = Decision(current_user(), f"replaced by {version}")
        self._write(service, new, None if known is None else [new, *_ended(records, by)])
        if self._notifier:
            change = VersionChange(service, version, previous or _promoted(records, version))
            self._notifier.started(change, weight=weight)

    def end(
        self,
        service: str,
        version: str,
        strategy: Strategy,
        *,
        result: Result,
        decision: Decision,
        digest: str | None = None,
        previous: str | None = None,
    ) -> None:
        """Record the end of a version's release.

        If none of this version is running, this is a release of its own, such as the rollback of a
        version that was promoted before. ``previous`` is the version that served before, or that
        serves after a rollback; by default the last promoted one.
        """
        known, now = self._read(service), format_time(datetime.now(UTC))
        records = known or []
        running = next(
            (one for one in records if one.result == "running" and one.version == version),
            ReleaseRecord(version, strategy, now),
        )
        ended = replace(
            running,
            ended=now,
            result=result,
            decided_by=decision.by,
            reason=decision.reason,
            digest=digest or running.digest,
        )
        others = [one for one in records if one is not running]
        at = records.index(running) if running in records else 0
        written = None if known is None else [*others[:at], ended, *others[at:]]
        self._write(service, ended, written)
        if self._notifier is None:
            return
        change = VersionChange(service, version, previous or _promoted(records, version))
        match result:
            case "promoted":
                self._notifier.promoted(change, reason=decision.reason, decided_by=decision.by)
            case "rolledBack":
                self._notifier.rolled_back(change, reason=decision.reason, decided_by=decision.by)

    def end_missed(self, services: Iterable[Service], found: kubectl.Objects) -> None:
        """Record the ends of releases that an update has deployed and could not record.

        Call it after a successful update; ``found`` has the ConfigMaps after it. Flagger decides
        the end of progressive releases.
        """
        maps = {one["metadata"]["name"]: one for one in found if one["kind"] == "ConfigMap"}
        for service in services:
            release, name = service.release, config_map_name(service.name)
            if release.strategy == "progressive" or name not in maps:
                continue
            newest = next(iter(self._parse(name, maps[name])), None)
            beside = release.beside.version if release.beside else None
            if newest is None or newest.result != "running" or newest.version == beside:
                continue
            is_stable = newest.version == release.stable.version
            self.end(
                service.name,
                newest.version,
                newest.strategy,
                result="promoted" if is_stable else "rolledBack",
                decision=Decision(
                    current_user(), f"{release.stable.version} serves; recorded by a later update"
                ),
            )

    def _write(
        self, service: str, changed: ReleaseRecord, records: Sequence[ReleaseRecord] | None
    ) -> None:
        """Write the records, of which one is changed. ``None``: the others are not known."""
        state = f"{service} {changed.version} is not recorded as {changed.result}"
        if records is None:
            print(state)
            return
        manifest = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": config_map_name(service),
                "namespace": self._namespace,
                "labels": {
                    NAME_LABEL: service,
                    "app.kubernetes.io/part-of": COMMON_LABELS["app.kubernetes.io/part-of"],
                    RECORDS_LABEL: "true",
                },
            },
            "data": {
                DATA_KEY: json.dumps([one.to_json() for one in records[:MAX_RECORDS]], indent=1)
            },
        }
        try:
            kubectl.apply(manifest, environment=self._environment, context=self._context)
        except CommandError as error:
            print(f"{state}: {_last_line(error)}")


def config_map_name(service: str) -> str:
    """Name of the ConfigMap with the records of a service."""
    return f"{service}-releases"


def rejection(record: ReleaseRecord) -> str:
    """Why a version is not released again; the continuation of a sentence."""
    reason = f": {record.reason.rstrip('.')}" if record.reason else ""
    return (
        f"was rolled back at {record.ended} by {record.decided_by}{reason}. Use another version; "
        "FORCE=1 releases it again"
    )


def current_user() -> str:
    """Name of the person who runs the command; in CI, of the one who started the run."""
    return ci_run.actor(os.environ) or ci_run.login_name() or "unknown"


def _promoted(records: Iterable[ReleaseRecord], version: str) -> str | None:
    """The last promoted version before ``version``."""
    others = (one for one in records if one.version != version)
    return next((one.version for one in others if one.result == "promoted"), None)


def _ended(records: Sequence[ReleaseRecord], decision: Decision) -> Iterator[ReleaseRecord]:
    now = format_time(datetime.now(UTC))
    for one in records:
        if one.result != "running":
            yield one
        else:
            yield replace(
                one, ended=now, result="failed", decided_by=decision.by, reason=decision.reason
            )


def _last_line(error: CommandError) -> str:
    return escape_control_characters(str(error).splitlines()[-1])
