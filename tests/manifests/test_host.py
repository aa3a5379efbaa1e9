"""Files for hosts without Kubernetes, checked by nginx, systemd, Compose, nftables and Ansible."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from commands.host import __main__ as host
from commands.host.ansible_files import ANSIBLE
from commands.host.image_process import ImageProcess
from commands.host.nginx import SERVERS, SOCKETS, TLS
from commands.supply_chain.python_tool import python_tool
from local import debian
from local.layout import Layout
from settings.project import project_name
from settings.yaml_writer import to_yaml
from tests.cluster.project import IS_SLOW
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
LONG = ".".join(["long" * 15] * 4)
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
            "hosts": ["chat.localhost", "*.chat.localhost", LONG],
            "additionalPorts": {"grpc": {"hosts": ["grpc.localhost"], "protocol": "grpc"}},
            "canaryOverride": {"header": "X-Canary", "cookie": "can-ary"},
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


@pytest.fixture(scope="module")
def nginx(written: Written, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of nginx with the written files, before servers that respond with their files' names."""
    out, folder = written("systemd"), tmp_path_factory.mktemp("nginx")
    (release,) = (json.loads(p.read_text()) for p in out.glob("hosts/web-1/release.json"))
    (folder / SERVERS).mkdir(parents=True)
    back_ends = ""
    for instance in release["instances"]:
        for server in instance["servers"]:
            socket = f"unix:{folder}/{len(back_ends)}.sock"
            (folder / SERVERS / server["file"]).write_text(f"server {socket};\n")
            name = server["file"].partition("@")[0]
            back_ends += f"server {{ listen {socket}; return 200 {name}; }}\n"
    key, certificate = folder / TLS / "chat.key", folder / TLS / "chat.crt"
    key.parent.mkdir()
    made = run(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=chat"),
        *("-keyout", key, "-out", certificate),
    )
    assert made.returncode == 0, made.stderr
    text = (out / "balancer" / "slipway.conf").read_text()
    plain, secure = free_port(), free_port()
    for name, own in (
        (re.escape(f"/etc/slipway/{project_name()}-test"), str(folder)),
        (SOCKETS, str(folder)),
        ("127.0.0.1:80;", f"127.0.0.1:{plain};"),
        ("127.0.0.1:443 ", f"127.0.0.1:{secure} "),
    ):
        text = re.sub(name, own, text)
    shared = yaml.safe_load((ANSIBLE / "roles/slipway/tasks/balancer_folders.yaml").read_text())
    (names,) = (
        task["ansible.builtin.copy"]["content"]
        for task in shared
        if "00-slipway.conf" in str(task.get("ansible.builtin.copy"))
    )
    (folder / "nginx.conf").write_text(
        f"user root;\npid {folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{names}{text}{back_ends}}}\n"
    )
    checked = run("nginx", "-t", "-c", folder / "nginx.conf")
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr, checked.stderr
    command = ["nginx", "-c", folder / "nginx.conf", "-g", "daemon off;"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            yield f"https://127.0.0.1:{secure}"
        finally:
            process.terminate()


@pytest.mark.parametrize(
    ("host", "headers", "track"),
    [
        ("chat.localhost", {}, "blue"),
        (LONG, {"Cookie": "can-ary=always"}, "green"),
        ("room.chat.localhost", {"Cookie": "a=1; can-ary=always; b=2"}, "green"),
        ("chat.localhost", {"Cookie": "xcan-ary=always"}, "blue"),
        ("chat.localhost", {"Cookie": "can-ary=always1"}, "blue"),
        ("chat.localhost", {"X-Canary": "always"}, "green"),
        ("chat.localhost", {"X-Canary": "never", "Cookie": "can-ary=always"}, "blue"),
        ("next.localhost", {}, "green"),
        ("unknown.localhost", {}, None),
    ],
)
def test_nginx_routes_by_host_header_and_cookie(
    nginx: str, host: str, headers: dict[str, str], track: str | None
) -> None:
    # The certificate is that of the test.
    transport = httpx.HTTPTransport(verify=False, retries=5)
    with httpx.Client(transport=transport) as client:
        response = client.get(nginx, headers={"Host": host, **headers})
    if track:
        assert response.text == f"{project_name()}-test.chat-{track}.http.instances"
    else:
        assert response.status_code == 404


def test_systemd_accepts_the_units_and_their_exposure_is_at_most_two(
    written: Written, tmp_path: Path
) -> None:
    units = written("systemd") / "hosts" / "web-1" / "systemd"
    names = sorted(path.name for path in units.iterdir())
    services = [name for name in names if not re.search("(network|restart)@", name)]
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
    text = text.replace(f"/etc/slipway/{project_name()}-test/secrets", str(tmp_path))
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "token").write_text("value")
    (tmp_path / "shop.env").write_text("PASSWORD=value\n")
    (tmp_path / "compose.yaml").write_text(text)
    checked = run("docker-compose", "--file", tmp_path / "compose.yaml", "config")
    assert checked.returncode == 0, checked.stderr
    services: Any = yaml.safe_load(checked.stdout)["services"]
    assert len(services) == 2 * (2 + 2 + 1)
    shop = services[f"{project_name()}-test.shop-stable-1"]
    assert shop["command"] == ["--name=shop-stable-web-1-1".replace("web-1", name), *COMMAND]
    assert shop["environment"]["QUOTED"].replace("$$", "$") == SERVICES["shop"]["env"]["QUOTED"]


COMMAND = ["50% of $$5", "it's"]


def test_nftables_accepts_the_rules(written: Written) -> None:
    files = [*(written("systemd") / "hosts/web-1/etc/instances").glob("*.nft")]
    assert len(files) == 2 * (2 + 2 + 1)
    for file in files:
        checked = run("nft", "--check", "--file", file)
        assert checked.returncode == 0, checked.stderr


def test_prometheus_accepts_the_scrape_configuration(
    written: Written, promtool: Path, tmp_path: Path
) -> None:
    folder = written("systemd") / "prometheus"
    config = tmp_path / "prometheus.yaml"
    config.write_text(f"scrape_config_files: [{folder}/scrape.yaml]\n")
    checked = run(promtool, "check", "config", config)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.fixture(scope="module")
def ansible(written: Written, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Runs a program of Ansible in a copy of the folder."""
    # ansible-lint writes to the folder.
    folder = tmp_path_factory.mktemp("ansible")
    shutil.copytree(written("systemd"), folder / "out")
    lint = python_tool("ansible-lint")
    path = f"{lint.parent}:{os.environ['PATH']}"
    variables = {
        **os.environ,
        "PATH": path,
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_ROLES_PATH": str(folder / "out" / "roles"),
    }
    return lambda program, *arguments: run(
        lint.parent / program, *arguments, cwd=folder / "out", env=variables
    )


def test_ansible_accepts_the_playbooks_and_the_role(ansible: Callable[..., Any]) -> None:
    for playbook in ("update.yaml", "rollback.yaml"):
        checked = ansible("ansible-playbook", "--syntax-check", "-i", "inventory.yaml", playbook)
        assert checked.returncode == 0, checked.stderr
    linted = ansible(
        *("ansible-lint", "--offline", "--strict", "--profile=production", "--nocolor"),
        *("update.yaml", "rollback.yaml", "roles/slipway"),
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


PLAY = (
    *("-i", "inventory.yaml", "-c", "local", "--check", "-e", "ansible_become=false"),
    *("-e", f"ansible_python_interpreter={sys.executable}"),
)
NO_PREVIOUS = "There is no previous release on the hosts"
OWN = f"{project_name()}-test"
SELECTIONS: list[tuple[dict[str, Any], str]] = [
    ({"links": {"previous": "r1", "current": "r2"}}, "r1"),
    ({"links": {"previous": "r1", "current": "r2", "pending": "r3"}}, "r2"),
    ({"links": {"current": "r1"}}, NO_PREVIOUS),
    (
        {
            "record": f"18010.compose.{OWN}.shop-stable-1",
            "owner": f"{project_name()}/test",
            "hosts": '{"balancer": "10.0.0.11"}',
            "current": "before",
        },
        "same",
    ),
    (
        {"record": "18010.systemd.other.shop-stable-1"},
        "other.shop-stable-1 has the port 18010: use other ports in slipway:host.firstPorts",
    ),
    (
        {"record": "18010.systemd.other.shop-stable-1", "links": {"previous": "recorded"}},
        "other.shop-stable-1 has the port 18010: "
        "use other ports in slipway:host.firstPorts and update.yaml",
    ),
    ({"owner": "other/test"}, "belongs to the stack other/test: use another name for the stack"),
    ({"hosts": '{"balancer": '}, "/hosts.json of web-1 has been changed since the last update"),
    (
        {"hosts": '{"balancer": "10.0.0.12"}', "current": "before"},
        "nginx moves from 10.0.0.12 to 10.0.0.11: first update with slipway:host.balancer as",
    ),
]
"""Files on a host, and the release that is selected, or the error. With links, it is a rollback."""
if IS_SLOW:  # Ansible needs three seconds for each
    SELECTIONS += [
        ({"links": {"pending": "r1"}}, NO_PREVIOUS),
        (
            {"record": f"18410.systemd.{OWN}.shop-stable-1"},
            f"{OWN}.shop-stable-1 has the port 18410: use other ports in slipway:host.firstPorts; "
            "for another release.strategy, first update to blueGreen.live: blue without an",
        ),
        (
            {"record": "18210.systemd.other.shop-stable-1", "links": {"previous": "without-ports"}},
            "without-ports",
        ),
        ({"hosts": '{"hosts": {}}'}, "same"),
        ({"hosts": '{"balancer": "10.0.0.12"}', "current": "same"}, "same"),
        ({"hosts": '{"balancer": "10.0.0.12"}', "current": "before", "move": True}, "same"),
    ]


def selection(folder: Path, release: Path, installed: dict[str, Any]) -> dict[str, Any]:
    """Write the files of a host; return the variables of its selection."""
    records = folder / "state" / "stack" / "instances"
    records.mkdir(parents=True)
    if record := installed.get("record"):
        (records / record).touch()
    if owner := installed.get("owner"):
        (folder / "owner").write_text(f"{owner}\n")
    if hosts := installed.get("hosts"):
        (folder / "hosts.json").write_text(hosts)
    if current := installed.get("current"):
        (folder / "current").symlink_to(folder / "releases" / current)
    (folder / "balancer").mkdir()
    for name, target in installed.get("links", {}).items():
        (folder / "balancer" / name).symlink_to(folder / "balancer" / f"{target}.conf")
        file = folder / "releases" / target / "release.json"
        file.parent.mkdir(parents=True)
        file.write_text(release.read_text() if target == "recorded" else "{}")
    return {
        "slipway_folder": str(folder),
        "slipway_state": str(folder / "state" / "own"),
        "slipway_release": "same",
        "slipway_rollback": "links" in installed,
        "slipway_move_balancer": installed.get("move", False),
    }


@pytest.fixture(scope="module")
def selected(
    written: Written, ansible: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The selected release or the error of each selection, all from one run of Ansible."""
    folder = tmp_path_factory.mktemp("selections")
    shutil.copytree(written("systemd") / "hosts", folder / "hosts")
    role = {"name": "slipway", "tasks_from": "select.yaml"}
    # A variable of the role has precedence over one of a play, and not over one of a task.
    tasks = [
        {
            "vars": selection(folder / str(number), folder / "hosts/web-1/release.json", installed),
            "block": [
                {"include_role": role},
                {"debug": {"msg": f"case {number}: {{{{ slipway_target }}}}"}},
            ],
            "rescue": [{"debug": {"msg": f"case {number}: {{{{ ansible_failed_result.msg }}}}"}}],
        }
        for number, (installed, _) in enumerate(SELECTIONS)
    ]
    play = {"hosts": "web-1", "gather_facts": False, "tasks": tasks}
    playbook = folder / "select.yaml"
    playbook.write_text(to_yaml([play]))
    done = ansible("ansible-playbook", playbook, *PLAY)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(re.findall(r'"msg": "case (\d+): (.*)"$', done.stdout, re.M))


@pytest.mark.parametrize("number", range(len(SELECTIONS)))
def test_a_release_is_selected_unless_ports_or_files_of_others_or_its_own_state_forbid_it(
    selected: dict[str, str], number: int
) -> None:
    expected = SELECTIONS[number][1]
    assert (
        expected in selected[str(number)] if " " in expected else selected[str(number)] == expected
    )


def test_only_addresses_that_a_host_has_recorded_are_those_of_removed_hosts(
    ansible: Callable[..., Any], tmp_path: Path
) -> None:
    written = tmp_path / "written"
    recorded = {
        "a": "10.0.0.13",
        "b": "10.0.0.11",
        "c": "127.0.0.1",
        "d": f"{{{{ lookup('pipe', 'touch {written}; echo 10.0.0.14') }}}}",
        "e": "example.com",
    }
    (tmp_path / "hosts.json").write_text(json.dumps({"hosts": recorded}))
    read = {"slurp": {"src": f"{tmp_path}/hosts.json"}, "register": "slipway_hosts_file"}
    role = {"name": "slipway", "tasks_from": "servers.yaml", "public": True}
    # The role sets its variables, and does nothing.
    removed = {"include_role": role, "vars": {"slipway_instance": {"servers": []}}}
    shown = {"debug": {"var": "slipway_removed_addresses"}}
    task = {"hosts": "web-1", "gather_facts": False, "tasks": [read, removed, shown]}
    playbook = tmp_path / "removed.yaml"
    playbook.write_text(to_yaml([task]))
    done = ansible("ansible-playbook", playbook, *PLAY)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.findall(r'"slipway_removed_addresses": (\[.*?\])', done.stdout, re.S)
    assert found and all(json.loads(one) == ["10.0.0.13"] for one in found), done.stdout
    assert not written.exists()


def test_an_instance_that_a_release_does_not_have_is_stopped_after_its_own_drain_time(
    ansible: Callable[..., Any], tmp_path: Path
) -> None:
    # Of no runtime: nothing is stopped on this machine.
    records = {
        "18010.none.shop-1": "checksum 3",
        "18020.none.shop-2": "checksum 2",
        "18030.none.x": "",
    }
    (tmp_path / "instances").mkdir()
    for name, text in records.items():
        (tmp_path / "instances" / name).write_text(text)
    (tmp_path / "hosts.json").touch()
    role = {"name": "slipway", "tasks_from": "cleanup.yaml"}
    tasks = [
        {"include_role": role, "vars": {"slipway_host_release": {"instances": [], "files": []}}}
    ]
    playbook = tmp_path / "cleanup.yaml"
    playbook.write_text(to_yaml([{"hosts": "web-1", "gather_facts": False, "tasks": tasks}]))
    done = ansible(
        *("ansible-playbook", playbook, "-v", *(one for one in PLAY if one != "--check")),
        *("-e", f"slipway_folder={tmp_path}", "-e", f"slipway_state={tmp_path}"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r'"elapsed": (\d+)', done.stdout) == ["3"], done.stdout
    assert not [*(tmp_path / "instances").iterdir()]
    assert not (tmp_path / "hosts.json").exists()


def test_a_part_of_the_hosts_is_refused(ansible: Callable[..., Any]) -> None:
    done = ansible("ansible-playbook", "update.yaml", "--limit=web-2", *PLAY)
    assert done.returncode != 0
    assert "--limit is not possible" in done.stdout
    assert "changed=0" in done.stdout
