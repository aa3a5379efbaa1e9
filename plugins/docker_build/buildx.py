"""One build by `buildx`: its arguments, its credentials, its output.

Secrets and passwords reach buildx through its environment and through files of a private temporary
folder, never as arguments, and are masked wherever its output is shown.
"""

import base64
import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from plugins.docker_build.inputs import COMPRESSION, ENTRIES
from plugins.server import PluginError

Properties = Mapping[str, Any]

_STATUS_INTERVAL = 0.1  # seconds between two status messages
_STEP_LINES = 60  # of a failing step, the last are shown
_INSPECT_TIMEOUT = 60.0  # seconds for one question to a registry
_SHORTEST_LINE = 4  # of a secret; to mask a shorter line would black out the output
_MISSING = re.compile(r"^ERROR: \S+: not found$", re.MULTILINE)
"""What buildx says of a reference; not of a missing credential helper, or a Docker context."""
_DOCKER_HUB = "https://index.docker.io/v1/"  # how Docker's own config file names it


class Buildx:
    """Runs buildx for one provider."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()
        self._cancelled = False

    def build(self, inputs: Properties, *, push: bool, status: Callable[[str], None]) -> str:
        """Build, and return the image's digest, or "" if nothing was exported.

        Without `push` images go nowhere, which is how a preview builds. `status` gets what buildx
        is doing, a line at a time. Raises `PluginError` with what buildx says about a failure.
        """
        hide = _hider(inputs)
        with _workspace(inputs) as (folder, environment):
            metadata = folder / "metadata.json"
            command = [*_buildx(), "build", "--progress=plain", f"--metadata-file={metadata}"]
            command += build_arguments(inputs, folder, push=push)
            with subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as process:
                self._running.add(process)
                if self._cancelled:
                    process.send_signal(signal.SIGINT)
                assert process.stdout  # noqa: S101 # a pipe was asked for
                lines, shown = [], 0.0
                for line in process.stdout:
                    lines.append(hide(line.rstrip()))
                    if lines[-1] and time.monotonic() - shown >= _STATUS_INTERVAL:
                        status(lines[-1])
                        shown = time.monotonic()
            self._running.discard(process)
            if self._cancelled:
                raise PluginError("the build was cancelled")
            if process.returncode:
                raise PluginError(failure(lines))
            described = json.loads(metadata.read_text()) if metadata.exists() else {}
            return described.get("containerimage.digest", "")

    def cancel(self) -> None:
        """End every build: interrupted, buildx stops the work at the builder and exits."""
        self._cancelled = True
        for process in list(self._running):
            process.send_signal(signal.SIGINT)


def manifest(reference: str, inputs: Properties) -> dict[str, Any] | None:
    """The manifest of an image in its registry, or `None` if the registry has none.

    Raises `PluginError` if the registry does not say.
    """
    with _workspace(inputs) as (_, environment):
        try:
            answer = subprocess.run(
                [*_buildx(), "imagetools", "inspect", "--raw", reference],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=_INSPECT_TIMEOUT,
            )
        except subprocess.TimeoutExpired as problem:
            raise PluginError(f"no answer in {_INSPECT_TIMEOUT:g} s") from problem
    if answer.returncode == 0:
        return json.loads(answer.stdout)
    if _MISSING.search(answer.stderr):
        return None
    raise PluginError(_hider(inputs)(failure(answer.stderr.splitlines())))


def build_arguments(inputs: Properties, folder: Path, *, push: bool) -> list[str]:
    """The arguments of `buildx build` for checked inputs; the context comes last."""
    pairs = {"build-arg": "buildArgs", "label": "labels"}
    lists = {"add-host": "addHosts", "platform": "platforms", "tag": "tags"}
    flags = {"no-cache": "noCache", "pull": "pull"}
    single = {"target": inputs.get("target"), "network": inputs.get("network")}
    single["builder"] = inputs.get("builder", {}).get("name")
    # As pulumi-docker-build: a manifest with provenance would have another digest.
    arguments = ["--provenance=false"]
    arguments += [f"--{flag}={value}" for flag, value in single.items() if value]
    arguments += [f"--{flag}" for flag, key in flags.items() if inputs.get(key)]
    arguments += [f"--{flag}={item}" for flag, key in lists.items() for item in inputs.get(key, [])]
    arguments += [
        f"--{flag}={name}={value}"
        for flag, key in pairs.items()
        for name, value in inputs.get(key, {}).items()
    ]
    for name, location in inputs["context"].get("named", {}).items():
        arguments.append(f"--build-context={name}={location['location']}")
    for name, variable in _secret_variables(inputs).items():
        arguments.append(f"--secret=id={name},env={variable}")
    for agent in inputs.get("ssh", []):
        paths = ",".join(agent.get("paths", []))
        arguments.append(f"--ssh={agent['id']}={paths}" if paths else f"--ssh={agent['id']}")
    for key, flag in {"cacheFrom": "cache-from", "cacheTo": "cache-to"}.items():
        arguments += [f"--{flag}={entry}" for entry in _entries(inputs, key)]
    exports = _entries(inputs, "exports")
    exports += ["type=registry"] if inputs.get("push") else []
    exports += ["type=docker"] if inputs.get("load") else []
    arguments += [f"--output={entry if push else _unpushed(entry)}" for entry in exports]
    dockerfile = inputs["dockerfile"].get("location")
    if inline := inputs["dockerfile"].get("inline"):
        dockerfile = str(folder / "Dockerfile")
        Path(dockerfile).write_text(inline)
    arguments += [f"--file={dockerfile}"] if dockerfile else []
    return [*arguments, inputs["context"]["location"]]


def entry_text(key: str, entry: Properties) -> str:
    """A cache or export entry as buildx takes it, e.g. `type=registry,ref=…,mode=max`."""
    if entry.get("disabled"):
        return ""
    if raw := entry.get("raw"):
        return raw
    kind = next(kind for kind in ENTRIES[key] if entry.get(kind) is not None)
    attributes = dict(entry[kind])
    if not attributes.get("compressionLevel"):
        # Without a level pulumi-docker-build leaves the compression to the builder's default.
        for name in COMPRESSION:
            attributes.pop(name, None)
    fields = [f"type={kind}"]
    for name, value in attributes.items():
        match value:
            case bool():
                fields.append(f"{_attribute(name)}={str(value).lower()}")
            case dict():  # annotations
                fields += [f"annotation.{item}={value[item]}" for item in sorted(value)]
            case list():  # names
                fields += [f"name={item}" for item in value]
            case _ if value not in ("", None):
                fields.append(f"{_attribute(name)}={value}")
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()


def failure(lines: list[str]) -> str:
    """What went wrong, out of buildx's output: its error, then the failing step and its lines.

    Not buildx's own excerpt of the step, which mixes up lines that the step wrote in pieces.
    """
    told = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")][-1:]
    numbers = [found[1] for line in lines if (found := re.match(r"#(\d+) ERROR: ", line))]
    if numbers:
        prefix = f"#{numbers[-1]} "
        step = [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]
        written = [found[1] for line in step if (found := re.match(r"\d+\.\d+ (.*)", line))]
        told += [step[0], *written[-_STEP_LINES:]]
    if "------" in lines:
        excerpt = lines[len(lines) - lines[::-1].index("------") :]
        told += [line for line in excerpt if not line.startswith(("---", "ERROR:", "WARNING:"))]
    if any("no space left on device" in line for line in lines):
        told.append("The builder's disk is full: `buildx prune` frees its cache.")
    return "\n".join(told or lines[-_STEP_LINES:]) or "buildx failed without a word"


def credentials(inputs: Properties) -> dict[str, Any]:
    """Docker's config with the registries of the inputs added, which win over what it held."""
    file = _docker_config() / "config.json"
    config = json.loads(file.read_text()) if file.exists() else {}
    auths = config.setdefault("auths", {})
    helpers = config.setdefault("credHelpers", {})
    if store := config.pop("credsStore", None):
        # A store would be asked before `auths`, for every registry; so it is named for each.
        helpers |= {host: store for host in auths if host not in helpers}
    for registry in inputs.get("registries", []):
        host = re.sub(r"^https?://", "", registry["address"]).split("/")[0]
        host = _DOCKER_HUB if host.removeprefix("index.") == "docker.io" else host
        login = f"{registry.get('username', '')}:{registry.get('password', '')}"
        auths[host] = {"auth": base64.b64encode(login.encode()).decode()}
        helpers.pop(host, None)
    return config


def login(host: str, inputs: Properties) -> str:
    """`user:password` for a registry, or "" where there is none, or only a helper knows it."""
    auth = credentials(inputs)["auths"].get(host, {}).get("auth", "")
    return base64.b64decode(auth).decode()


@contextmanager
def _workspace(inputs: Properties) -> Iterator[tuple[Path, dict[str, str]]]:
    """A private folder that ends with the command, and the command's environment."""
    with tempfile.TemporaryDirectory(prefix="docker-build-") as name:
        folder, environment = Path(name), dict(os.environ)
        for secret, variable in _secret_variables(inputs).items():
            environment[variable] = inputs["secrets"][secret]
        if inputs.get("registries"):
            (folder / "config.json").write_text(json.dumps(credentials(inputs)))
            for shared in ("contexts", "cli-plugins"):
                (folder / shared).symlink_to(_docker_config() / shared)
            environment.setdefault("BUILDX_CONFIG", str(_docker_config() / "buildx"))
            environment["DOCKER_CONFIG"] = name
        yield folder, environment


def _docker_config() -> Path:
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker").absolute()


def _buildx() -> list[str]:
    if shutil.which("buildx"):
        return ["buildx"]
    if shutil.which("docker"):
        return ["docker", "buildx"]
    raise PluginError("neither buildx nor docker is on PATH")


def _secret_variables(inputs: Properties) -> dict[str, str]:
    return {name: f"BUILD_SECRET_{i}" for i, name in enumerate(sorted(inputs.get("secrets", {})))}


def _entries(inputs: Properties, key: str) -> list[str]:
    return [text for entry in inputs.get(key, []) if (text := entry_text(key, entry))]


def _attribute(name: str) -> str:
    if name == "ociMediaTypes":
        return "oci-mediatypes"
    return re.sub(r"(?=[A-Z])", "-", name).lower()


def _unpushed(export: str) -> str:
    if not re.search(r"\btype=(registry|image)\b", export):
        return export
    fields = next(csv.reader([export]))
    kept = [field for field in fields if not field.startswith(("type=", "push="))]
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(["type=image", *kept, "push=false"])
    return line.getvalue()


def _hider(inputs: Properties) -> Callable[[str], str]:
    values = [*inputs.get("secrets", {}).values()]
    values += [registry.get("password") for registry in inputs.get("registries", [])]
    # The output is masked a line at a time, so of a value with several lines each is a secret.
    lines = [line.strip() for value in values for line in (value or "").splitlines()]
    texts = {text for text in values if text}
    texts |= {line for line in lines if len(line) >= _SHORTEST_LINE}
    hidden = [re.escape(text) for text in texts]
    if not hidden:
        return lambda line: line
    pattern = re.compile("|".join(sorted(hidden, key=len, reverse=True)))
    return lambda line: pattern.sub("[secret]", line)
