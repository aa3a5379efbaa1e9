"""The variables of a shell in which `pulumi`, `kubectl` and `buildx` mean this project's."""

import os
import secrets
from collections.abc import Mapping

from local import files, layout
from local.detection import Machine, detect
from local.errors import LocalError
from local.layout import Layout

BUILDER = "slipway"
"""The name of the buildx builder."""


def environment(
    variables: Mapping[str, str] = os.environ, has: Machine | None = None
) -> dict[str, str]:
    """What to set on top of `variables`. Makes the passphrase file at first use, nothing else.

    What the machine `has` (looked for here where that is not said) is left alone: with a cluster
    of the user's, `KUBECONFIG`; with a Docker engine, `DOCKER_CONFIG` and `BUILDX_CONFIG`; with a
    Pulumi of the user's, `PULUMI_HOME`. A backend or a passphrase that the user has set stays too.

    Raises `LocalError` where stacks are left and their passphrase is gone.
    """
    at = Layout()
    return {
        **_shell(at, variables),
        **_parts(at, has or detect(at, variables)),
        **_backend(at, variables),
    }


def _shell(at: Layout, variables: Mapping[str, str]) -> dict[str, str]:
    ours = [str(layout.CHECKOUT / ".venv" / "bin"), str(at.bin)]
    theirs = variables.get("PATH", os.defpath).split(os.pathsep)
    path = ours + [entry for entry in theirs if entry not in ours]
    return {"PATH": os.pathsep.join(path), "SLIPWAY_HOME": str(at.root)}


def _parts(at: Layout, has: Machine) -> dict[str, str]:
    variables = {
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # These programs live for seconds: collecting their garbage less often saves a sixth.
        "GOGC": "400",
    }
    if has.needs_node:
        variables["KUBECONFIG"] = str(at.kubeconfig)
    if has.needs_builder:
        variables["DOCKER_CONFIG"] = str(at.docker)
        variables["BUILDX_CONFIG"] = str(at.docker / "buildx")
        variables["BUILDX_BUILDER"] = BUILDER
    if has.needs_pulumi:
        variables["PULUMI_HOME"] = str(at.pulumi)
    if has.needs_plugins:
        # What is not there cannot be downloaded either: say so at once.
        variables["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
    return variables


def _backend(at: Layout, given: Mapping[str, str]) -> dict[str, str]:
    variables = {}
    if not given.get("PULUMI_BACKEND_URL"):
        at.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        variables["PULUMI_BACKEND_URL"] = f"file://{at.state}"
        # A stack file without a salt, as every file in the repository is, uses the state's.
        variables["PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER"] = "true"
    if not (given.get("PULUMI_CONFIG_PASSPHRASE") or given.get("PULUMI_CONFIG_PASSPHRASE_FILE")):
        if not at.passphrase.exists():
            if any((at.state / ".pulumi" / "stacks").glob("*/*.json")):
                raise LocalError(
                    f"The passphrase of the stacks in {at.state} is gone: put it back as "
                    f"{at.passphrase}, or name it by PULUMI_CONFIG_PASSPHRASE. Without it their "
                    f"secrets cannot be read; to begin anew, remove {at.state}."
                )
            files.write(at.passphrase, secrets.token_urlsafe(32), files.PRIVATE)
        variables["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(at.passphrase)
    return variables
