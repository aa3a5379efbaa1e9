"""The Pulumi project: ``Pulumi.yaml``."""

from functools import cache

import yaml

from settings.stack_file import PROJECT_FOLDER


@cache
def project_name() -> str:
    """Name of the project. `pulumi new` sets it."""
    return yaml.load((PROJECT_FOLDER / "Pulumi.yaml").read_text(), Loader=yaml.CSafeLoader)["name"]
