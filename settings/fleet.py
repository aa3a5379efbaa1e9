"""``fleet.yaml``: fleets of stacks, which commands deploy in waves."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from settings import stack_file
from settings.errors import MISSING, FieldError, SettingsError, invalid_keys, suggestion
from settings.loader import check_owner, load
from settings.quantities import duration_format, duration_seconds
from settings.schema import PROJECT, model_schema
from settings.section import Section
from settings.stack import Settings
from settings.stack_file import path_of, stack_files, stack_of
from settings.string_formats import DnsLabel, StringFormat
from settings.yaml_file import read_yaml

FILE = "fleet.yaml"
SCHEMA_FILE = Path(__file__).parent / "fleet.schema.json"

StackName = Annotated[
    str, StringFormat("the name of a stack, like prod-east1", r"[A-Za-z0-9_.-]+", 100)
]
Duration = Annotated[str, duration_format("0s", "24h")]
Stacks = Annotated[tuple[StackName, ...], Field(strict=False, max_length=1000)]
Parallelism = Annotated[int, Field(ge=1, le=1000)]
MaxFailed = Annotated[int, Field(ge=0, le=1000)]


class Wave(Section):
    """Stacks that are deployed at once."""

    name: DnsLabel
    """Name of the wave, for `FROM`."""
    stacks: Stacks = ()
    """Names of stacks."""
    regions: Annotated[tuple[DnsLabel, ...], Field(strict=False, max_length=100)] = ()
    """Regions, whose stacks belong to the wave, without those that another wave has in `stacks`."""
    parallelism: Parallelism | None = None
    """Default: that of the fleet."""
    pause: Duration | None = None
    """Default: that of the fleet."""
    max_failed: MaxFailed | None = None
    """Default: that of the fleet."""
    gate: Duration | None = None
    """Default: that of the fleet."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        if not (self.stacks or self.regions):
            yield FieldError("stacks", self.stacks, "the names of stacks, or add regions")


class Fleet(Section):
    """Stacks with the same services, in several clusters."""

    regions: Annotated[dict[DnsLabel, Stacks], Field(max_length=100)] = {}
    """Names of stacks, by region."""
    waves: Annotated[tuple[Wave, ...], Field(strict=False, min_length=1, max_length=100)]
    """Waves, in the order of their deployment."""
    parallelism: Parallelism | None = None
    """Number of stacks that are updated at once. Default: all of a wave."""
    pause: Duration = "0s"
    """Time between the end of a wave and the next one."""
    max_failed: MaxFailed = 0
    """Number of stacks of a wave that may fail. If more fail, no further stack is updated."""
    gate: Duration = "0s"
    """Time for which the SLOs of each stack are observed after the updates of its wave. `0s`: no
    gate."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        for key, name in self._repeated():
            yield FieldError(key, name, "each one once")
        for index, wave in enumerate(self.waves):
            for number, region in enumerate(wave.regions):
                key = f"waves[{index}].regions[{number}]"
                if region not in self.regions:
                    allowed = suggestion(region, [*self.regions]).removeprefix("use ")
                    yield FieldError(key, region, allowed or "stacks, or add the region")
                elif not self._rest(region):
                    yield FieldError(key, region, "a region with stacks that no wave has yet")
        in_waves = {stack for wave in self.waves for stack in self.stacks_of(wave)}
        for key, stack in self._in_regions():
            if stack not in in_waves:
                yield FieldError(key, stack, "a stack of a wave, or add its region to one")

    def places(self) -> Iterator[tuple[str, str]]:
        """Each key with the name of a stack, and the name."""
        yield from self._in_regions()
        for index, wave in enumerate(self.waves):
            for number, stack in enumerate(wave.stacks):
                yield f"waves[{index}].stacks[{number}]", stack

    def stacks_of(self, wave: Wave) -> tuple[str, ...]:
        """Stacks of a wave, in order."""
        return (*wave.stacks, *(one for region in wave.regions for one in self._rest(region)))

    def region_of(self, stack: str) -> str:
        """Region of a stack. Empty: it has none."""
        return next((name for name, stacks in self.regions.items() if stack in stacks), "")

    def _rest(self, region: str) -> list[str]:
        named = {stack for wave in self.waves for stack in wave.stacks}
        return [stack for stack in self.regions.get(region, ()) if stack not in named]

    def _in_regions(self) -> Iterator[tuple[str, str]]:
        for region, stacks in self.regions.items():
            for number, stack in enumerate(stacks):
                yield f"regions.{region}[{number}]", stack

    def _repeated(self) -> Iterator[tuple[str, str]]:
        """Keys with a name that an earlier key of the same kind has."""
        in_waves = ((key, name) for key, name in self.places() if key.startswith("waves"))
        regions = (
            (f"waves[{index}].regions[{number}]", region)
            for index, wave in enumerate(self.waves)
            for number, region in enumerate(wave.regions)
        )
        names = ((f"waves[{index}].name", wave.name) for index, wave in enumerate(self.waves))
        for kind in (self._in_regions(), in_waves, regions, names):
            seen: set[str] = set()
            for key, name in kind:
                if name in seen:
                    yield key, name
                seen.add(name)


class FleetFile(Section):
    """Content of ``fleet.yaml``."""

    fleets: Annotated[dict[DnsLabel, Fleet], Field(max_length=100)]
    """Fleets by name."""


@dataclass(frozen=True)
class Member:
    """A stack of a fleet."""

    stack: str
    settings: Settings
    wave: str
    region: str
    """Empty: none."""


@dataclass(frozen=True)
class LoadedWave:
    """A wave with the defaults of its fleet."""

    name: str
    members: Sequence[Member]
    parallelism: int
    pause_seconds: float
    max_failed: int
    gate_seconds: float
    """0: no gate."""


def load_fleet(name: str, *, check_sources: bool = False) -> Sequence[LoadedWave]:
    """Load the waves of a fleet, with the settings of its stacks.

    ``check_sources`` is that of :func:`settings.load`. Raises :class:`SettingsError` with the
    errors of ``fleet.yaml``, or else of all stack files. The stacks are deployed by Pulumi, each to
    a kubeconfig context that it names, and no two of them to one namespace.
    """
    fleets = _read()
    if name not in fleets:
        known = suggestion(name, [*fleets]) if fleets else "add it"
        raise SettingsError(FILE, [f"{name} is not a fleet: {known}"])
    fleet = fleets[name]
    loaded = _load_stacks(fleet, check_sources=check_sources)
    return [_resolved(fleet, wave, loaded) for wave in fleet.waves]


def _resolved(fleet: Fleet, wave: Wave, loaded: Mapping[str, Settings]) -> LoadedWave:
    def given(name: str) -> Any:  # noqa: ANN401
        own = getattr(wave, name)
        return getattr(fleet, name) if own is None else own

    members = [
        Member(stack, loaded[stack], wave.name, fleet.region_of(stack))
        for stack in fleet.stacks_of(wave)
    ]
    return LoadedWave(
        wave.name,
        members,
        parallelism=given("parallelism") or len(members),
        pause_seconds=duration_seconds(given("pause")),
        max_failed=given("max_failed"),
        gate_seconds=duration_seconds(given("gate")),
    )


def _read() -> Mapping[str, Fleet]:
    path = stack_file.PROJECT_FOLDER / FILE
    if not path.is_file():
        raise SettingsError(FILE, ["it does not exist: docs/fleet.md describes it"])
    document, _ = read_yaml(path, is_checked=lambda _: True)
    try:
        fleets = FleetFile.model_validate({"fleets": document}, by_name=False, by_alias=True).fleets
    except ValidationError as error:
        errors = invalid_keys(error, model_schema(FleetFile))
        texts = [str(one).removeprefix("fleets.").removeprefix("fleets ") for one in errors]
        raise SettingsError(FILE, texts) from None
    stacks = [stack_of(one) for one in stack_files(stack_file.PROJECT_FOLDER)]
    unknown = [
        str(FieldError(f"{name}.{key}", stack, f"a stack: {suggestion(stack, stacks)}"))
        for name, fleet in fleets.items()
        for key, stack in fleet.places()
        if stack not in stacks
    ]
    if errors := [*unknown, *_shared_stacks(fleets)]:
        raise SettingsError(FILE, errors)
    return fleets


def _shared_stacks(fleets: Mapping[str, Fleet]) -> Iterator[str]:
    """Errors of stacks that an earlier fleet has: each would roll back the other's updates."""
    owners: dict[str, str] = {}
    for name, fleet in fleets.items():
        for key, stack in fleet.places():
            owner = owners.setdefault(stack, name)
            if owner != name:
                yield str(FieldError(f"{name}.{key}", stack, f"a stack that {owner} does not have"))


def _load_stacks(fleet: Fleet, *, check_sources: bool) -> Mapping[str, Settings]:
    loaded: dict[str, Settings] = {}
    errors: list[str] = []
    for stack in (one for wave in fleet.waves for one in fleet.stacks_of(wave)):
        file = path_of(stack).name
        try:
            loaded[stack] = load(stack, check_sources=check_sources)
            check_owner(loaded[stack], file)
        except SettingsError as error:
            errors += [f"{file}: {one}" for one in error.errors]
    targets = {name: (one.cluster.context, one.namespace.name) for name, one in loaded.items()}
    counts = Counter(targets.values())
    for stack, (context, namespace) in targets.items():
        file = path_of(stack).name
        if context is None:
            allowed = "the kubeconfig context of its cluster, which a stack of a fleet has to name"
            errors.append(f"{file}: {FieldError(f'{PROJECT}:cluster.context', MISSING, allowed)}")
        elif counts[context, namespace] > 1:
            others = [name for name, one in targets.items() if one == (context, namespace)]
            allowed = f"another one, or another cluster.context: {', '.join(others)} have the same"
            errors.append(f"{file}: {FieldError(f'{PROJECT}:namespace.name', namespace, allowed)}")
    errors += _shared_records(loaded)
    if errors:
        raise SettingsError(FILE, errors)
    return loaded


def _shared_records(loaded: Mapping[str, Settings]) -> Iterator[str]:
    """Errors of DNS records whose host and set identifier an earlier stack has."""
    owners: dict[tuple[str, str], str] = {}
    for stack, settings in loaded.items():
        for service in settings.services.values():
            routing = service.routing
            records = routing.dns.route53 if routing and routing.dns else None
            for host in routing.hosts if routing and records else ():
                identifier = records.set_identifier if records else ""
                owner = owners.setdefault((host, identifier), stack)
                if owner != stack:
                    key = f"{PROJECT}:services.{service.name}.routing.dns.route53.setIdentifier"
                    allowed = f"another one: {owner} has it for {host}"
                    yield f"{path_of(stack).name}: {FieldError(key, identifier, allowed)}"


def fleet_schema() -> dict[str, Any]:
    """JSON schema of ``fleet.yaml``."""
    schema = model_schema(FleetFile)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema["properties"]["fleets"],
        "title": FILE,
        "$defs": schema["$defs"],
    }
