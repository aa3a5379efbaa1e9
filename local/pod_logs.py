"""Links /var/log/pods, where log collectors look on any node, to the logs of this node."""

from local import layout
from local.layout import Layout


def link(paths: Layout) -> None:
    """Create the link, unless another Kubernetes stores its logs there."""
    path = layout.POD_LOGS
    paths.pod_logs.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        path.unlink()
    elif path.is_dir():
        if any(path.iterdir()):
            return
        path.rmdir()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(paths.pod_logs)


def unlink(paths: Layout) -> None:
    """Remove the link if it points to this node's logs."""
    path = layout.POD_LOGS
    if path.is_symlink() and path.readlink() == paths.pod_logs:
        path.unlink()
