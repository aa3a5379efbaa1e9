"""Files that run a stack on hosts without Kubernetes."""

import json
import re
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands.errors import BAD_INPUT
from commands.host.environment import expand
from settings.project import project_name
from tests.unit.commands.host.conftest import WriteHost
from tests.unit.stacks import DIGEST, HELLO, OTHER_DIGEST

STACK = f"{project_name()}-test"
"""Prefix of the names of the stack on a host."""

SECRET = {"secure": "v1:nonce:ciphertext"}
CANARY = {
    "strategy": "canary",
    "canary": {"version": "1.1.0", "digest": OTHER_DIGEST, "weight": 10},
}
BLUE_GREEN = {
    "strategy": "blueGreen",
    "idle": {"version": "1.1.0", "digest": OTHER_DIGEST},
    "blueGreen": {"live": "green", "previewHost": "preview.localhost"},
}
TWO_HOSTS = {"web-1": "10.0.0.11", "web-2": "10.0.0.12"}


def unit(out: Path, name: str) -> RawConfigParser:
    """A unit of the stack; of a key with several values, the last."""
    parser = RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment]
    parser.read_string((out / f"hosts/host-1/systemd/{STACK}.{name}").read_text())
    return parser


def instances(out: Path, host: str = "host-1") -> dict[str, Any]:
    """Instances by their name without the prefix."""
    listed = json.loads((out / f"hosts/{host}/release.json").read_text())["instances"]
    return {one["name"].removeprefix(f"{STACK}."): one for one in listed}


def nginx(out: Path) -> str:
    return (out / "balancer/slipway.conf").read_text()


def upstream(out: Path, name: str) -> list[str]:
    """Servers of an upstream of the stack."""
    found = re.search(rf"^upstream {STACK}.{name} {{\n(.*?)^}}", nginx(out), re.M | re.S)
    assert found, nginx(out)
    return re.findall(r"server ([^;]+);", found[1])


def test_a_unit_runs_the_image_with_the_settings_of_the_pod(
    write_host: WriteHost, out: Path
) -> None:
    limits = {"cpu": "1500m", "memory": "512Mi"}
    resources = {"limits": limits, "requests": {"cpu": "200m", "memory": "64Mi"}}
    assert write_host(workload={"resources": resources}, args=["--at=$(POD_NAME)", "50%"]) == 0
    service = unit(out, "beacon-stable@.service")["Service"]
    assert service["RootDirectory"] == f"/var/lib/slipway/images/beacon/{'a' * 12}/rootfs"
    assert service["ExecStart"] == "/app --at=${POD_NAME} 50%%"
    assert (service["User"], service["ProtectSystem"]) == ("65532", "strict")
    assert (service["CPUQuota"], service["CPUWeight"]) == ("150%", "20")
    assert (service["MemoryMax"], service["MemoryLow"]) == (str(512 * 2**20), str(64 * 2**20))
    assert service["TimeoutStopSec"] == "30"
    text = (out / f"hosts/host-1/etc/instances/{STACK}.beacon-stable-2.env").read_text()
    assert 'POD_NAME="beacon-stable-host-1-2"' in text
    assert 'TRACK="stable"' in text
    assert 'GOMAXPROCS="2"' in text


def test_an_instance_is_started_when_its_probes_succeed(write_host: WriteHost, out: Path) -> None:
    probes = {
        "startup": {"httpGet": {"path": "/healthz"}},
        "readiness": {"grpc": {"port": "http", "service": "shop"}, "periodSeconds": 3},
        "liveness": {"exec": {"command": ["/app", "alive"]}},
    }
    assert write_host(probes=probes) == 0
    text = (out / f"hosts/host-1/systemd/{STACK}.beacon-stable@.service").read_text()
    first, second = re.findall(r"ExecStartPost=(.*)", text)
    assert first.endswith("-period=1s -failures=60 http://127.0.0.1:8080/healthz")
    assert second.endswith("-period=3s -failures=100 grpc://127.0.0.1:8080/shop")
    liveness = unit(out, "beacon-stable-liveness@.service")
    assert liveness["Service"]["ExecStart"].endswith("exec /app alive")
    assert liveness["Unit"]["OnFailure"] == f"slipway-restart@{STACK}.beacon-stable@%i.service"


@pytest.mark.parametrize(
    ("command", "start"),
    [
        ("/bin/app", "/bin/app"),
        ("./app", "/srv/app"),
        ("../bin/app", "/bin/app"),
        ("app", "app"),
        ("/$(TRACK)/my app", '"/stable/my app"'),
    ],
)
def test_systemd_starts_the_program_that_a_container_runtime_would(
    write_host: WriteHost, out: Path, command: str, start: str
) -> None:
    assert write_host(command=[command], args=["$$(TRACK)", "$(TRACK)", "$HOME"]) == 0
    service = unit(out, "beacon-stable@.service")["Service"]
    assert service["ExecStart"] == f'{start} "$$(TRACK)" ${{TRACK}} $$HOME'
    assert service.get("ExecSearchPath") == ("/opt/bin:/bin" if command == "app" else None)


@pytest.mark.parametrize(("source", "denied"), [(HELLO, "yes"), ("app", "no"), (None, "no")])
def test_a_program_that_may_compile_its_code_at_run_time_may_execute_its_memory(
    write_host: WriteHost, out: Path, source: str | None, denied: str
) -> None:
    assert write_host(source=source) == 0
    service = unit(out, "beacon-stable@.service")["Service"]
    assert service["MemoryDenyWriteExecute"] == denied


@pytest.mark.parametrize("runtime", ["systemd", "compose", "supervisor"])
def test_the_names_of_two_stacks_on_a_host_are_different(
    write_host: WriteHost, out: Path, runtime: str
) -> None:
    def names(stack: str) -> set[str]:
        routing = {"tls": {"mode": "existing", "existing": {"secretName": "tls"}}}
        host = {"runtime": runtime}
        assert write_host(stack, host=host, routing=routing, secrets={"token": SECRET}) == 0
        release = json.loads((out / "hosts/host-1/release.json").read_text())
        texts = "".join(path.read_text() for path in out.glob("hosts/host-1/etc/**/*.nft"))
        found = re.findall(r"unix:[^ ;]+|/etc/slipway/[^ ;]+|^upstream \S+", nginx(out), re.M)
        found += re.findall(r"^table .*{", texts, re.M)
        files = {file for file in release["files"] if "slipway-restart@" not in file}
        return {*found, *files, *(one["name"] for one in release["instances"])}

    assert not names("one") & names("two")
    assert not names("A.b") & names("a-b")


@pytest.mark.parametrize("runtime", ["systemd", "compose", "supervisor"])
def test_secrets_are_files_that_the_operator_supplies(
    write_host: WriteHost, out: Path, runtime: str
) -> None:
    assert write_host(host={"runtime": runtime}, secrets={"token": SECRET}) == 0
    files = [path for path in out.rglob("*.*") if path.is_file()]
    texts = [path.read_text() for path in files]
    assert not [text for text in texts if "ciphertext" in text or "(encrypted)" in text]
    variables = yaml.safe_load((out / "inventory.yaml").read_text())["all"]["vars"]
    assert variables["slipway_secrets"] == ["beacon/token"]
    source = f"/etc/slipway/{STACK}/secrets/beacon/token"
    match runtime:
        case "systemd":
            service = unit(out, "beacon-stable@.service")["Service"]
            assert service["LoadCredential"] == f"token:{source}"
        case "compose":
            compose = yaml.safe_load((out / "hosts/host-1/compose/compose.yaml").read_text())
            assert compose["secrets"] == {"beacon.token": {"file": source}}
        case _:
            mounts = bundle(out, "beacon-stable-1")["mounts"]
            assert {"/run/secrets/beacon/token": source}.items() <= {
                one["destination"]: one["source"] for one in mounts
            }.items()


def bundle(out: Path, name: str) -> Any:
    return json.loads((out / f"hosts/host-1/etc/instances/{STACK}.{name}/config.json").read_text())


def test_secret_variables_are_read_from_a_file_of_the_operator(
    write_host: WriteHost, out: Path
) -> None:
    env = {"PASSWORD": {"secret": SECRET}, "LEVEL": "info"}
    assert write_host(env=env) == 0
    text = (out / f"hosts/host-1/systemd/{STACK}.beacon-stable@.service").read_text()
    assert f"EnvironmentFile=/etc/slipway/{STACK}/secrets/beacon.env" in text
    values = (out / f"hosts/host-1/etc/instances/{STACK}.beacon-stable-1.env").read_text()
    assert "PASSWORD" not in values


def test_a_container_is_as_restricted_as_a_pod(write_host: WriteHost, out: Path) -> None:
    host = {"runtime": "compose", "hosts": TWO_HOSTS}
    assert write_host(host=host, release=CANARY, env={"PRICE": "$5"}) == 0
    text = (out / "hosts/web-2/compose/compose.yaml").read_text()
    services = yaml.safe_load(text)["services"]
    assert [*services] == [
        f"{STACK}.beacon-{one}" for one in ("stable-1", "stable-2", "canary-1", "canary-2")
    ]
    canary = services[f"{STACK}.beacon-canary-2"]
    assert canary["image"] == f"localhost:5000/slipway/beacon:1.1.0@{OTHER_DIGEST}"
    assert canary["user"] == "65532:65532"
    assert (canary["read_only"], canary["cap_drop"]) == (True, ["ALL"])
    assert (canary["cpus"], canary["mem_limit"]) == (0.5, 512 * 2**20)
    assert canary["restart"] == "always"
    assert canary["healthcheck"]["test"][:3] == ["CMD", "/.slipway/probe", "check"]
    assert canary["environment"]["PRICE"] == "$$5"
    published = [port for one in services.values() for port in one["ports"]]
    assert published[0] == "10.0.0.12:18010:8080"
    assert len(set(published)) == len(published)


def test_supervisor_runs_a_container_as_restricted_as_a_pod(
    write_host: WriteHost, out: Path
) -> None:
    assert write_host(host={"runtime": "supervisor"}) == 0
    config = bundle(out, "beacon-stable-1")
    assert config["process"]["args"] == ["/app", "--serve"]
    assert config["process"]["user"]["uid"] == 65532
    assert config["root"]["readonly"] is True
    assert config["linux"]["resources"]["memory"]["limit"] == 512 * 2**20
    program = RawConfigParser(interpolation=None)
    name = f"{STACK}.beacon-stable-1"
    program.read_string((out / f"hosts/host-1/supervisor/{name}.conf").read_text())
    section = program[f"program:{name}"]
    assert (section["autorestart"], section["stopwaitsecs"]) == ("true", "30")


def test_the_weights_are_those_of_the_tracks_whatever_the_number_of_instances(
    write_host: WriteHost, out: Path
) -> None:
    host = {"hosts": TWO_HOSTS, "instances": 3}
    assert write_host(host=host, release=CANARY) == 0
    stable, canary = upstream(out, "beacon.http")
    assert (
        stable
        == f"{upstream(out, 'beacon-stable.http.direct')[0].split()[0]} weight=90 max_fails=0"
    )
    assert (
        canary
        == f"{upstream(out, 'beacon-canary.http.direct')[0].split()[0]} weight=10 max_fails=0"
    )
    servers = [
        server["line"]
        for host in TWO_HOSTS
        for one in instances(out, host).values()
        for server in one["servers"]
    ]
    addresses = [line.split()[1] for line in servers]
    assert len(set(addresses)) == 2 * 2 * 3
    assert "10.0.0.11:18010" in addresses
    assert f'"~^always/" {STACK}.beacon-canary.http.direct;' in nginx(out)


def test_a_host_with_another_name_has_the_same_files_in_nginx(
    write_host: WriteHost, out: Path
) -> None:
    names: list[list[str]] = []
    for host in ("web-1", "web-2"):
        write_host(host={"hosts": {host: "10.0.0.11"}})
        servers = instances(out, host)["beacon-stable-1"]["servers"]
        names.append([server["file"] for server in servers])
    assert names[0] == names[1]


def test_the_live_color_gets_every_request_and_the_preview_host_the_other(
    write_host: WriteHost, out: Path
) -> None:
    assert write_host(release=BLUE_GREEN) == 0
    (live,) = upstream(out, "beacon.http")
    (green,) = upstream(out, "beacon-green.http.direct")
    assert live == f"{green.split()[0]} weight=100 max_fails=0"
    preview = nginx(out).partition("server_name preview.localhost;")[2]
    assert f"proxy_pass http://{STACK}.beacon-blue.http.direct;" in preview
    assert unit(out, "beacon-green@.service")["Unit"]["Description"].startswith("beacon 1.0.0")


def test_hosts_paths_timeouts_and_tls_are_those_of_the_routing(
    write_host: WriteHost, out: Path
) -> None:
    routing = {
        "hosts": ["a.example.com", "b.example.com"],
        "paths": ["/api"],
        "requestTimeoutSeconds": 7,
        "maxBodySize": "2Mi",
        "tls": {"mode": "existing", "existing": {"secretName": "tls"}},
    }
    assert write_host(routing=routing, host={"listenAddress": "127.0.0.1"}) == 0
    text = nginx(out)
    assert text.count("listen 127.0.0.1:443 ssl http2;") == 3
    assert f"ssl_certificate /etc/slipway/{STACK}/tls/beacon.crt;" in text
    assert "return 308 https://$host$request_uri;" in text
    assert "location /api/ {" in text
    assert "location = /api {" in text
    assert "location / {" not in text.partition("server_name a.example.com")[2]
    assert "proxy_read_timeout 7s;" in text
    assert f"client_max_body_size {2 * 2**20};" in text


def test_prometheus_scrapes_the_instances_with_the_labels_of_pods(
    write_host: WriteHost, out: Path
) -> None:
    metrics = {"port": "admin", "path": "/m"}
    ports = {"http": 8080, "admin": 9090}
    host = {"hosts": TWO_HOSTS, "instances": 1}
    assert write_host(host=host, release=CANARY, metrics=metrics, ports=ports) == 0
    (job,) = yaml.safe_load((out / "prometheus/scrape.yaml").read_text())["scrape_configs"]
    assert (job["job_name"], job["metrics_path"]) == ("services/beacon", "/m")
    targets = json.loads((out / "prometheus/beacon.json").read_text())
    assert [one["targets"] for one in targets] == [
        *(["10.0.0.11:18010"], ["10.0.0.12:18010"], ["10.0.0.11:18110"], ["10.0.0.12:18110"])
    ]
    assert targets[3]["labels"] == {
        "namespace": "beacon-test",
        "node": "web-2",
        "pod": "beacon-canary-web-2-1",
        "service": "beacon",
        "track": "canary",
        "version": "1.1.0",
    }


@pytest.mark.parametrize("runtime", ["systemd", "compose", "supervisor"])
@pytest.mark.parametrize(
    ("change", "restarted"),
    [
        ({"env": {"LEVEL": "debug"}}, True),
        ({"release": {"stable": {"digest": OTHER_DIGEST}}}, True),
        ({"config": {"message": "Hi"}}, True),
        ({"config": {"message": "Hi"}, "configFile": {"reload": "hot"}}, False),
        ({"routing": {"hosts": ["other.localhost"]}}, False),
    ],
)
def test_an_instance_is_restarted_when_what_it_was_started_with_changes(
    write_host: WriteHost, out: Path, runtime: str, change: dict[str, Any], restarted: bool
) -> None:
    base = {"host": {"runtime": runtime}, "config": {"message": "Hello"}}
    hot = {key: change[key] for key in ("configFile",) if key in change}
    write_host(**{**base, **hot})
    before = instances(out)["beacon-stable-1"]["checksum"]
    write_host(**{**base, **change})
    assert (instances(out)["beacon-stable-1"]["checksum"] != before) == restarted


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"release": {"stable": {"digest": None}}},
            "services.beacon.release.stable.digest is missing: `make publish` builds 1.0.0",
        ),
        (
            {"release": {"strategy": "progressive"}},
            'services.beacon.release.strategy is "progressive": use "rolling", "canary" or',
        ),
        ({"release": {"beforeStart": {"command": ["/x"]}}}, "release.beforeStart is not possible"),
        (
            {"sidecars": [{"name": "proxy", "image": f"example.com/proxy@{DIGEST}"}]},
            "services.beacon.sidecars is not possible",
        ),
        (
            {"envFrom": [{"secretRef": {"name": "database"}}]},
            "services.beacon.envFrom is not possible",
        ),
        (
            {"env": {"IP": {"fieldRef": {"fieldPath": "status.podIP"}}}},
            "services.beacon.env.IP is not possible",
        ),
        (
            {"volumes": {"data": {"mountPath": "/d", "configMap": {"name": "data"}}}},
            "services.beacon.volumes.data is not possible: use emptyDir",
        ),
        (
            {"host": {"runtime": "supervisor"}, "env": {"P": {"secret": SECRET}}},
            "services.beacon.env.P is a variable: Supervisor cannot read it from a file",
        ),
        (
            {
                "host": {"runtime": "supervisor"},
                "probes": {"readiness": {"exec": {"command": ["/x"]}}},
            },
            "services.beacon.probes.readiness.exec is not possible with Supervisor",
        ),
        (
            {"routing": {"protocol": "h2c"}},
            'services.beacon.routing.protocol is "h2c": nginx needs routing.tls',
        ),
        (
            {"routing": {"canaryOverride": {"header": "X_Canary"}}},
            'canaryOverride.header is "X_Canary": nginx ignores names with an underscore',
        ),
        (
            {"services": {"cart": {"source": "tests/cluster/services/shop", "release": {}}}},
            "services.cart.release.stable is missing",
        ),
        (
            {"host": {"hosts": {"a": "10.0.0.1", "b": "127.0.0.1"}}},
            'slipway:host.hosts.b is "127.0.0.1": use an address that the other hosts can reach',
        ),
        (
            {"host": {"hosts": {"a": "10.0.0.1", "b": "10.0.0.1"}}},
            'slipway:host.hosts.b is "10.0.0.1": use another address than that of a',
        ),
        (
            {"host": {"hosts": {"balancer": "10.0.0.1"}, "balancer": "10.0.0.3"}},
            'slipway:host.hosts is "balancer": use another name: the host with nginx alone',
        ),
        (
            {"host": {"firstPorts": {"a": 18000, "b": 18100}}},
            "slipway:host.firstPorts.b is 18100: use a port 200 or more from that of a, 18000",
        ),
        (
            {"host": {"firstPorts": {"cart": 18000}}},
            'slipway:host.firstPorts is "cart": use a name in services: beacon',
        ),
        (
            {"host": {"firstPorts": {"beacon": 18005}}},
            "firstPorts.beacon is 18005: use an integer from 1024 to 65335, a multiple of 10",
        ),
    ],
)
def test_what_cannot_run_on_a_host_is_refused_by_its_key_and_nothing_is_written(
    write_host: WriteHost,
    out: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    message: str,
) -> None:
    assert write_host(**changes) == BAD_INPUT
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_several_services_need_published_ports_of_their_own(
    write_host: WriteHost, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cart = {"release": {"stable": {"version": "1.0.0", "digest": DIGEST}}, "slo": None}
    stack = {"services": {"cart": cart}}
    assert write_host(**stack) == BAD_INPUT
    assert "slipway:host.firstPorts.cart is missing: use a port" in capsys.readouterr().err
    assert write_host(**stack, host={"firstPorts": {"beacon": 18000, "cart": 18200}}) == 0
    addresses = [
        (out / f"hosts/host-1/etc/instances/{STACK}.{name}.network").read_text()
        for name in instances(out)
    ]
    assert len(set(addresses)) == 4


def test_keys_that_have_no_meaning_on_a_host_are_listed(
    write_host: WriteHost, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert write_host(autoscaling={"maxReplicas": 5}, secrets={"token": SECRET}) == 0
    printed = capsys.readouterr().out
    text = (out / "not-applied.txt").read_text()
    for message in (
        "slipway:services.beacon.autoscaling: there is no HorizontalPodAutoscaler",
        "slipway:services.beacon.secrets.token.value: no value is written",
        "slipway:services.beacon.tracing: no traces are exported without host.otlpEndpoint",
    ):
        assert f"not applied: {message}" in printed
        assert message in text
    assert "workload.scheduling" not in text, "it is not in the stack file"


def test_files_of_an_earlier_release_are_removed_and_those_of_others_are_kept(
    write_host: WriteHost, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_host(release=CANARY)
    unit_file = out / f"hosts/host-1/systemd/{STACK}.beacon-canary@.service"
    assert unit_file.exists()
    write_host()
    assert not unit_file.exists()
    (out / "hosts/host-1/notes.txt").write_text("mine")
    assert write_host() == BAD_INPUT
    assert "files that were not rendered (hosts/host-1/notes.txt)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expanded"),
    [("$(A)/b", "1/b"), ("$$(A)", "$(A)"), ("$(UNKNOWN)", "$(UNKNOWN)"), ("$A", "$A")],
)
def test_variables_are_replaced_as_by_kubernetes(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1"}) == expanded
