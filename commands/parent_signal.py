"""Signal that a child process gets when its parent is killed."""

import shutil
from collections.abc import Sequence
from typing import Literal


def signal_with_parent(signal: Literal["INT", "TERM"]) -> Sequence[str]:
    """Command prefix that sends ``signal`` to the process when this one is killed.

    Start the process in a thread that lives as long. Empty on a machine without ``setpriv``.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", signal, "--"] if setpriv else []
