"""The program's Kubernetes objects as plain manifests, one file each.

    python render.py --stack prod --out manifests/prod

Runs ``__main__.py`` under the SDK's mock monitor, so it needs no engine, cluster or registry. An
image that is not built yet has a digest of zeros. The values of Secrets are left out.
"""

import argparse
import json
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime import Mocks, set_all_config, set_mocks
from pulumi.runtime import test as run_under_mocks
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs

from settings import PROJECT, SettingsError, load
from settings.stack_file import path_of, read, stack_of

BAD_INPUT = 2
"""Exit code when nothing was rendered; what was there is as it was."""
LIST = ".rendered"
"""In the output folder: the names of the files that rendering made, and so may remove."""
UNBUILT = f"sha256:{'0' * 64}"
"""The digest of an image that is not built yet."""

Manifest = dict[str, Any]
_HERE = Path(__file__).resolve().parent
_APPLIED_IN_TURN = (
    ("Namespace",),
    ("ClusterRole", "LimitRange", "NetworkPolicy", "ResourceQuota"),
    ("ClusterRoleBinding", "ConfigMap", "PersistentVolumeClaim", "Secret", "ServiceAccount"),
    ("Service",),
    ("DaemonSet", "Deployment", "StatefulSet"),
    ("HorizontalPodAutoscaler", "PodDisruptionBudget"),
    ("HTTPRoute", "Ingress"),
    ("PodMonitor", "PrometheusRule", "ServiceMonitor"),
)
_PLACEHOLDER = "left out"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  # marks secrets in Pulumi's protocol


class RenderError(Exception):
    """The output folder cannot be used."""


class _Recorder(Mocks):
    """Keeps the Kubernetes objects that a program registers, and makes up what the rest return."""

    def __init__(self) -> None:
        self.manifests: list[Manifest] = []

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        package = args.typ.partition(":")[0]
        if package == "kubernetes" and "kind" in args.inputs:
            self.manifests.append(plain(args.inputs))
        made_up = {
            "docker-build": {"digest": UNBUILT},
            "docker": {"repoDigest": f"unbuilt@{UNBUILT}"},
            "random": {"result": _PLACEHOLDER},
        }
        return args.name, {**args.inputs, **made_up.get(package, {})}

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise NotImplementedError(f"{args.token} cannot be answered without a provider")


def manifests_of(stack: str) -> dict[str, str]:
    """The text of every object of a stack, by file name, in the order in which they are applied.

    ``stack`` is a name, or the path of a stack file. Raises :class:`SettingsError`, or
    :class:`pulumi.RunError` with the same message.
    """
    home = load(stack).namespace.name
    path = path_of(stack)
    set_all_config(*engine_config(read(path)))
    recorder = _Recorder()
    set_mocks(recorder, project=PROJECT, stack=stack_of(path), preview=False)
    _run_program()
    return dict(sorted((_file_name(one, home), _text(one)) for one in recorder.manifests))


@run_under_mocks
def _run_program() -> None:
    os.chdir(_HERE)
    runpy.run_path("__main__.py", run_name="__main__")


def engine_config(sections: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """What the engine gives a program: sections as JSON, and which of them hold secrets."""
    config = {f"{PROJECT}:{name}": _decrypted(section) for name, section in sections.items()}
    secret = [key for key, section in config.items() if _PLACEHOLDER in json.dumps(section)]
    return {key: json.dumps(section) for key, section in config.items()}, secret


def _decrypted(value: object) -> object:
    match value:
        case {"secure": str()}:
            return _PLACEHOLDER
        case dict():
            return {key: _decrypted(inner) for key, inner in value.items()}
        case list():
            return [_decrypted(inner) for inner in value]
    return value


def _file_name(manifest: Manifest, home: str) -> str:
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    turn = next(i for i, kinds in enumerate(_APPLIED_IN_TURN) if kind in kinds)
    namespace = manifest["metadata"].get("namespace", home)
    elsewhere = "" if namespace == home else f"{namespace}-"
    return f"{turn}0-{elsewhere}{kind.lower()}-{name}.yaml"


class _Dumper(yaml.CSafeDumper):
    """YAML as people write it: text of several lines as a block."""


def _represent_text(dumper: _Dumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _text(manifest: Manifest) -> str:
    if manifest["kind"] != "Secret":
        return yaml.dump(manifest, Dumper=_Dumper)
    shown = {key: value for key, value in manifest.items() if key != "data"}
    keys = ", ".join(sorted(manifest["data"]))
    return f"# The values are left out, of: {keys}\n{yaml.dump(shown, Dumper=_Dumper)}"


def plain(value: Any) -> Any:  # noqa: ANN401
    """A property as the protocol carries it, with whole numbers whole and secrets unwrapped."""
    match value:
        case dict() if _SECRET in value.values():
            return plain(value["value"])
        case dict():
            return {key: plain(inner) for key, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
        case float() if value.is_integer():
            return int(value)
    return value


def write(files: Mapping[str, str], out: Path) -> None:
    """Make ``out`` hold ``files``, without those of an earlier rendering that are gone.

    Raises :class:`RenderError` where ``out`` holds what was not rendered.
    """
    listed = out / LIST
    try:
        out.mkdir(parents=True, exist_ok=True)
        earlier = listed.read_text().split() if listed.is_file() else []
        foreign = sorted(path.name for path in out.iterdir() if path.name not in (*earlier, LIST))
        if foreign:
            raise RenderError(f"{out} holds {_few(foreign)}, which was not rendered: use another")
        listed.write_text("".join(f"{name}\n" for name in sorted({*earlier, *files})))
        for name, text in files.items():
            (out / name).write_text(text)
        for name in set(earlier) - set(files):
            (out / name).unlink(missing_ok=True)
        listed.write_text("".join(f"{name}\n" for name in files))
    except OSError as error:
        raise RenderError(f"{out} cannot be written: {error.strerror}") from None


def _few(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def main() -> int:
    """Render one stack; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--stack", required=True, help="its name, or the path of its file")
    parser.add_argument("--out", required=True, type=Path, help="a folder, made where missing")
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
    sys.exit(main())
