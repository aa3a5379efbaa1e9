"""Name of the objects that sync a stack."""

import re

from settings.project import project_name
from settings.stack_file import path_of, stack_of


def sync_name(stack: str) -> str:
    """Return the name, from the project and the stack; a cluster can sync several stacks."""
    name = f"{project_name()}-{stack_of(path_of(stack))}"
    return re.sub(r"[^a-z0-9-]+", "-", name.lower())
