"""What the language host tells the CLI, and how it runs programs. (With the CLI: tests/cluster.)"""

import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from plugins.install import install
from plugins.values import to_struct

PYTHON = Path(sys.executable)
ENDLESS = """
import pathlib, time
try:
    print("up", flush=True)
    time.sleep(60)
finally:
    pathlib.Path({ended!r}).touch()
"""


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi"))
    install(tmp_path / "pulumi/plugins", PYTHON)
    return tmp_path / "pulumi/plugins"


@contextmanager
def running(home):
    (executable,) = home.glob("language-python-v*/pulumi-language-python")
    with subprocess.Popen(
        [executable, "127.0.0.1:1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        with grpc.insecure_channel(f"127.0.0.1:{process.stdout.readline().strip()}") as channel:
            yield language_pb2_grpc.LanguageRuntimeStub(channel), process
        process.stdin.close()


@pytest.fixture
def host(home):
    with running(home) as (stub, _):
        yield stub


def info(folder: Path, **options) -> language_pb2.ProgramInfo:
    return language_pb2.ProgramInfo(
        root_directory=str(folder),
        program_directory=str(folder),
        entry_point=".",
        options=to_struct(options) if options else Struct(),
    )


def failure(call, request) -> str:
    with pytest.raises(grpc.RpcError) as raised:
        call(request, timeout=30)
    return str(raised.value.details())


def wait_for(ended: Path) -> None:
    """Wait until an endless program has said that it ends; the host is not told when."""
    waiting = threading.Event()
    for _ in range(100):
        if ended.exists():
            return
        waiting.wait(0.1)
    pytest.fail("the program still runs after 10 s")


def test_the_installed_providers_are_required_and_no_others(host, tmp_path):
    request = language_pb2.GetRequiredPackagesRequest(info=info(tmp_path, virtualenv=sys.prefix))
    packages = host.GetRequiredPackages(request, timeout=30).packages
    assert {package.name for package in packages} == {"docker-build", "kubernetes", "random"}
    assert all(package.kind == "resource" for package in packages)
    assert all(package.version.startswith("v") for package in packages)


def test_a_provider_that_is_not_installed_is_not_asked_for(home, host, tmp_path):
    (folder,) = home.glob("resource-random-v*")
    folder.rename(home / "elsewhere")
    request = language_pb2.GetRequiredPackagesRequest(info=info(tmp_path))
    packages = host.GetRequiredPackages(request, timeout=30).packages
    assert "random" not in {package.name for package in packages}


def test_the_virtual_environment_of_the_project_is_the_one_that_runs(host, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    about = host.About(
        language_pb2.AboutRequest(info=info(tmp_path, virtualenv="venv")), timeout=30
    )
    assert about.executable == str(tmp_path / "venv/bin/python")
    assert about.version == ".".join(map(str, sys.version_info[:3]))


def test_without_the_option_the_hosts_own_python_runs(host, tmp_path):
    about = host.About(language_pb2.AboutRequest(info=info(tmp_path)), timeout=30)
    assert Path(about.executable).resolve() == PYTHON.resolve()


def test_a_missing_virtual_environment_is_named_with_its_remedy(host, tmp_path):
    request = language_pb2.AboutRequest(info=info(tmp_path, virtualenv="venv"))
    message = failure(host.About, request)
    assert "virtualenv is venv" in message
    assert "pulumi install" in message


@pytest.mark.parametrize("options", [{"toolchain": "uv"}, {"typechecker": "mypy"}])
def test_an_option_it_cannot_honour_is_refused(host, tmp_path, options):
    request = language_pb2.AboutRequest(info=info(tmp_path, **options))
    message = failure(host.About, request)
    assert "runtime.options may hold virtualenv" in message
    assert next(iter(options.values())) in message


def test_dependencies_are_those_nothing_else_brings(host, tmp_path):
    def names(*, transitive):
        request = language_pb2.GetProgramDependenciesRequest(
            info=info(tmp_path), transitiveDependencies=transitive
        )
        answer = host.GetProgramDependencies(request, timeout=30)
        return {dependency.name.lower() for dependency in answer.dependencies}

    assert {"grpcio", "pulumi"} <= names(transitive=True)
    direct = names(transitive=False)
    assert "grpcio" not in direct
    assert direct


def test_a_failed_install_says_which_step_failed(host, tmp_path):
    (tmp_path / "requirements.txt").write_text("-r missing.txt\n")
    request = language_pb2.InstallDependenciesRequest(info=info(tmp_path))
    with pytest.raises(grpc.RpcError) as raised:
        list(host.InstallDependencies(request, timeout=120))
    assert "-m pip install -r requirements.txt: exit code 1" in str(raised.value.details())


def test_a_plugin_program_is_run_and_its_output_streamed(host, tmp_path):
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


def test_a_plugin_program_ends_when_its_caller_leaves(host, tmp_path):
    ended = tmp_path / "ended"
    (tmp_path / "__main__.py").write_text(ENDLESS.format(ended=str(ended)))
    request = language_pb2.RunPluginRequest(info=info(tmp_path), pwd=str(tmp_path))
    call = host.RunPlugin(request, timeout=60)
    assert next(call).stdout.startswith(b"up")
    call.cancel()
    wait_for(ended)


def test_an_interrupted_host_ends_its_programs(home, tmp_path):
    ended = tmp_path / "ended"
    (tmp_path / "__main__.py").write_text(ENDLESS.format(ended=str(ended)))
    with running(home) as (host, process):
        request = language_pb2.RunPluginRequest(info=info(tmp_path), pwd=str(tmp_path))
        call = host.RunPlugin(request, timeout=60)
        assert next(call).stdout.startswith(b"up")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
    wait_for(ended)


def test_cancel_is_answered_with_nothing_to_cancel(host):
    assert host.Cancel(Empty(), timeout=10) == Empty()
