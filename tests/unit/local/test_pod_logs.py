"""Where containers' logs are found."""

import pytest

from local import layout, pod_logs
from local.layout import Layout


@pytest.fixture
def path(tmp_path, monkeypatch):
    found = tmp_path / "var" / "log" / "pods"
    monkeypatch.setattr(layout, "POD_LOGS", found)
    return found


@pytest.fixture
def at(tmp_path):
    return Layout(tmp_path / "home")


@pytest.mark.parametrize("before", ["nothing", "an empty folder", "the link of a dead node"])
def test_it_leads_to_the_nodes_own_folder(before, path, at, tmp_path):
    if before != "nothing":
        path.parent.mkdir(parents=True)
    if before == "an empty folder":
        path.mkdir()
    if before == "the link of a dead node":
        path.symlink_to(tmp_path / "gone")
    pod_logs.link(at)
    (path / "line").write_text("")
    assert (at.pod_logs / "line").exists()


def test_the_logs_of_another_kubernetes_are_left_alone(path, at):
    path.mkdir(parents=True)
    (path / "theirs").write_text("")
    pod_logs.link(at)
    pod_logs.unlink(at)
    assert (path / "theirs").exists()


def test_a_node_that_ends_takes_its_link_away(path, at):
    pod_logs.link(at)
    pod_logs.unlink(at)
    assert not path.is_symlink()
    assert at.pod_logs.is_dir()


def test_the_link_of_another_node_stays(path, at, tmp_path):
    pod_logs.link(at)
    pod_logs.unlink(Layout(tmp_path / "other"))
    assert path.is_symlink()
