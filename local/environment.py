"""Environment variables that make `pulumi`, `kubectl` and `buildx` use what runs here."""

import os
import secrets
from collections.abc import Mapping

from local import files, layout
from local.detection import Machine, detect
from local.errors import LocalError
from local.layout import Layout

BUILDER = "slipway"
"""Name of the buildx builder."""


def environment(
    variables: Mapping[str, str] = os.environ, machine: Machine | None = None
) -> dict[str, str]:
    """Variables to set in addition to `variables`. The first call creates the passphrase file.

    `machine` is detected by default. Variables for what it provides are not set: `KUBECONFIG` with
    another cluster, `DOCKER_CONFIG` and `BUILDX_CONFIG` with a Docker engine, `PULUMI_HOME` with an
    installed Pulumi. Nor are the backend and the passphrase that `variables` define.

    Raises `LocalError` if there are stacks but no passphrase.
    """
    paths = Layout()
    return {
        **_shell(paths, variables),
        **_tools(paths, machine or detect(paths, variables)),
        **_backend(paths, variables),
    }


def _shell(paths: Layout, variables: Mapping[str, str]) -> dict[str, str]:
    own = [str(layout.CHECKOUT / ".venv" / "bin"), str(paths.bin)]
    existing = variables.get("PATH", os.defpath).split(os.pathsep)
    path = own + [entry for entry in existing if entry not in own]
    return {"PATH": os.pathsep.join(path), "SLIPWAY_HOME": str(paths.root)}


def _tools(paths: Layout, machine: Machine) -> dict[str, str]:
    variables = {
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # Fewer garbage collections in programs that run for seconds: 17 % less time.
        "GOGC": "400",
    }
    if machine.needs_node:
        variables["KUBECONFIG"] = str(paths.kubeconfig)
        # Images that are built here have other digests than those in versions.yaml.
        variables["SLIPWAY_IMAGES_BY_TAG"] = "true"
    if machine.needs_builder:
        variables["DOCKER_CONFIG"] = str(paths.docker)
        variables["BUILDX_CONFIG"] = str(paths.docker / "buildx")
        variables["BUILDX_BUILDER"] = BUILDER
    if machine.needs_pulumi:
        variables["PULUMI_HOME"] = str(paths.pulumi)
    if machine.needs_plugins:
        # Plugins cannot be downloaded here: a missing one is an error at once.
        variables["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
    return variables


def _backend(paths: Layout, given: Mapping[str, str]) -> dict[str, str]:
    variables = {}
    if not given.get("PULUMI_BACKEND_URL"):
        paths.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Without the sidecar files `.attrs`: a process that is killed leaves empty ones behind,
        # which make the state unreadable.
        variables["PULUMI_BACKEND_URL"] = f"file://{paths.state}?metadata=skip"
        # The stack files in the repository have no salt: Pulumi uses the one in the state.
        variables["PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER"] = "true"
    if not (given.get("PULUMI_CONFIG_PASSPHRASE") or given.get("PULUMI_CONFIG_PASSPHRASE_FILE")):
        if not paths.passphrase.exists():
            if any((paths.state / ".pulumi" / "stacks").glob("*/*.json")):
                raise LocalError(
                    f"The passphrase of the stacks in {paths.state} is missing: restore "
                    f"{paths.passphrase} or set PULUMI_CONFIG_PASSPHRASE. Without it their secrets "
                    f"cannot be decrypted; to start without them, remove {paths.state}."
                )
            files.write(paths.passphrase, secrets.token_urlsafe(32), files.PRIVATE)
        variables["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(paths.passphrase)
    return variables
