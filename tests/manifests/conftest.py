"""Stacks to render, and the outside checkers that read what comes out."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from commands.stack_lock import hold_lock
from components.versions import PROMETHEUS_OPERATOR
from local import toolchain
from local.layout import Layout
from local.recipes import PLATFORM
from settings.yaml_writer import to_yaml
from tests.manifests.openapi import write_schemas
from tests.prerequisites import CHECKERS
from tests.unit.stacks import OTHER_DIGEST, changed

PROJECT = Path(__file__).resolve().parents[2]
VERSION = (PROJECT / "app" / "VERSION").read_text().strip()
LOGIN = {"username": "robot", "password": {"secure": "v1:nonce:ciphertext"}}
CANARY = {
    "strategy": "canary",
    "stable": {"version": "0.9.0", "digest": OTHER_DIGEST},
    "canary": {"version": VERSION, "weight": 10},
}

SECRET = {"secure": "v1:nonce:url-ciphertext"}
TOLD = {
    "mode": "bundled",
    "alerts": {
        "page": {"webhook": SECRET, "slack": SECRET},
        "ticket": {"webhook": SECRET, "slack": SECRET},
        "heartbeat": SECRET,
    },
    "logs": {
        "kafka": {"brokers": ["kafka.queue:9092"]},
        "elasticsearch": {"url": "https://search.example.com", "apiKey": SECRET},
    },
}
"""Everybody who can be told something is."""
OPERATOR = {
    "mode": "operator",
    "operator": {
        "otlpEndpoint": "http://collector.tracing:4318",
        "lokiUrl": "http://loki.logs:3100",
        "jaegerUrl": "http://jaeger.tracing:16686",
    },
}
"""The cluster has all that the stack can make use of."""
_OPERATOR_KINDS = ("podmonitors", "prometheusrules")

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "dev": ("dev", {}),
    "prod": ("prod", {}),
    "prod-canary": ("prod", {"release": CANARY}),
    "prod-gateway": ("prod", {"release": CANARY, "routing": {"backend": "gateway"}}),
    "prod-login": ("prod", {"image": {"credentials": LOGIN}}),
    "prod-told": ("prod", {"observability": TOLD}),
    "prod-operator": ("prod", {"observability": OPERATOR}),
    "dev-unwatched": ("dev", {"observability": {"mode": "off"}, "slo": None}),
}
"""Name of a rendering: the stack that it starts from, and what is different."""

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Variant = Callable[[str], Path]
Shared = Callable[[str, Callable[[Path], None]], Path]


def run(*command: str | Path, cwd: Path = PROJECT, **options: Any) -> Any:
    """Run a checker; its output and exit code are the test's."""
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, timeout=900, **options
    )


def render(stack: str | Path, out: Path) -> Any:
    """Render as a person does, in a process of its own."""
    return run(sys.executable, "render.py", "--stack", str(stack), "--out", out)


def stack_file(folder: Path, stack: str, changes: dict[str, Any]) -> Path:
    """A copy of a stack's file with changes."""
    yaml = YAML(typ="safe", pure=True)
    document = yaml.load((PROJECT / f"Pulumi.{stack}.yaml").read_text())
    prefixed = {f"slipway:{section}": value for section, value in changes.items()}
    config = changed(document["config"], prefixed)
    for track in ("stable", "canary"):
        released = config["slipway:release"].get(track)
        # A canary of another stack may have moved the version that the working tree builds.
        if released and "digest" not in released:
            released["version"] = VERSION
    # A section that is taken out altogether.
    document["config"] = {key: value for key, value in config.items() if value is not None}
    file = folder / f"Pulumi.{stack}.yaml"
    file.write_text(to_yaml(document, sort_keys=False))
    return file


@pytest.fixture(scope="session")
def shared(worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """A folder by its name: the first worker that asks for it fills it, the others wait."""
    base = tmp_path_factory.getbasetemp()
    root = (base if worker_id == "master" else base.parent) / "shared"

    def folder(name: str, fill: Callable[[Path], None]) -> Path:
        done, making = root / name, root / f"{name}.making"
        with hold_lock(name, root):
            if not done.exists():
                shutil.rmtree(making, ignore_errors=True)
                making.mkdir()
                fill(making)
                making.rename(done)
        return done

    return folder


@pytest.fixture(scope="session")
def variant(shared: Shared) -> Variant:
    """The folder that a variant was rendered to, by its name."""

    def folder(name: str) -> Path:
        def fill(making: Path) -> None:
            stack, changes = VARIANTS[name]
            result = render(stack_file(making, stack, changes), making / "out")
            assert result.returncode == 0, result.stderr

        return shared(name, fill) / "out"

    return folder


@pytest.fixture(params=VARIANTS)
def rendered(request: pytest.FixtureRequest, variant: Variant) -> Path:
    """The folder of each variant."""
    return variant(request.param)


@pytest.fixture(scope="session")
def go() -> Run:
    """Runs Go with the project's caches; installs it where the machine has none."""
    at = Layout()
    go = toolchain.find(at) or toolchain.install(at)
    return lambda *arguments, cwd: run(go.command, *arguments, cwd=cwd, env=go.variables(at))


@pytest.fixture(scope="session")
def checkers() -> Path:
    """The folder with all of them, built where they are missing."""
    built = run(sys.executable, "-m", "local", "build", *CHECKERS)
    assert built.returncode == 0, built.stderr
    return Layout().bin


@pytest.fixture(scope="session")
def podsecurity(go: Run, shared: Shared) -> Path:
    """The program in ``podsecurity/``."""

    def fill(folder: Path) -> None:
        source = PROJECT / "tests" / "manifests" / "podsecurity"
        built = go("build", "-o", folder / "podsecurity", ".", cwd=source)
        assert built.returncode == 0, built.stderr

    return shared("podsecurity", fill) / "podsecurity"


@pytest.fixture(scope="session")
def schemas(go: Run, shared: Shared) -> Path:
    """JSON schemas of Kubernetes, the Gateway API and the Prometheus operator, for kubeconform."""

    def source(folder: Path, module: str, version: str | None = None) -> Path:
        version = version or PLATFORM.version_of(module)
        # Outside the checkout: no go.mod there has a say.
        result = go("mod", "download", "-json", f"{module}@{version}", cwd=folder)
        assert result.returncode == 0, result.stdout + result.stderr
        return Path(json.loads(result.stdout)["Dir"])

    def fill(folder: Path) -> None:
        gateway = source(folder, "sigs.k8s.io/gateway-api")
        operator = source(
            folder, "github.com/prometheus-operator/prometheus-operator", f"v{PROMETHEUS_OPERATOR}"
        ).joinpath("example", "prometheus-operator-crd")
        write_schemas(
            source(folder, "k8s.io/kubernetes") / "api" / "openapi-spec" / "swagger.json",
            [
                *sorted((gateway / "config" / "crd" / "standard").glob("*.yaml")),
                *(operator / f"monitoring.coreos.com_{kind}.yaml" for kind in _OPERATOR_KINDS),
            ],
            folder,
        )

    return shared("schemas", fill)
