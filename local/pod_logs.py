"""The path at which containers' logs are on every node: here it leads to the node's own folder."""

from local import layout
from local.layout import Layout


def link(at: Layout) -> None:
    """Makes it, unless another Kubernetes keeps its logs there."""
    path = layout.POD_LOGS
    at.pod_logs.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        path.unlink()
    elif path.is_dir():
        if any(path.iterdir()):
            return
        path.rmdir()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(at.pod_logs)


def unlink(at: Layout) -> None:
    """Takes it away, if it is this node's."""
    path = layout.POD_LOGS
    if path.is_symlink() and path.readlink() == at.pod_logs:
        path.unlink()
