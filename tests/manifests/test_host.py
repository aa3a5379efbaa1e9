"""Files for hosts without Kubernetes, checked by nginx, systemd, Compose, nftables and Ansible."""

import os
import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands.host import __main__ as host
from commands.host.image_process import ImageProcess
from commands.host.nginx import SERVERS, SOCKETS, TLS
from commands.supply_chain.python_tool import python_tool
from local import debian
from local.layout import Layout
from settings.yaml_writer import to_yaml
from tests.manifests.conftest import free_port, run
from tests.unit.stacks import DIGEST, OTHER_DIGEST

PROGRAMS = {"nginx": "nginx", "nft": "nftables", "docker-compose": "docker-compose"}
"""Debian package of each program."""
SECRET = {"secure": "v1:nonce:ciphertext"}
PUBLISHED = {"version": "1.0.0", "digest": DIGEST}
HOST = {
    "hosts": {"web-1": "10.0.0.11", "web-2": "10.0.0.12"},
    "listenAddress": "127.0.0.1",
    "firstPorts": {"shop": 18_000, "chat": 18_200, "worker": 18_400},
}
SERVICES = {
    "shop": {
        "release": {
            "strategy": "canary",
            "stable": PUBLISHED,
            "canary": {"version": "1.1.0", "digest": OTHER_DIGEST, "weight": 10},
        },
        "ports": {"http": 80, "admin": 9090},
        "metrics": {"port": "admin"},
        "config": {"message": 'It\'s 5 $ & "50 %"'},
        "args": ["--name=$(POD_NAME)", "50% of $5", "it's"],
        "env": {"QUOTED": 'a "b" \\ $c `d`', "PASSWORD": {"secret": SECRET}},
        "secrets": {"token": SECRET},
        "volumes": {"cache": {"mountPath": "/var/cache/shop", "emptyDir": {}}},
        "routing": {"hosts": ["shop.localhost"], "paths": ["/", "/api"]},
    },
    "chat": {
        "release": {
            "strategy": "blueGreen",
            "stable": PUBLISHED,
            "idle": {"version": "1.1.0", "digest": OTHER_DIGEST},
            "blueGreen": {"previewHost": "next.localhost"},
        },
        "ports": {"http": 8080, "grpc": 9000},
        "probes": {"readiness": {"grpc": {}}},
        "peers": {"to": [{"host": "db.example.com", "ports": [5432]}]},
        "routing": {
            "hosts": ["chat.localhost", "*.chat.localhost"],
            "additionalPorts": {"grpc": {"hosts": ["grpc.localhost"], "protocol": "grpc"}},
            "canaryOverride": {"header": "X-Canary", "cookie": "canary"},
            "tls": {"mode": "selfSigned"},
        },
    },
    "worker": {"release": {"stable": PUBLISHED}, "ports": {}, "slo": None},
}

Written = Callable[[str], Path]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Returns the folder of a stack with a runtime."""
    missing = [one for program, one in PROGRAMS.items() if shutil.which(program) is None]
    if missing:
        debian.install(Layout(), missing, lambda _: None)

    @cache
    def folder(runtime: str) -> Path:
        folder = tmp_path_factory.mktemp(runtime)
        services = dict(SERVICES)
        if runtime == "supervisor":
            shop = {**SERVICES["shop"], "env": {"QUOTED": "a"}}
            services["shop"] = shop
        config = {
            "namespace": {"name": "shop"},
            "registry": {"host": "localhost:5000"},
            "host": {**HOST, "runtime": runtime},
            "services": services,
        }
        file = folder / "Pulumi.test.yaml"
        file.write_text(to_yaml({"config": {f"slipway:{k}": v for k, v in config.items()}}))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(host, "with_builder", dict)
            patch.setattr(host, "registry_login", lambda *_: {})
            patch.setattr(host, "image_process", lambda *_: ImageProcess(("/app",)))
            patch.setattr(host, "probe_programs", lambda _: {"programs/probe-amd64": b""})
            host.write_folder(str(file), folder / "out")
        return folder / "out"

    return folder


def test_nginx_accepts_the_configuration(written: Written, tmp_path: Path) -> None:
    out = written("systemd")
    for line in yaml.safe_load((out / "inventory.yaml").read_text())["all"]["vars"][
        "slipway_upstreams"
    ]:
        servers = tmp_path / "servers" / line
        servers.mkdir(parents=True)
        (servers / "web-1-1.conf").write_text("server 127.0.0.1:1 down;\n")
    key, certificate = tmp_path / "tls" / "chat.key", tmp_path / "tls" / "chat.crt"
    key.parent.mkdir()
    made = run(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=chat"),
        *("-keyout", key, "-out", certificate),
    )
    assert made.returncode == 0, made.stderr
    text = (out / "balancer" / "slipway.conf").read_text()
    for folder, own in ((SERVERS, "servers"), (SOCKETS, "sockets"), (TLS, "tls")):
        text = text.replace(folder, str(tmp_path / own))
    (tmp_path / "sockets").mkdir()
    text = text.replace("127.0.0.1:80;", f"127.0.0.1:{free_port()};")
    text = text.replace("127.0.0.1:443 ", f"127.0.0.1:{free_port()} ")
    (tmp_path / "slipway.conf").write_text(text)
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/nginx.pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{ access_log off; include {tmp_path}/slipway.conf; }}\n"
    )
    checked = run("nginx", "-t", "-c", tmp_path / "nginx.conf")
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr, checked.stderr


def test_systemd_accepts_the_units_and_their_exposure_is_at_most_two(
    written: Written, tmp_path: Path
) -> None:
    units = written("systemd") / "hosts" / "web-1" / "systemd"
    names = sorted(path.name for path in units.iterdir())
    services = [name for name in names if not name.startswith("slipway-")]
    assert len(services) == 4 + 4 + 1, names
    # systemd looks for the programs of a unit, which are in the image.
    for path in units.iterdir():
        text = re.sub(r"^(Exec\w+)=\S+", r"\1=/bin/true", path.read_text(), flags=re.M)
        (tmp_path / path.name).write_text(re.sub(r"^RootDirectory=.*\n", "", text, flags=re.M))
    instances = [tmp_path / name.replace("@.", "@1.") for name in services]
    for name, instance in zip(services, instances, strict=True):
        instance.symlink_to(tmp_path / name)
    variables = {**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    verified = run("systemd-analyze", "verify", "--man=no", *instances, env=variables)
    assert (verified.returncode, verified.stderr) == (0, "")
    for name in services:
        analyzed = run("systemd-analyze", "security", "--offline=true", "--no-pager", units / name)
        exposure = re.search(r"exposure level for \S+ ([0-9.]+)", analyzed.stdout)
        assert exposure, analyzed.stdout + analyzed.stderr
        assert float(exposure[1]) <= 2.0, analyzed.stdout


@pytest.mark.parametrize("name", ["web-1", "web-2"])
def test_compose_accepts_the_file_of_each_host(written: Written, tmp_path: Path, name: str) -> None:
    file = written("compose") / "hosts" / name / "compose" / "compose.yaml"
    text = file.read_text()
    text = text.replace("/etc/slipway/secrets", str(tmp_path))
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "token").write_text("value")
    (tmp_path / "shop.env").write_text("PASSWORD=value\n")
    (tmp_path / "compose.yaml").write_text(text)
    checked = run("docker-compose", "--file", tmp_path / "compose.yaml", "config")
    assert checked.returncode == 0, checked.stderr
    services: Any = yaml.safe_load(checked.stdout)["services"]
    assert len(services) == 2 * (2 + 2 + 1)
    shop = services["shop-stable-1"]
    assert shop["command"] == ["--name=shop-stable-web-1-1".replace("web-1", name), *COMMAND]
    assert shop["environment"]["QUOTED"].replace("$$", "$") == SERVICES["shop"]["env"]["QUOTED"]


COMMAND = ["50% of $$5", "it's"]


def test_nftables_accepts_the_rules(written: Written) -> None:
    checked = run("nft", "--check", "--file", written("systemd") / "hosts/web-1/etc/network.nft")
    assert checked.returncode == 0, checked.stderr


def test_prometheus_accepts_the_scrape_configuration(
    written: Written, promtool: Path, tmp_path: Path
) -> None:
    folder = written("systemd") / "prometheus"
    config = tmp_path / "prometheus.yaml"
    config.write_text(f"scrape_config_files: [{folder}/scrape.yaml]\n")
    checked = run(promtool, "check", "config", config)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_ansible_accepts_the_playbooks_and_the_role(written: Written, tmp_path: Path) -> None:
    # ansible-lint writes to the folder.
    folder = shutil.copytree(written("systemd"), tmp_path / "out")
    lint = python_tool("ansible-lint")
    path = f"{lint.parent}:{os.environ['PATH']}"
    variables = {**os.environ, "PATH": path, "ANSIBLE_HOME": str(tmp_path / "ansible")}
    options: dict[str, Any] = {"cwd": folder, "env": variables}
    for playbook in ("update.yaml", "rollback.yaml"):
        checked = run(
            *(lint.parent / "ansible-playbook", "--syntax-check", "-i", "inventory.yaml", playbook),
            **options,
        )
        assert checked.returncode == 0, checked.stderr
    linted = run(
        *(lint, "--offline", "--strict", "--profile=production", "--nocolor"),
        *("update.yaml", "rollback.yaml", "roles/slipway"),
        **options,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr
