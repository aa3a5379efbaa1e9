"""Renders the Kubernetes objects of a stack as manifests, one file each.

    python render.py --stack prod --out manifests/prod

Runs ``__main__.py`` with the mocks of the Pulumi SDK: no engine, cluster or registry is needed. An
image that is not built yet has a digest of zeros. The values of Secrets are omitted.
"""

import argparse
import gc
import json
import os
import runpy
import sys
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import Mocks, set_all_config, set_mocks
from pulumi.runtime import test as run_under_mocks
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs

from settings import PROJECT, SettingsError, load
from settings.secret import ENCRYPTED
from settings.stack_config import read
from settings.stack_file import PROJECT_FOLDER, path_of, stack_of
from settings.yaml_writer import to_yaml

BAD_INPUT = 2
"""Exit code if nothing was rendered and the output folder is unchanged."""
LIST = ".rendered"
"""File in the output folder that lists the rendered files, which the next rendering may remove."""
UNBUILT = f"sha256:{'0' * 64}"
"""Digest of an image that is not built yet."""

Manifest = dict[str, Any]
_APPLY_ORDER = (
    ("CustomResourceDefinition", "Namespace"),
    (
        *("AuthorizationPolicy", "ClusterRole", "LimitRange", "NetworkPolicy"),
        *("PeerAuthentication", "ResourceQuota", "Role"),
    ),
    (
        *("ClusterRoleBinding", "ConfigMap", "PersistentVolumeClaim", "RoleBinding", "Secret"),
        "ServiceAccount",
    ),
    ("ClusterDomainClaim", "Configuration", "ExternalSecret", "Job", "SecretStore", "Service"),
    ("DaemonSet", "Deployment", "StatefulSet"),
    (
        *("Certificate", "DestinationRule", "Gateway", "HorizontalPodAutoscaler", "Issuer"),
        *("ListenerSet", "PodDisruptionBudget"),
    ),
    ("DomainMapping", "GRPCRoute", "HTTPRoute", "Ingress", "VirtualService"),
    ("MetricTemplate", "PodMonitor", "PrometheusRule", "ServiceMonitor"),
    ("Canary",),
)
_AUTOSCALER = "HorizontalPodAutoscaler"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  # marks a secret in Pulumi's protocol


class RenderError(Exception):
    """The output folder has other files, or is not writable."""


@dataclass(frozen=True)
class RenderedObject:
    """A Kubernetes object of a stack, as the program registers it."""

    file: str
    """Name of its file. Files are sorted in apply order."""
    manifest: Manifest
    dependencies: frozenset[str]
    """Files of the objects that the program creates before it."""
    ignored: tuple[str, ...]
    """Paths of fields that the program leaves as they are in the cluster."""
    is_retained: bool
    """True if it stays in the cluster when the stack does not have it any more."""

    @property
    def text(self) -> str:
        """Content of its file, without the values of a Secret."""
        return _text(self.manifest)


class _Placeholders(Mocks):
    """Outputs of the resources that only an engine creates."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        placeholders = {
            "docker-build": {"digest": UNBUILT},
            "docker": {"repoDigest": f"unbuilt@{UNBUILT}"},
            "random": {"result": ENCRYPTED},
        }
        return args.name, {**args.inputs, **placeholders.get(args.typ.partition(":")[0], {})}

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise NotImplementedError(f"{args.token} needs a provider")


class _Monitor(MockMonitor):
    """Records the Kubernetes objects of a program with the options of their registration."""

    def __init__(self) -> None:
        super().__init__(_Placeholders())
        self._requests: dict[str, Any] = {}
        self._manifests: dict[str, Manifest] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: ANN401, N802  # of the protocol
        response = super().RegisterResource(request)
        self._requests[response.urn] = request
        if request.type.startswith("kubernetes:") and "kind" in request.object:
            self._manifests[response.urn] = unwrap(self.resources[response.urn].state)
        return response

    def objects(self, home: str) -> Iterator[RenderedObject]:
        """Yield the objects; ``home`` is the namespace that file names omit."""
        manifests = self._manifests.values()
        autoscaled = {_target(one) for one in manifests if one["kind"] == _AUTOSCALER}
        files = {urn: _file_name(one, home) for urn, one in self._manifests.items()}
        for urn, manifest in self._manifests.items():
            request = self._requests[urn]
            yield RenderedObject(
                files[urn],
                _without_replicas(manifest, autoscaled),
                frozenset(files[other] for other in self._before(urn)),
                tuple(request.ignoreChanges),
                request.retainOnDelete,
            )

    def _before(self, urn: str) -> Iterator[str]:
        """Objects that are created before a resource. It is registered after its parent."""
        request = self._requests[urn]
        for other in (*request.dependencies, request.parent):
            if other in self._manifests:
                yield other
            elif other in self._requests:
                yield from self._before(other)


def manifests_of(stack: str) -> dict[str, str]:
    """Return the manifest of every object by file name, in apply order.

    The argument and the errors are those of :func:`objects_of`.
    """
    return {one.file: one.text for one in objects_of(stack)}


def objects_of(stack: str) -> list[RenderedObject]:
    """Return every object of a stack, in apply order.

    ``stack`` is the name or the path of a stack file. Raises :class:`SettingsError`, or
    :class:`pulumi.RunError` with the same message.
    """
    home = load(stack).namespace.name
    path = path_of(stack)
    set_all_config(*engine_config(read(path)))
    monitor = _Monitor()
    set_mocks(monitor.mocks, project=PROJECT, stack=stack_of(path), preview=False, monitor=monitor)
    # Searching the growing graph of resources for cycles takes a third of the time.
    gc.disable()
    try:
        _run_program()
        return sorted(monitor.objects(home), key=lambda one: one.file)
    finally:
        gc.enable()


_Identity = tuple[str | None, str, str, str]
"""Namespace, API version, kind and name of an object."""


def _target(autoscaler: Manifest) -> _Identity:
    target = autoscaler["spec"]["scaleTargetRef"]
    namespace = autoscaler["metadata"].get("namespace")
    return namespace, target["apiVersion"], target["kind"], target["name"]


def _without_replicas(manifest: Manifest, autoscaled: Set[_Identity]) -> Manifest:
    """The manifest without ``replicas`` that an HPA owns: to apply them would reset them."""
    namespace, name = manifest["metadata"].get("namespace"), manifest["metadata"]["name"]
    if (namespace, manifest["apiVersion"], manifest["kind"], name) not in autoscaled:
        return manifest
    spec = {key: value for key, value in manifest["spec"].items() if key != "replicas"}
    return {**manifest, "spec": spec}


@run_under_mocks
def _run_program() -> None:
    os.chdir(PROJECT_FOLDER)
    runpy.run_path("__main__.py", run_name="__main__")


def engine_config(sections: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Return the configuration as the engine passes it: JSON by key, and the keys with secrets.

    The engine sorts the keys of mappings.
    """
    config = {f"{PROJECT}:{name}": _decrypted(section) for name, section in sections.items()}
    secret = [key for key, section in config.items() if ENCRYPTED in json.dumps(section)]
    texts = {key: json.dumps(section, sort_keys=True) for key, section in config.items()}
    return texts, secret


def _decrypted(value: object) -> object:
    match value:
        case {"secure": str()}:
            return ENCRYPTED
        case dict():
            return {key: _decrypted(inner) for key, inner in value.items()}
        case list():
            return [_decrypted(inner) for inner in value]
    return value


def _file_name(manifest: Manifest, home: str) -> str:
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    position = next(i for i, kinds in enumerate(_APPLY_ORDER) if kind in kinds)
    namespace = manifest["metadata"].get("namespace", home)
    prefix = "" if namespace == home else f"{namespace}-"
    return f"{position}0-{prefix}{kind.lower()}-{name}.yaml"


def _text(manifest: Manifest) -> str:
    if manifest["kind"] != "Secret":
        return to_yaml(manifest)
    without_data = {key: value for key, value in manifest.items() if key != "data"}
    keys = ", ".join(sorted(manifest["data"]))
    return f"# Values omitted: {keys}\n{to_yaml(without_data)}"


def unwrap(value: Any) -> Any:  # noqa: ANN401
    """Return a property of Pulumi's protocol with integers as ``int`` and secrets in plain text."""
    match value:
        case dict() if _SECRET in value.values():
            return unwrap(value["value"])
        case dict():
            return {key: unwrap(inner) for key, inner in value.items()}
        case list():
            return [unwrap(inner) for inner in value]
        case float() if value.is_integer():
            return int(value)
    return value


def write(files: Mapping[str, str | bytes], out: Path) -> None:
    """Write ``files`` to ``out`` and remove the other files of a previous rendering.

    A name may have folders. Raises :class:`RenderError` if ``out`` has files that were not
    rendered.
    """
    listed = out / LIST
    try:
        out.mkdir(parents=True, exist_ok=True)
        previous = listed.read_text().split() if listed.is_file() else []
        if foreign := _foreign(out, previous):
            raise RenderError(
                f"{out} has files that were not rendered ({_few(foreign)}): use an empty folder"
            )
        listed.write_text("".join(f"{name}\n" for name in sorted({*previous, *files})))
        for name, text in files.items():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_bytes(text.encode() if isinstance(text, str) else text)
        for name in set(previous) - set(files):
            (out / name).unlink(missing_ok=True)
        listed.write_text("".join(f"{name}\n" for name in files))
    except OSError as error:
        raise RenderError(f"{out} cannot be written: {error.strerror}") from None


def _foreign(out: Path, rendered: Sequence[str]) -> list[str]:
    """Names of the files in ``out`` that were not rendered."""
    folders = {name.partition("/")[0] for name in rendered if "/" in name}
    known = {*rendered, *folders, LIST}
    others = [path.name for path in out.iterdir() if path.name not in known]
    if not others:
        inner = (path for folder in folders for path in (out / folder).rglob("*"))
        files = (path.relative_to(out).as_posix() for path in inner if not path.is_dir())
        others = [name for name in files if name not in known]
    return sorted(others)


def _few(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def main() -> int:
    """Render a stack and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--stack", required=True, help="name of the stack, or path of its file")
    parser.add_argument("--out", required=True, type=Path, help="output folder, created if missing")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    try:
        files = manifests_of(arguments.stack)
        write(files, out)
    except (SettingsError, pulumi.RunError, RenderError) as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    print(f"{len(files)} objects in {arguments.out}")
    return 0


if __name__ == "__main__":
    exit_code = main()
    # The interpreter would search all modules and resources for cycles, which takes half a second.
    gc.freeze()
    sys.exit(exit_code)
