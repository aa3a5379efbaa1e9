"""Link to the logs of the pods."""

import pytest

from local import layout, pod_logs
from local.layout import Layout


@pytest.fixture
def path(tmp_path, monkeypatch):
    found = tmp_path / "var" / "log" / "pods"
    monkeypatch.setattr(layout, "POD_LOGS", found)
    return found


@pytest.fixture
def paths(tmp_path):
    return Layout(tmp_path / "home")


@pytest.mark.parametrize("before", ["nothing", "an empty folder", "a dangling link"])
def test_the_link_points_to_the_logs_of_this_node(before, path, paths, tmp_path):
    if before != "nothing":
        path.parent.mkdir(parents=True)
    if before == "an empty folder":
        path.mkdir()
    if before == "a dangling link":
        path.symlink_to(tmp_path / "gone")
    pod_logs.link(paths)
    (path / "line").write_text("")
    assert (paths.pod_logs / "line").exists()


def test_the_logs_of_another_kubernetes_are_kept(path, paths):
    path.mkdir(parents=True)
    (path / "other").write_text("")
    pod_logs.link(paths)
    pod_logs.unlink(paths)
    assert (path / "other").exists()


def test_a_stopped_node_removes_its_link(path, paths):
    pod_logs.link(paths)
    pod_logs.unlink(paths)
    assert not path.is_symlink()
    assert paths.pod_logs.is_dir()


def test_the_link_of_another_node_is_kept(path, paths, tmp_path):
    pod_logs.link(paths)
    pod_logs.unlink(Layout(tmp_path / "other"))
    assert path.is_symlink()
