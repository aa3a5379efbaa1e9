"""A program run under the SDK's mocks, and what it registered: read only after all is drained."""

from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pulumi
from pulumi.runtime import Mocks, set_mocks
from pulumi.runtime import test as drained
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs

from render import plain

DIGEST = f"sha256:{'d' * 64}"
"""What the registry says after a push."""

T = TypeVar("T")


@dataclass(frozen=True)
class Registered:
    """One resource as the engine was asked for it."""

    type: str
    name: str
    inputs: dict[str, Any]
    parent: str
    depends_on: frozenset[str]
    retain_on_delete: bool
    waits: tuple[str, str]
    """How long its creation and its update are waited for; empty: as long as the provider does."""

    def is_of(self, kind: str) -> bool:
        """Whether this is a provider's resource of ``kind``, not a component of that name."""
        return self.type.endswith(f":{kind}") and not self.type.startswith("slipway:")


@dataclass
class Registry(Mocks):
    """The resources of one run."""

    resources: dict[str, Registered] = field(default_factory=dict)
    """By URN."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        made_up = {
            "docker-build:index:Image": {"digest": DIGEST},
            "docker:index/image:Image": {"repoDigest": f"registry/repository@{DIGEST}"},
            "random:index/randomPassword:RandomPassword": {"result": "drawn"},
        }
        return args.name, {**args.inputs, **made_up.get(args.typ, {})}

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"unexpected call of {args.token}")

    def of_kind(self, kind: str) -> list[Registered]:
        """Every resource of a provider whose type ends in ``kind``, such as ``Deployment``."""
        return [one for one in self.resources.values() if one.is_of(kind)]

    def one(self, kind: str, name: str | None = None) -> dict[str, Any]:
        """The inputs of the only resource of ``kind``, or of that whose object is ``name``."""
        found = [
            one.inputs
            for one in self.of_kind(kind)
            if name is None or one.inputs["metadata"]["name"] == name
        ]
        assert len(found) == 1, f"{len(found)} of {kind} {name or ''}"
        return found[0]

    def secret(self, name: str | None = None) -> dict[str, str]:
        """The values in the only Secret, or in that whose object is ``name``."""
        data = self.one("Secret", name)["data"]
        return {key: b64decode(value).decode() for key, value in data.items()}

    def named(self, kind: str) -> set[str]:
        """The names of the objects of ``kind``."""
        return {one.inputs["metadata"]["name"] for one in self.of_kind(kind)}

    def needed_by(self, urn: str) -> set[str]:
        """The URNs of everything that has to be there before ``urn``."""
        needed: set[str] = set()
        waiting = [urn]
        while waiting:
            resource = self.resources.get(waiting.pop())
            if resource:
                new = {*resource.depends_on, resource.parent} - needed
                needed |= new
                waiting += new
        return needed

    def urn_of(self, kind: str, name: str) -> str:
        """The URN of an object."""
        return next(
            urn
            for urn, one in self.resources.items()
            if one.is_of(kind) and one.inputs["metadata"]["name"] == name
        )


class _Monitor(MockMonitor):
    """Also keeps what mocks are not told: parents, dependencies, options."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._registry = registry

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        response = super().RegisterResource(request)
        if request.type != "pulumi:pulumi:Stack":
            self._registry.resources[response.urn] = Registered(
                request.type,
                request.name,
                plain(pulumi.runtime.rpc.deserialize_properties(request.object)),
                request.parent,
                frozenset(request.dependencies),
                request.retainOnDelete,
                (request.customTimeouts.create, request.customTimeouts.update),
            )
        return response


def run(program: Callable[[], object]) -> Registry:
    """Run ``program``, wait until everything it registered is, and return that."""
    registry = Registry()
    set_mocks(registry, project="slipway", stack="test", monitor=_Monitor(registry))
    drained(program)()
    return registry


def value_of(program: Callable[[], pulumi.Output[T]]) -> T:
    """What an output of ``program`` comes to."""
    values: list[T] = []
    run(lambda: program().apply(values.append))
    (value,) = values
    return value


def containers(registry: Registry) -> Iterator[dict[str, Any]]:
    """Every container of every Deployment."""
    for deployment in registry.of_kind("Deployment"):
        yield from deployment.inputs["spec"]["template"]["spec"]["containers"]
