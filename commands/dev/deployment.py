"""Deployment that stands in for a service's own one during ``make dev``."""

import copy
import json
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from commands.dev.image import DeployedImage
from commands.errors import FAILED, CommandError
from commands.kubectl import kubectl_command
from components.labels import Identity
from local import files
from local.layout import Layout
from settings import Settings
from settings.project import project_name

FIELD_MANAGER = "slipway-dev"
LABEL = {"slipway.dev/dev": "true"}
"""Label of the stand-in and of its pods, besides those of the pods that they replace."""
ROLLOUT_SECONDS = 120
_FOLDER = "/slipway-dev"
_RELOADER, _PROGRAM = f"{_FOLDER}/reloader", f"{_FOLDER}/program"


class DevDeployment:
    """One pod with the settings of a Deployment's pods, whose program can be replaced.

    The declared Deployment has no replicas meanwhile. ``record`` is a file that exists as long as
    the declared one has to be restored. ``kubectl`` is the command with context and namespace.
    """

    def __init__(
        self, name: str, kubectl: Sequence[str], environment: Mapping[str, str], record: Path
    ) -> None:
        self.name = f"{name}-dev"
        self._declared = name
        self._kubectl = kubectl
        self._environment = environment
        self._record = record

    def start(self, container: str, image: DeployedImage, reloader: str) -> None:
        """Start the pod, then stop those of the declared Deployment.

        ``image`` is the container's; ``reloader`` is the reference of another one.
        """
        declared = json.loads(
            self._run("get", "deployment", self._declared, "--output=json", capture=True)
        )
        stand_in = dev_deployment(declared, container, image, reloader)
        files.write(self._record, json.dumps({"replicas": declared["spec"]["replicas"]}))
        self._run(
            "create", "--filename=-", f"--field-manager={FIELD_MANAGER}", text=json.dumps(stand_in)
        )
        self._run("rollout", "status", f"deployment/{self.name}", f"--timeout={ROLLOUT_SECONDS}s")
        self._scale(0)

    def install(self, container: str, program: Path) -> None:
        """Replace the program in the pod, and start it."""
        target = ("--stdin", f"deployment/{self.name}", f"--container={container}")
        with program.open("rb") as content:
            self._run("exec", *target, "--", _RELOADER, "install", _PROGRAM, stdin=content)

    def end(self) -> None:
        """Restore the declared Deployment and delete the stand-in. Nothing without a record."""
        if not self._record.exists():
            return
        with _without_interrupts():
            recorded = json.loads(self._record.read_text())
            self._scale(max(1, recorded["replicas"]))
            # The stand-in is one pod too, and the cluster may have no room for the others yet.
            self._run(
                *("wait", f"deployment/{self._declared}", f"--timeout={ROLLOUT_SECONDS}s"),
                "--for=jsonpath={.status.availableReplicas}",
            )
            self._release_fields()
            self._run("delete", "deployment", self.name, "--ignore-not-found")
            self._record.unlink()

    def logs(self, container: str, since: str) -> "subprocess.Popen[str]":
        """Start kubectl, which prints the log lines since a time in RFC 3339, with timestamps."""
        return subprocess.Popen(
            [
                *self._kubectl,
                *("logs", f"deployment/{self.name}", f"--container={container}", "--follow"),
                *("--timestamps", f"--since-time={since}"),
            ],
            env=dict(self._environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
        )

    def _scale(self, replicas: int) -> None:
        patch = json.dumps({"spec": {"replicas": replicas}})
        self._run(
            *("patch", "deployment", self._declared, "--subresource=scale", "--type=merge"),
            *(f"--patch={patch}", f"--field-manager={FIELD_MANAGER}"),
        )

    def _release_fields(self) -> None:
        """Give up the ownership of fields: a later change by Pulumi would conflict."""
        arguments = ("get", "deployment", self._declared, "--output=json", "--show-managed-fields")
        managers = json.loads(self._run(*arguments, capture=True))["metadata"]["managedFields"]
        kept = [one for one in managers if one["manager"] != FIELD_MANAGER]
        patch = json.dumps([{"op": "replace", "path": "/metadata/managedFields", "value": kept}])
        self._run("patch", "deployment", self._declared, "--type=json", f"--patch={patch}")

    def _run(
        self,
        *arguments: str,
        text: str | None = None,
        stdin: "IO[bytes] | None" = None,
        capture: bool = False,
    ) -> str:
        done = subprocess.run(
            [*self._kubectl, *arguments],
            env=dict(self._environment),
            input=text,
            stdin=stdin if text is None else None,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise CommandError(f"kubectl {arguments[0]}: {done.stderr.strip()}", FAILED)
        return done.stdout if capture else ""


def dev_deployment(
    declared: Mapping[str, Any], container: str, image: DeployedImage, reloader: str
) -> dict[str, Any]:
    """The stand-in for a Deployment: its pod template with the reloader and a volume for it."""
    spec = copy.deepcopy(declared["spec"])
    template = spec["template"]
    template["metadata"]["labels"] |= LABEL
    pod = template["spec"]
    main = next(one for one in pod["containers"] if one["name"] == container)
    # Until the declared pods have ended, both Deployments have pods: fit on a full node.
    if "cpu" in main.get("resources", {}).get("requests", {}):
        main["resources"]["requests"]["cpu"] = "10m"
    mount = {"name": FIELD_MANAGER, "mountPath": _FOLDER}
    pod["initContainers"] = [
        *pod.get("initContainers", ()),
        {
            "name": FIELD_MANAGER,
            "image": reloader,
            "command": ["/reloader", "copy", _RELOADER],
            "securityContext": main.get("securityContext", {}),
            "resources": main.get("resources", {}),
            "volumeMounts": [mount],
        },
    ]
    main["command"] = [_RELOADER, "run", _PROGRAM, *image.command(main)]
    main.pop("args", None)
    main["volumeMounts"] = [*main.get("volumeMounts", ()), mount]
    # A volume in memory: programs may exceed the limit on ephemeral storage.
    volume = {"name": FIELD_MANAGER, "emptyDir": {"medium": "Memory"}}
    pod["volumes"] = [*pod.get("volumes", ()), volume]
    pod["nodeSelector"] = {**pod.get("nodeSelector", {}), "kubernetes.io/arch": image.architecture}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": f"{declared['metadata']['name']}-dev",
            "labels": {
                **declared["metadata"]["labels"],
                **LABEL,
                "app.kubernetes.io/managed-by": FIELD_MANAGER,
            },
        },
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": {**spec["selector"]["matchLabels"], **LABEL}},
            "template": template,
        },
    }


def end_interrupted_sessions(
    settings: Settings, stack: str, environment: Mapping[str, str]
) -> None:
    """Restore the services of a stack whose ``make dev`` was killed on this machine."""
    for record in sorted(_records(stack).glob("*.json")):
        print(f"restoring {record.stem} after a `make dev` that was interrupted", flush=True)
        dev_deployment_of(settings, stack, record.stem, environment).end()


def dev_deployment_of(
    settings: Settings, stack: str, service: str, environment: Mapping[str, str]
) -> DevDeployment:
    """Return the stand-in for the Deployment of a service that gets the requests."""
    namespace, context = settings.namespace.name, settings.cluster.context
    kubectl = [*kubectl_command(context), "--namespace", namespace]
    current = settings.services.get(service)
    track = current.release.object_track("stable") if current else "stable"
    name = Identity(service, namespace, track).object_name
    return DevDeployment(name, kubectl, environment, _records(stack) / f"{service}.json")


def _records(stack: str) -> Path:
    return Layout().root / "dev-sessions" / project_name() / stack


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C, also in the programs that are started."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
