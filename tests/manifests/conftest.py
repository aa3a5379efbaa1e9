"""Rendered variants of the stacks, and the programs that check them."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

import render
from local import toolchain
from local.layout import Layout
from settings.source import working_tree_version
from settings.stack_file import PROJECT_FOLDER, path_of, read_config, stack_of
from settings.yaml_writer import to_yaml
from tests.prerequisites import CHECKERS
from tests.unit.stacks import OTHER_DIGEST, SERVICE_KEYS, changed

VERSION = working_tree_version("app")
SECRET = {"secure": "v1:nonce:ciphertext"}
CREDENTIALS = {"username": "robot", "password": SECRET}
CANARY = {
    "strategy": "canary",
    "stable": {"version": "0.9.0", "digest": OTHER_DIGEST},
    "canary": {"version": VERSION, "weight": 10},
}
PROGRESSIVE = {
    "strategy": "progressive",
    "stable": {"version": VERSION},
    "progressive": {
        "stepWeight": 20,
        "maxWeight": 50,
        "promotionStepWeight": 25,
        "manual": ["rollout", "promotion"],
        "load": {"requestsPerSecond": 25, "path": "/api"},
        "gates": {
            "cpu": 90,
            "memory": 90,
            "queries": [{"name": "queue", "query": "max(queue_length{$selector})", "max": 100}],
        },
    },
}
AB_TEST = {
    "strategy": "progressive",
    "stable": {"version": VERSION, "analysis": False},
    "progressive": {"iterations": 3, "match": {"header": "X-Beta", "cookie": "beta"}},
}
BUNDLED = {"mode": "bundled"}
BLUE_GREEN = {
    "strategy": "blueGreen",
    "stable": {"version": VERSION},
    "idle": {
        "version": "0.9.0",
        "digest": OTHER_DIGEST,
        "wasLive": True,
        "settings": {
            "ports": {"http": 8080, "admin": 9090},
            "probes": {
                "liveness": {"httpGet": {"path": "/healthz"}},
                "readiness": {"httpGet": {"path": "/ready"}},
            },
        },
    },
    "blueGreen": {"live": "green", "previewHost": "next.example.com", "gateSeconds": 60},
}
RECEIVERS: dict[str, Any] = {
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
"""All receivers of alerts and logs."""
LOG_PIPELINE = {
    "mode": "bundled",
    "logs": {"transport": "kafka", **RECEIVERS["logs"]},
}
"""Log lines reach Loki and Elasticsearch through Kafka."""
OPERATOR = {
    "mode": "operator",
    "operator": {
        "otlpEndpoint": "http://collector.tracing:4318",
        "lokiUrl": "http://loki.logs:3100",
        "jaegerUrl": "http://jaeger.tracing:16686",
    },
}

NO_TLS = {"mode": "off"}
MESH = {
    "mesh": {"istio": {}},
    "network": {"proxyNamespace": "istio-ingress"},
    "observability": {"mode": "bundled", "proxy": {"implementation": "istio"}},
    "routing": {"backend": "istio", "paths": ["/api", "/web"], "tls": NO_TLS},
}
"""Istio's routing and sidecars."""

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "dev": ("dev", {}),
    "prod": ("prod", {}),
    "prod-canary": ("prod", {"release": CANARY}),
    "prod-blue-green": ("prod", {"release": BLUE_GREEN}),
    "prod-gateway": ("prod", {"release": CANARY, "routing": {"backend": "gateway", "tls": NO_TLS}}),
    "prod-credentials": ("prod", {"registry": {"credentials": CREDENTIALS}}),
    "prod-receivers": ("prod", {"observability": RECEIVERS}),
    "prod-log-pipeline": ("prod", {"observability": LOG_PIPELINE}),
    "prod-operator": ("prod", {"observability": OPERATOR}),
    "prod-progressive": ("prod", {"release": PROGRESSIVE, "observability": BUNDLED}),
    "prod-progressive-gateway": (
        "prod",
        {
            "release": AB_TEST,
            "observability": OPERATOR,
            "routing": {"backend": "gateway", "paths": ["/api", "/web"], "tls": NO_TLS},
        },
    ),
    "prod-tls": (
        "prod",
        {
            "release": CANARY,
            "routing": {"tls": {"mode": "selfSigned"}, "hosts": ["a.example.com", "b.example.com"]},
        },
    ),
    "prod-tls-gateway": (
        "prod",
        {
            "release": BLUE_GREEN,
            "routing": {
                "backend": "gateway",
                "gateway": {"sectionName": "web"},
                "tls": {"mode": "selfSigned", "hstsSeconds": 31_536_000},
            },
        },
    ),
    "prod-acme": (
        "prod",
        {
            "routing": {"hosts": ["a.example.com", "*.example.com"], "tls": {"mode": "acme"}},
            "certManager": {
                "acme": {
                    "email": "team@example.com",
                    "dns01": {"cloudflare": {"apiToken": {"name": "cloudflare", "key": "token"}}},
                },
            },
        },
    ),
    "prod-acme-gateway": (
        "prod",
        {
            "routing": {
                "backend": "gateway",
                "gateway": {"sectionName": "web"},
                "hosts": ["a.example.com", "*.example.com"],
                "tls": {"mode": "acme"},
            },
            "certManager": {
                "acme": {
                    "email": "team@example.com",
                    "dns01": {
                        "route53": {
                            "region": "eu-central-1",
                            "hostedZoneId": "Z2FDTNDATAQYW2",
                            "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
                            "secretAccessKey": {"name": "route53", "key": "secret-access-key"},
                        }
                    },
                },
            },
        },
    ),
    "prod-progressive-tls": (
        "prod",
        {
            "release": AB_TEST,
            "observability": OPERATOR,
            "routing": {
                "backend": "gateway",
                "gateway": {"sectionName": "web", "className": "traefik", "tlsPort": 8443},
                "tls": {"mode": "selfSigned", "hstsSeconds": 3600},
            },
        },
    ),
    "prod-istio": ("prod", {"release": CANARY, **MESH}),
    "prod-istio-progressive": (
        "prod",
        {
            "release": PROGRESSIVE,
            **MESH,
            "observability": {"mode": "bundled", "proxy": {"implementation": "istio-sidecar"}},
            "slo": {"source": "proxy"},
        },
    ),
    "dev-no-observability": ("dev", {"observability": {"mode": "off"}, "slo": None}),
}
"""Stack and changed settings of each variant."""
STACK_FILES = [] if VERSION else sorted(PROJECT_FOLDER.glob("Pulumi.*.yaml"))
"""Stack files to check in a project without the example, instead of the variants."""
CONTRACT = Path(__file__).parent / "contract" / "Pulumi.contract.yaml"
"""Stack file whose services use every key of a service."""

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Variant = Callable[[str], Path]


def free_port() -> int:
    """Return a TCP port of the loopback address that no process listens on."""
    with socket.socket() as any_socket:
        any_socket.bind(("127.0.0.1", 0))
        return any_socket.getsockname()[1]


def run(
    *command: str | Path, cwd: Path = PROJECT_FOLDER, env: Mapping[str, str] = os.environ
) -> Any:
    """Run a program; the test checks its output and exit code."""
    return subprocess.run(
        command,
        cwd=cwd,
        # A program in Go needs a third less CPU time if it collects garbage less often.
        env={"GOGC": "400", **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def stack_file(folder: Path, stack: str, changes: dict[str, Any]) -> Path:
    """Write a stack file with changed settings; a section that is None is removed.

    Keys of a service, such as ``release``, are those of the service beacon.
    """
    of_stack = {f"slipway:{key}": one for key, one in changes.items() if key not in SERVICE_KEYS}
    of_service = {key: value for key, value in changes.items() if key in SERVICE_KEYS}
    beacon = {"slipway:services": {"beacon": of_service}}
    config = changed(changed(read_config(path_of(stack)), of_stack), beacon)
    services = config["slipway:services"]
    services["beacon"] = {key: one for key, one in services["beacon"].items() if one is not None}
    for track in ("stable", "canary"):
        released = services["beacon"]["release"].get(track)
        # The stack file may have a version that the working tree does not build.
        if released and "digest" not in released:
            released["version"] = VERSION
    kept = {key: value for key, value in config.items() if value is not None}
    file = folder / f"Pulumi.{stack}.yaml"
    file.write_text(to_yaml({"config": kept}))
    return file


@cache
def read(text: str) -> Any:
    """Read a manifest. The C loader is ten times as fast; the dashboards are long.

    Tests must not change it: most variants have the same objects.
    """
    return yaml.load(text, Loader=yaml.CSafeLoader)


@cache
def objects(folder: Path) -> Mapping[Path, Any]:
    """Objects of rendered manifests by their file."""
    return {file: read(file.read_text()) for file in sorted(folder.glob("*.yaml"))}


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Temporary folder of all workers. What is moved there is complete."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def variant(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Variant:
    """Renders a variant; returns the folder of its manifests."""

    def folder(name: str) -> Path:
        rendered = shared / f"variant-{name}"
        if not rendered.exists():
            folder = tmp_path_factory.mktemp(name)
            others = {"contract": CONTRACT, **{stack_of(one): one for one in STACK_FILES}}
            file = others.get(name) or stack_file(folder, *VARIANTS[name])
            render.write(render.manifests_of(str(file)), folder / "out")
            with suppress(OSError):  # another worker was faster
                (folder / "out").rename(rendered)
        return rendered

    return folder


@pytest.fixture(params=["contract", *(VARIANTS if VERSION else map(stack_of, STACK_FILES))])
def rendered(request: pytest.FixtureRequest, variant: Variant) -> Path:
    """Folder of the manifests of each variant."""
    return variant(request.param)


@pytest.fixture(scope="session")
def go() -> Run:
    """Runs Go, which is installed if it is missing."""
    layout = Layout()
    go = toolchain.find(layout) or toolchain.install(layout)
    return lambda *arguments, cwd: run(go.command, *arguments, cwd=cwd, env=go.variables(layout))


@pytest.fixture(scope="session")
def checkers() -> Path:
    """Folder of the programs that check the manifests, which are built if they are missing."""
    built = run(sys.executable, "-m", "local", "build", *CHECKERS)
    assert built.returncode == 0, built.stderr
    return Layout().bin


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Path of promtool, which is built if it is missing."""
    built = run(sys.executable, "-m", "local", "build", "promtool")
    assert built.returncode == 0, built.stderr
    return Layout().bin / "promtool"


@pytest.fixture(scope="session")
def istioctl() -> Path:
    """Path of istioctl, which is built if it is missing."""
    built = run(sys.executable, "-m", "local", "build", "istioctl")
    assert built.returncode == 0, built.stderr
    return Layout().bin / "istioctl"


@pytest.fixture(scope="session")
def podsecurity(go: Run, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Program that runs the Pod Security checks of Kubernetes."""
    program = shared / "podsecurity"
    if not program.exists():
        own = tmp_path_factory.mktemp("podsecurity") / "podsecurity"
        source = PROJECT_FOLDER / "tests" / "manifests" / "podsecurity"
        built = go("build", "-o", own, ".", cwd=source)
        assert built.returncode == 0, built.stderr
        own.rename(program)
    return program
