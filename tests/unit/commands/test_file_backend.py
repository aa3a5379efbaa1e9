"""A stack's files in a backend that is a folder."""

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from commands.errors import CommandError
from commands.file_backend import FileBackend
from settings.stack_file import PROJECT_FOLDER

HERE = socket.gethostname()


@pytest.fixture
def backend(tmp_path: Path) -> FileBackend:
    """An empty backend."""
    return FileBackend(tmp_path / ".pulumi", "slipway", "dev")


def write(backend: FileBackend, name: str, text: str, age: float = 0) -> Path:
    """Write a file of the backend that is ``age`` seconds old."""
    file = backend.folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    os.utime(file, (file.stat().st_atime, file.stat().st_mtime - age))
    return file


def ended_process() -> int:
    """ID of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def content(pid: int | str, host: str = HERE) -> str:
    """Content of a lock."""
    return json.dumps({"pid": pid, "username": "me", "hostname": host})


LOCKS = "locks/organization/slipway/dev"


@pytest.mark.parametrize(
    ("text", "age", "is_stale"),
    [
        (content("ended"), 0, True),
        (content("this"), 3600, False),
        (content("first"), 3600, False),
        (content("ended", "elsewhere"), 3600, False),
        ("", 0, False),
        ("", 60, True),
        ('{"pid": 1,', 60, True),
        ("{}", 60, True),
    ],
)
@pytest.mark.parametrize("name", ["1.json", "1.json.18a2.tmp"])
def test_a_lock_is_stale_once_its_process_has_ended(
    backend: FileBackend, name: str, text: str, age: float, is_stale: bool
) -> None:
    for process, pid in (("ended", ended_process()), ("this", os.getpid()), ("first", 1)):
        text = text.replace(f'"{process}"', str(pid))
    file = write(backend, f"{LOCKS}/{name}", text, age)
    (lock,) = backend.locks()
    assert lock.file == file
    assert lock.is_stale is is_stale


def test_locks_of_other_stacks_and_projects_are_not_waited_for(backend: FileBackend) -> None:
    write(backend, "locks/organization/slipway/prod/1.json", content(1))
    write(backend, "locks/organization/other/dev/1.json", content(1))
    write(backend, f"{LOCKS}/1.json.attrs", "{}")
    assert list(backend.locks()) == []


def test_only_stale_locks_are_removed(backend: FileBackend) -> None:
    stale = write(backend, f"{LOCKS}/1.json", content(ended_process()))
    held = write(backend, f"{LOCKS}/2.json", content(os.getpid()))
    backend.remove([lock for lock in backend.locks() if lock.is_stale])
    assert (stale.exists(), held.exists()) == (False, True)


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("file://{home}/backend", "backend"),
        ("file://~/backend", "backend"),
        ("file://~", "."),
        ("file://backend?no_tmp_dir=true", "backend"),
        ("file://./backend", "backend"),
    ],
)
def test_the_folder_is_that_of_pulumi(
    url: str, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    backend = FileBackend.of(url.format(home=tmp_path), tmp_path, "dev")
    assert backend
    assert backend.checkpoint == tmp_path / folder / ".pulumi/stacks/slipway/dev.json"


def test_a_backend_that_is_no_folder_has_no_files() -> None:
    assert FileBackend.of("s3://state", PROJECT_FOLDER, "dev") is None


@pytest.mark.parametrize("text", ["", '{"user.cache_control":"",'])
@pytest.mark.parametrize(
    "name",
    [
        "meta.yaml.attrs",
        "stacks/slipway/dev.json.attrs",
        "stacks/slipway/dev.json.bak.attrs",
        "stacks/slipway/other.json.attrs",
        "stacks/other/dev.json.attrs",
        "history/slipway/dev/dev-1.history.json.attrs",
        f"{LOCKS}/1.json.attrs",
    ],
)
def test_a_sidecar_that_is_incomplete_is_removed(
    backend: FileBackend, name: str, text: str
) -> None:
    broken = write(backend, name, text)
    complete = write(backend, "stacks/slipway/third.json.attrs", '{"md5":"x"}\n')
    backend.remove_broken_sidecars()
    assert (broken.exists(), complete.exists()) == (False, True)


CHECKPOINT = "stacks/slipway/dev.json"
BACKUPS = "backups/slipway/dev/dev"


@pytest.mark.parametrize("broken", ["", '{"version":3,'])
@pytest.mark.parametrize(
    ("backups", "restored"),
    [
        ({f"{CHECKPOINT}.bak": "{1}", f"{BACKUPS}.2.json": "{2}"}, "{1}"),
        ({f"{CHECKPOINT}.bak": "", f"{BACKUPS}.2.json": "{2}", f"{BACKUPS}.3.json": "{3}"}, "{3}"),
        ({f"{BACKUPS}.2.json": "{2}", f"{BACKUPS}.3.json": "{"}, "{2}"),
    ],
)
def test_an_incomplete_state_is_replaced_by_its_newest_backup(
    backend: FileBackend,
    capsys: pytest.CaptureFixture[str],
    broken: str,
    backups: dict[str, str],
    restored: str,
) -> None:
    for name, text in backups.items():
        write(backend, name, text)
    checkpoint = write(backend, CHECKPOINT, broken)
    assert backend.repair()
    assert checkpoint.read_text() == restored
    assert f"{checkpoint} is incomplete" in capsys.readouterr().out
    assert not backend.repair()


def test_an_incomplete_state_without_a_backup_is_an_error_with_its_file(
    backend: FileBackend,
) -> None:
    checkpoint = write(backend, CHECKPOINT, "")
    with pytest.raises(CommandError, match=f"the state of dev, {checkpoint}, is incomplete"):
        backend.repair()
    assert checkpoint.exists()


def test_an_incomplete_history_entry_is_set_aside(backend: FileBackend) -> None:
    write(backend, CHECKPOINT, "{}")
    broken = write(backend, "history/slipway/dev/dev-2.history.json", "")
    kept = write(backend, "history/slipway/dev/dev-1.history.json", "{}")
    assert backend.unreadable_files() == [broken]
    assert not backend.repair()
    assert (broken.exists(), kept.exists()) == (False, True)
    assert backend.unreadable_files() == []


def test_a_new_stack_needs_no_repair(backend: FileBackend) -> None:
    backend.remove_broken_sidecars()
    assert not backend.repair()
    assert list(backend.locks()) == []


def test_the_state_is_what_the_cli_exports(backend: FileBackend) -> None:
    deployment = {"resources": [{"urn": "a", "taint": True}], "pending_operations": []}
    checkpoint = {"version": 3, "checkpoint": {"latest": deployment}}
    write(backend, "stacks/slipway/dev.json", json.dumps(checkpoint))
    assert backend.state() == deployment


def test_a_stack_that_was_never_deployed_has_an_empty_state(backend: FileBackend) -> None:
    checkpoint = {"version": 3, "checkpoint": {"stack": "organization/slipway/dev"}}
    write(backend, "stacks/slipway/dev.json", json.dumps(checkpoint))
    assert backend.state() == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dev.json.bak", '{"version": 3, "checkpoint": {}}'),
        ("dev.json", '{"version": 4, "features": ["x"], "checkpoint": {}}'),
        ("dev.json", '{"version": 3, "check'),
        ("dev.json.gz", "compressed"),
    ],
    ids=["missing", "another version", "incomplete", "compressed"],
)
def test_a_state_that_only_the_cli_can_read_is_left_to_it(
    backend: FileBackend, name: str, text: str
) -> None:
    if name.endswith(".gz"):
        write(backend, "stacks/slipway/dev.json", '{"version": 3, "checkpoint": {}}')
    write(backend, f"stacks/slipway/{name}", text)
    assert backend.state() is None


HISTORY = "history/slipway/dev/dev"


def entry(started: int, config: object) -> str:
    """An entry of the history as Pulumi writes it."""
    content = {"kind": "update", "result": "succeeded", "startTime": started, "config": config}
    return json.dumps(content, separators=(",", ":"))


def test_the_newest_updates_are_those_of_the_cli(backend: FileBackend) -> None:
    config = {"slipway:services": {"beacon": {"args": ["a"]}}, "aws:region": "eu"}
    for number in range(3):
        write(backend, f"{HISTORY}-179000000{number}.history.json", entry(number, config))
    write(backend, f"{HISTORY}-1790000009.checkpoint.json", "{}")
    updates = backend.updates(2)
    assert updates is not None
    times = [update["startTime"] for update in updates]
    assert times == ["1970-01-01T00:00:02.000Z", "1970-01-01T00:00:01.000Z"]
    assert updates[0]["config"] == {
        "slipway:services": {"value": '{"beacon": {"args": ["a"]}}'},
        "aws:region": {"value": "eu"},
    }
    assert backend.configuration() == config


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        ("json", entry(1, {"slipway:services": {"beacon": {"env": {"KEY": {"secure": "v1:x"}}}}})),
        ("json", '{"kind": '),
        ("json.gz", "compressed"),
    ],
    ids=["secret", "incomplete", "compressed"],
)
def test_updates_that_only_the_cli_can_read_are_left_to_it(
    backend: FileBackend, suffix: str, text: str
) -> None:
    write(backend, f"{HISTORY}-1.history.json", entry(0, {}))
    write(backend, f"{HISTORY}-2.history.{suffix}", text)
    assert backend.updates(10) is None
    assert backend.configuration() is None
