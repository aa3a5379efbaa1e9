"""Runs a Pulumi program with mocks and records the resources that it registers."""

from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from unittest.mock import patch

import pulumi
from pulumi.runtime import Mocks, set_mocks
from pulumi.runtime import test as run_with_mocks
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs
from pulumi.runtime.proto.source_pb2 import StackTrace

from render import unwrap

DIGEST = f"sha256:{'d' * 64}"
"""Digest of every image that is built."""

T = TypeVar("T")


@dataclass(frozen=True)
class RegisteredResource:
    """Resource with the inputs and options of its registration."""

    type: str
    name: str
    inputs: dict[str, Any]
    parent: str
    depends_on: frozenset[str]
    retain_on_delete: bool
    custom_timeouts: tuple[str, str]
    """For create and update. Empty: the provider's defaults."""
    ignore_changes: tuple[str, ...]
    provider: str
    """Reference of an explicit provider. Empty: the default one."""

    def is_of(self, kind: str) -> bool:
        """Return True for a provider's resource of ``kind``, False for a component of that name."""
        return self.type.endswith(f":{kind}") and not self.type.startswith("slipway:")


@dataclass
class Registry(Mocks):
    """Resources that a program registered."""

    resources: dict[str, RegisteredResource] = field(default_factory=dict)
    """By URN."""
    registered_outputs: list[str] = field(default_factory=list)
    """URNs of the components that registered their outputs."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        outputs = {
            "docker-build:index:Image": {"digest": DIGEST},
            "docker:index/image:Image": {"repoDigest": f"registry/repository@{DIGEST}"},
            "random:index/randomPassword:RandomPassword": {"result": "drawn"},
            "random:index/randomId:RandomId": {"hex": "c0ffee"},
        }
        return args.name, {**args.inputs, **outputs.get(args.typ, {})}

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"unexpected call of {args.token}")

    def of_kind(self, kind: str) -> list[RegisteredResource]:
        """Return a provider's resources whose type ends in ``kind``, such as ``Deployment``."""
        return [one for one in self.resources.values() if one.is_of(kind)]

    def one(self, kind: str, name: str | None = None) -> dict[str, Any]:
        """Return the inputs of the only resource of ``kind``, or of the object ``name``."""
        found = [
            one.inputs
            for one in self.of_kind(kind)
            if name is None or one.inputs["metadata"]["name"] == name
        ]
        assert len(found) == 1, f"{len(found)} of {kind} {name or ''}"
        return found[0]

    def secret(self, name: str | None = None) -> dict[str, str]:
        """Return the decoded values of the only Secret, or of the Secret ``name``."""
        data = self.one("Secret", name)["data"]
        return {key: b64decode(value).decode() for key, value in data.items()}

    def named(self, kind: str) -> set[str]:
        """Return the names of the objects of ``kind``."""
        return {one.inputs["metadata"]["name"] for one in self.of_kind(kind)}

    def dependencies_of(self, urn: str) -> set[str]:
        """Return the URNs of all direct and transitive dependencies and parents of ``urn``."""
        dependencies: set[str] = set()
        queue = [urn]
        while queue:
            if resource := self.resources.get(queue.pop()):
                new = {*resource.depends_on, resource.parent} - dependencies
                dependencies |= new
                queue += new
        return dependencies

    def urn_of(self, kind: str, name: str) -> str:
        """Return the URN of the object ``name`` of ``kind``."""
        return next(
            urn
            for urn, one in self.resources.items()
            if one.is_of(kind) and one.inputs["metadata"]["name"] == name
        )


class _Monitor(MockMonitor):
    """Records parents, dependencies and options, which mocks do not receive."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._registry = registry

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        response = super().RegisterResource(request)
        if request.type != "pulumi:pulumi:Stack":
            self._registry.resources[response.urn] = RegisteredResource(
                request.type,
                request.name,
                unwrap(pulumi.runtime.rpc.deserialize_properties(request.object)),
                request.parent,
                frozenset(request.dependencies),
                request.retainOnDelete,
                (request.customTimeouts.create, request.customTimeouts.update),
                tuple(request.ignoreChanges),
                request.provider,
            )
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        if request.urn in self._registry.resources:
            self._registry.registered_outputs.append(request.urn)
        return super().RegisterResourceOutputs(request)


def run(program: Callable[[], object]) -> Registry:
    """Run ``program`` and return the resources that it registered."""
    registry = Registry()
    set_mocks(registry, project="slipway", stack="test", monitor=_Monitor(registry))
    # The SDK sends where each resource is created. No test reads it, and pytest's stack is deep: it
    # takes a fifth of the time.
    with patch("pulumi.runtime.resource._get_stack_trace", StackTrace):
        run_with_mocks(program)()
    return registry


def value_of(program: Callable[[], pulumi.Output[T]]) -> T:
    """Return the value of the output that ``program`` returns."""
    values: list[T] = []
    run(lambda: program().apply(values.append))
    (value,) = values
    return value
