"""The language host without the CLI; tests/cluster/test_plugins.py has the tests with it."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

HOST = "from local.plugins.language_python import main; main('3.250.0')"
ENDLESS = """
import pathlib, time
try:
    print("started", flush=True)
    time.sleep(60)
finally:
    pathlib.Path({ended!r}).touch()
"""


@contextmanager
def running() -> Iterator[tuple[Any, "subprocess.Popen[str]"]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOST, "127.0.0.1:1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        with grpc.insecure_channel(f"127.0.0.1:{process.stdout.readline().strip()}") as channel:
            yield language_pb2_grpc.LanguageRuntimeStub(channel), process
        process.stdin.close()


@pytest.fixture
def host() -> Iterator[Any]:
    with running() as (stub, _):
        yield stub


def info(folder: Path, **options: str) -> language_pb2.ProgramInfo:
    values = Struct()
    values.update(options)
    return language_pb2.ProgramInfo(
        root_directory=str(folder),
        program_directory=str(folder),
        entry_point=".",
        options=values,
    )


def error(call: Any, request: Any) -> str:
    with pytest.raises(grpc.RpcError) as raised:
        call(request, timeout=30)
    return str(raised.value.details())


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 10
    while not file.exists():
        assert time.monotonic() < deadline, "the program still runs after 10 s"
        time.sleep(0.1)


def test_only_installed_plugins_are_required(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / "venv/lib/python3.11/site-packages"
    for name in ("kubernetes", "docker"):
        (packages / name).mkdir(parents=True)
        plugin = f'{{"resource": true, "name": "{name}", "version": "1.2.3"}}'
        (packages / name / "pulumi-plugin.json").write_text(plugin)
    (tmp_path / "venv/bin").mkdir()
    (tmp_path / "venv/bin/python").symlink_to(sys.executable)
    (tmp_path / "home/plugins/resource-kubernetes-v1.2.3").mkdir(parents=True)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    with running() as (host, _):
        request = language_pb2.GetRequiredPackagesRequest(info=info(tmp_path, virtualenv="venv"))
        (package,) = host.GetRequiredPackages(request, timeout=30).packages
    assert (package.name, package.kind, package.version) == ("kubernetes", "resource", "v1.2.3")


def test_the_virtual_environment_of_the_project_is_used(host: Any, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    request = language_pb2.AboutRequest(info=info(tmp_path, virtualenv="venv"))
    about = host.About(request, timeout=30)
    assert about.executable == str(tmp_path / "venv/bin/python")
    assert about.version == ".".join(map(str, sys.version_info[:3]))


def test_the_error_for_a_missing_virtual_environment_names_pulumi_install(
    host: Any, tmp_path: Path
) -> None:
    message = error(host.About, language_pb2.AboutRequest(info=info(tmp_path, virtualenv="venv")))
    assert "virtualenv is venv" in message
    assert "pulumi install" in message


@pytest.mark.parametrize("options", [{"toolchain": "uv"}, {"typechecker": "mypy"}])
def test_an_unsupported_runtime_option_is_refused(
    host: Any, tmp_path: Path, options: dict[str, str]
) -> None:
    message = error(host.About, language_pb2.AboutRequest(info=info(tmp_path, **options)))
    assert "runtime.options allows virtualenv only" in message
    assert next(iter(options.values())) in message


def test_direct_dependencies_leave_out_transitive_ones(host: Any, tmp_path: Path) -> None:
    def names(*, transitive: bool) -> set[str]:
        request = language_pb2.GetProgramDependenciesRequest(
            info=info(tmp_path, virtualenv=sys.prefix), transitiveDependencies=transitive
        )
        response = host.GetProgramDependencies(request, timeout=30)
        return {dependency.name.lower() for dependency in response.dependencies}

    assert {"grpcio", "pydantic"} <= names(transitive=True)
    direct = names(transitive=False)
    assert "grpcio" not in direct
    assert "pydantic" in direct


def test_a_failed_installation_names_the_step(host: Any, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-r missing.txt\n")
    request = language_pb2.InstallDependenciesRequest(info=info(tmp_path, virtualenv=sys.prefix))
    with pytest.raises(grpc.RpcError) as raised:
        list(host.InstallDependencies(request, timeout=120))
    assert "-m pip install -r requirements.txt: exit code 1" in str(raised.value.details())


def test_a_plugin_program_runs_and_its_output_is_streamed(host: Any, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text(
        "import os, sys\nprint(sys.argv[1:], os.environ['WHO'], flush=True)\n"
        "print('problem', file=sys.stderr)\nsys.exit(3)\n"
    )
    request = language_pb2.RunPluginRequest(
        info=info(tmp_path), pwd=str(tmp_path), args=["a"], env=["WHO=me=you"], kind="resource"
    )
    parts = list(host.RunPlugin(request, timeout=30))
    assert b"".join(part.stdout for part in parts) == b"['a'] me=you\n"
    assert b"".join(part.stderr for part in parts) == b"problem\n"
    assert parts[-1].exitcode == 3


@pytest.mark.parametrize("end", ["the call is cancelled", "the host is interrupted"])
def test_a_program_is_interrupted_when(end: str, tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    (tmp_path / "__main__.py").write_text(ENDLESS.format(ended=str(ended)))
    with running() as (host, process):
        request = language_pb2.RunPluginRequest(info=info(tmp_path), pwd=str(tmp_path))
        call = host.RunPlugin(request, timeout=60)
        assert next(call).stdout.startswith(b"started")
        if end == "the call is cancelled":
            call.cancel()
        else:
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=10) == 0
        wait_for(ended)


def test_cancel_succeeds_with_no_running_program(host: Any) -> None:
    assert host.Cancel(Empty(), timeout=10) == Empty()
