"""Pulumi CLI commands on one stack."""

import json
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from datetime import datetime
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from commands.errors import FAILED, CommandError
from commands.file_backend import FileBackend, without_sidecars
from commands.parent_signal import signal_with_parent
from commands.stack_file import complete_file, remove_encryption_salt
from commands.stack_lock import WAIT_SECONDS
from commands.unsafe_options import check_variables
from settings import PROJECT, SettingsError, merged_service
from settings.stack_config import merged
from settings.stack_file import PROJECT_FOLDER, path_of
from settings.yaml_writer import to_yaml

_SALT_FROM_STATE = {"PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true"}
"""Without a salt in the stack file, Pulumi uses that of the state, so all machines share one."""
_STACK = "pulumi:pulumi:Stack"
_RECENT = 10
"""Number of entries of the history that :meth:`Stack.select` reads."""
_NAMESPACE = "kubernetes:core/v1:Namespace"
_CLUSTER_OPERATOR = re.compile(
    r"slipway:platform:(\w+)\$kubernetes:rbac\.authorization\.k8s\.io/v1:ClusterRole::"
)
"""Part of the URN of an operator's ClusterRole."""
_DEPLOYMENT = "kubernetes:apps/v1:Deployment"
_CANARY = "kubernetes:flagger.app/v1beta1:Canary"
_MESH = "kubernetes:security.istio.io/v1:PeerAuthentication"
_NEVER = "1970-01-01T00:00:00Z"
_PASSPHRASE_FILE = "PULUMI_CONFIG_PASSPHRASE_FILE"  # noqa: S105  # name of a variable
_UNREADABLE = "ERROR_UNABLE_TO_DECRYPT"
"""Placeholder in the history for a secret that another secrets provider has encrypted."""
_DEBUG_OPTION = re.compile(r"--debug|-\w*d")
"""Option of the CLI that shows debug messages, also after other short options."""
_DEBUG_VARIABLE = "PULUMI_OPTION_DEBUG"
"""The option as a variable."""
IMAGE_TYPES = ("docker-build:index:Image", "docker:index/image:Image")


_PROGRAM_MODULES = (
    "commands.program_server",
    "components.observability.observability",
    "components.platform.platform",
    "components.service.service",
)
"""Modules that import nearly all that the program does."""


def preload_program() -> None:
    """Start to import what the program imports, in a thread."""
    threading.Thread(target=import_program, daemon=True).start()


def import_program() -> None:
    """Import what the program imports."""
    for name in _PROGRAM_MODULES:
        # The CLI shows the error of the program.
        with suppress(Exception):
            import_module(name)


def _served_program(
    environment: Mapping[str, str], arguments: Iterable[str]
) -> AbstractContextManager[str]:
    """Serve the program for a run of the CLI with these arguments."""
    from commands.program_server import served_program  # noqa: PLC0415 # imports the SDK

    logs_debug = _DEBUG_VARIABLE in environment or any(map(_DEBUG_OPTION.match, arguments))
    return served_program(environment, logs_debug=logs_debug)


def _from_json(text: str) -> Any:  # noqa: ANN401
    """A value of the configuration: JSON, or the text itself."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _namespace_and_name(identifier: str) -> Sequence[str]:
    namespace, _, name = identifier.rpartition("/")
    return namespace, name


class Stack:
    """One stack of the project.

    ``environment`` has the variables of the CLI: ``PATH``, backend, passphrase. Raises
    :class:`CommandError` for one that makes the CLI write secrets in plain text.
    """

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        check_variables(environment)
        self.name = name
        url = without_sidecars(environment.get("PULUMI_BACKEND_URL", ""))
        self.environment = {
            **environment,
            **_SALT_FROM_STATE,
            **({"PULUMI_BACKEND_URL": url} if url else {}),
        }
        self._backend = FileBackend.of(url, PROJECT_FOLDER, name)
        self._state: dict[str, Any] = {}
        self.output: Path | None = None
        """File to which the output of the commands is appended. None: that of this process."""
        self._is_selected = False
        self._recent: list[dict[str, Any]] | None = None

    def select(self, check: Callable[[], None] = lambda: None, *, repair: bool = True) -> None:
        """Create the stack if it is new. With ``repair``, refresh the state of a failed update.

        ``check`` is called before the refresh, which removes objects from the state that the
        cluster does not have. Nothing is done again until the next update.
        """
        if self._is_selected:
            return
        is_from_backup = repair and self._repair_backend()
        state = self._state_in_folder()
        if state is None:
            self._run("stack", "select", "--create", self.name, capture=True)
        if not repair:
            return
        # In parallel: each start of the CLI takes a third of a second, and neither command writes a
        # file.
        with ThreadPoolExecutor() as pool:
            history = pool.submit(self._recent_history)
            if state is None:
                state = self._export()
        self._recent = history.result()
        has_failed = bool(self._recent) and self._recent[0]["result"] != "succeeded"
        self._state = state
        check()
        # The state of an interrupted update has the objects before their change. Creating resources
        # again whose creation is pending is safe: every object has a fixed name, and server-side
        # apply adopts an existing one.
        is_outdated = is_from_backup or has_failed or bool(state.get("pending_operations"))
        if is_outdated:
            self._refresh()
        self._is_selected = not is_outdated

    def read(self) -> None:
        """Read the state and the newest updates, and change nothing.

        Both are empty before the first update.
        """
        self._state = self.deployment() or {}
        self._recent = self._recent_history() if self._state else []

    @property
    def state_time(self) -> str:
        """Time of the last change of the state, as of :meth:`select` or :meth:`read`."""
        return self._state.get("manifest", {}).get("time", "")

    def namespaces(self) -> dict[str, str]:
        """Return the UID of each namespace of the stack, as of :meth:`select` or :meth:`read`."""
        resources = (
            resource
            for resource in self._state.get("resources", ())
            if resource["type"] == _NAMESPACE
        )
        uids = {
            resource["id"]: resource.get("outputs", {}).get("metadata", {}).get("uid")
            for resource in resources
        }
        return {name: uid for name, uid in uids.items() if uid}

    def tainted(self) -> Sequence[str]:
        """Return the names of the Kubernetes objects that ``pulumi state taint`` has marked."""
        return [one["urn"].rpartition("::")[2] for one in self._objects() if one.get("taint")]

    def has_canaries(self) -> bool:
        """Return True if the stack has a Canary of Flagger, as of :meth:`select`."""
        return any(one["type"] == _CANARY for one in self._objects())

    def has_mesh(self) -> bool:
        """Return True if the services were in Istio's mesh, as of :meth:`select`."""
        return any(one["type"] == _MESH for one in self._objects())

    def deployments(self) -> set[str]:
        """Return the names of the Deployments in the state, as of :meth:`select`."""
        found = (one for one in self._objects() if one["type"] == _DEPLOYMENT)
        return {one.get("id", "").rpartition("/")[2] for one in found}

    def cluster_operators(self) -> set[str]:
        """Return the components of the operators that have access to the whole cluster.

        Such as ``CertManager``, as of :meth:`select`.
        """
        found = (
            _CLUSTER_OPERATOR.search(one["urn"]) for one in self._objects() if not one.get("delete")
        )
        return {match[1] for match in found if match}

    def keep_moved_back(self, namespaces: Iterable[str]) -> None:
        """Keep the objects of an interrupted move out of these namespaces.

        The state has the deletion of such an object as pending. An update back to the namespace
        would adopt the object, and then delete it.
        """
        if not any(one.get("delete") for one in self._objects()):
            return
        # Another than that of `select`, which may have refreshed it.
        exported = json.loads(self._run("stack", "export", "--stack", self.name, capture=True))
        resources = exported["deployment"]["resources"]
        live = {one["urn"]: one.get("id", "") for one in resources if not one.get("delete")}

        def is_moved_back(one: Mapping[str, Any]) -> bool:
            namespace, name = _namespace_and_name(one.get("id", ""))
            is_moved = name == _namespace_and_name(live.get(one["urn"], ""))[1]
            return bool(one.get("delete")) and is_moved and namespace in namespaces

        kept = [one for one in resources if not is_moved_back(one)]
        if len(kept) == len(resources):
            return
        exported["deployment"]["resources"] = kept
        with TemporaryDirectory(prefix="slipway-") as folder:
            file = Path(folder) / "state.json"
            file.write_text(json.dumps(exported))
            self._run("stack", "import", "--file", str(file), "--stack", self.name, capture=True)

    def _objects(self) -> Iterator[dict[str, Any]]:
        for resource in self._state.get("resources", ()):
            if resource["type"].startswith("kubernetes:"):
                yield resource

    def services(self) -> Mapping[str, Any]:
        """Return the output of each service in the last update, as of :meth:`select`.

        Or of :meth:`read`.
        """
        return _outputs(self._state).get("services", {})

    def images(self) -> Mapping[str, str]:
        """Return the URN of each built image by its name, as of :meth:`select`."""
        resources = self._state.get("resources", ())
        found = (
            one["urn"] for one in resources if one["type"] in IMAGE_TYPES and not one.get("delete")
        )
        return {urn.rpartition("::")[2]: urn for urn in found}

    def up(self, *arguments: str) -> None:
        """Run ``pulumi up``.

        The history gets the complete configuration, also of a stack file that extends another one.
        """
        self._is_selected = False
        with ExitStack() as context:
            config: Sequence[str] = ()
            if "--config-file" not in arguments:
                file = context.enter_context(complete_file(self.name))
                config = () if file == path_of(self.name) else ("--config-file", str(file))
            client = context.enter_context(_served_program(self.environment, arguments))
            self._run("up", "--stack", self.name, *config, *arguments, "--client", client)

    def preview(self, *arguments: str) -> None:
        """Run ``pulumi preview``."""
        with _served_program(self.environment, arguments) as client:
            self._run("preview", "--stack", self.name, *arguments, "--client", client)

    def destroy(self, *arguments: str) -> None:
        """Run ``pulumi destroy``."""
        self._run("destroy", "--stack", self.name, *arguments)

    def forget(self) -> None:
        """Remove every object from the state and keep it in the cluster.

        Waits for running updates.
        """
        self.select(repair=False)
        self.repair_backend()
        deployment = self.deployment() or {}
        if deployment.get("resources"):
            self._run(
                *("state", "delete", "--all", "--force", "--yes", "--stack", self.name),
                capture=True,
            )

    def deployment(self) -> dict[str, Any] | None:
        """Return the deployment in the state, with encrypted secrets; None if there is no stack."""
        try:
            return self._export()
        except CommandError as error:
            if "no stack named" not in str(error):
                raise
            return None

    def repair_backend(self) -> None:
        """Wait for running updates, and repair what a killed process left in the backend."""
        self._repair_backend()

    def change_secrets_provider(self, provider: str, folder: Path, passphrase: str) -> None:
        """Run ``pulumi stack change-secrets-provider`` with the stack file in ``folder``.

        The stack file of the project is unchanged. ``passphrase`` is the new one, if the current
        provider is a passphrase too.
        """
        environment = dict(self.environment)
        if self._backend:
            query = environment["PULUMI_BACKEND_URL"].partition("?")[2]
            environment["PULUMI_BACKEND_URL"] = f"file://{self._backend.folder.parent}?{query}"
        if file := environment.get(_PASSPHRASE_FILE):
            environment[_PASSPHRASE_FILE] = str(PROJECT_FOLDER / Path(file).expanduser())
        self._run(
            *("stack", "change-secrets-provider", provider, "--stack", self.name),
            capture=True,
            folder=folder,
            environment=environment,
            stdin=f"{passphrase}\n",
        )

    def outputs(self) -> dict[str, Any]:
        """Return the outputs of the last update; empty before the first one.

        An output that is a secret is encrypted.
        """
        return _outputs(self._export())

    def secret(self, path: str) -> str:
        """Return a decrypted value of the configuration, by its path below ``slipway:``."""
        text = self._run(
            *("config", "get", "--json", "--path", f"slipway:{path}", "--stack", self.name),
            capture=True,
        )
        return json.loads(text)["value"]

    def releases(self, service: str) -> Iterator[dict[str, Any]]:
        """Yield the ``release`` of a service in each successful update, newest first."""
        for sections in self.configurations():
            if release := merged_service(sections, service).get("release"):
                yield release

    def configurations(self, before: datetime | None = None) -> Iterator[Mapping[str, Any]]:
        """Yield the sections of the configuration of each successful update, newest first.

        With ``before``, of those that were started earlier. Secrets are decrypted.
        """
        yield from (sections for _, sections in self.updates(before))

    def updates(self, before: datetime | None = None) -> Iterator[tuple[float, Mapping[str, Any]]]:
        """Yield the end of each successful update, in Unix time, with its configuration.

        As :meth:`configurations`, without updates before a change of the secrets provider.
        """
        for update in self._successful_updates():
            if not _is_readable(update):
                continue
            if before and datetime.fromisoformat(update["startTime"]) >= before:
                continue
            sections = {
                key.removeprefix(f"{PROJECT}:"): _from_json(one.get("value", "{}"))
                for key, one in update.get("config", {}).items()
                if key.startswith(f"{PROJECT}:")
            }
            ended = datetime.fromisoformat(update.get("endTime", _NEVER))
            # One of `pulumi up`, without `make`, may extend another one.
            with suppress(SettingsError):
                sections = merged(sections, path_of(self.name))
            yield ended.timestamp(), sections

    def deployed_commit(self) -> str | None:
        """Return the commit of the last successful update; None if it was made without git."""
        last = next(self._successful_updates(), {})
        return last.get("environment", {}).get("git.head") or None

    @contextmanager
    def deployed_configuration(self) -> Iterator[Path | None]:
        """Write the configuration of the last update to a stack file in a temporary folder.

        Secrets are encrypted, as in the project's stack file. None before the first update. Raises
        :class:`CommandError` if the secrets provider was changed after it.
        """
        newest = self._history("--page-size", "1") if self._recent is None else self._recent
        if newest and not _is_readable(newest[0]):
            raise CommandError(
                f"the secrets provider of {self.name} was changed after its last update, whose "
                f"configuration cannot be read now: run `make up STACK={self.name}` first"
            )
        with TemporaryDirectory(prefix="slipway-") as folder:
            file = Path(folder) / f"Pulumi.{self.name}.yaml"
            # Without a start of the CLI, which a rollback would wait for.
            if self._backend and (config := self._backend.configuration()) is not None:
                file.write_text(to_yaml({"config": config}, sort_keys=False))
                yield file
                return
            options = ("--force", "--config-file", str(file), "--stack", self.name)
            try:
                self._run("config", "refresh", *options, capture=True)
            except CommandError as error:
                if "no previous deployment" not in str(error):
                    raise
                yield None
            else:
                yield file

    def _successful_updates(self) -> Iterator[dict[str, Any]]:
        recent = self._recent or []
        yield from _successful_updates(recent)
        if self._recent is None or len(recent) == _RECENT:
            yield from _successful_updates(self._history()[len(recent) :])

    def _recent_history(self) -> list[dict[str, Any]]:
        updates = self._backend.updates(_RECENT) if self._backend else None
        return self._history("--page-size", str(_RECENT)) if updates is None else updates

    def _history(self, *options: str) -> list[dict[str, Any]]:
        # The value of a key that contains a secret is only shown with the secret.
        arguments = ("--json", "--show-secrets", *options, "--stack", self.name)
        return json.loads(self._run("stack", "history", *arguments, capture=True) or "[]")

    def _repair_backend(self) -> bool:
        """Remove stale locks and repair files; return True if the state is that of a backup."""
        if self._backend is None:
            return False
        self._wait_for_lock(self._backend)
        return self._backend.repair()

    def _state_in_folder(self) -> dict[str, Any] | None:
        """The state, if it can be read without the CLI."""
        return self._backend.state() if self._backend else None

    def _export(self) -> dict[str, Any]:
        if (state := self._state_in_folder()) is not None:
            return state
        text = self._run("stack", "export", "--stack", self.name, capture=True)
        return json.loads(text).get("deployment") or {}

    def _refresh(self) -> None:
        # By default a refresh records the configuration of the stack file in the history, although
        # it is not deployed yet.
        is_readable = not self._recent or _is_readable(self._recent[0])
        with self.deployed_configuration() if is_readable else nullcontext() as file:
            self._run(
                "refresh",
                *("--yes", "--skip-preview", "--clear-pending-creates"),
                *(["--config-file", str(file)] if file else []),
                *("--stack", self.name),
            )

    def _wait_for_lock(self, backend: FileBackend) -> None:
        """Wait while a running process locks the stack, and remove stale locks."""
        deadline = time.monotonic() + WAIT_SECONDS
        is_first_try = True
        while locks := list(backend.locks()):
            backend.remove([lock for lock in locks if lock.is_stale])
            held = [lock for lock in locks if not lock.is_stale]
            if not held:
                return
            if time.monotonic() > deadline:
                raise CommandError(
                    f"another update of {self.name} ({held[0]}) did not "
                    f"end within {WAIT_SECONDS} s: end it, then run this again. If another program "
                    "has its process ID by now, run `pulumi cancel`",
                    FAILED,
                )
            if is_first_try:
                print(f"waiting for another update of {self.name} ({held[0]}) to end")
                is_first_try = False
            time.sleep(0.5)

    def _run(
        self,
        *arguments: str,
        capture: bool = False,
        folder: Path = PROJECT_FOLDER,
        environment: Mapping[str, str] | None = None,
        stdin: str | None = None,
    ) -> str:
        if self._backend:
            self._backend.remove_broken_sidecars()
        # It saves its state, and ends.
        command = [*signal_with_parent("INT"), "pulumi", *arguments]
        if capture:
            command.append("--non-interactive")
        with self._opened_output() as output:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment or self.environment,
                text=True,
                stdin=None if stdin is None else subprocess.PIPE,
                stdout=subprocess.PIPE if capture else output,
                stderr=subprocess.PIPE if capture else output,
            )
        try:
            with _forward_signals(process):
                out, err = process.communicate(stdin)
        finally:
            remove_encryption_salt(self.name)
        if process.returncode != 0:
            detail = f":\n{err.strip()}" if capture and err else ""
            if self._backend and (unreadable := self._backend.unreadable_files()):
                detail = f": {unreadable[0]} is incomplete, `make up` repairs it{detail}"
            raise CommandError(f"pulumi {arguments[0]} of {self.name} failed{detail}", FAILED)
        return out or ""

    def _opened_output(self) -> "AbstractContextManager[IO[bytes] | None]":
        if self.output is None:
            return nullcontext()
        self.output.parent.mkdir(parents=True, exist_ok=True)
        return self.output.open("ab")


def _outputs(state: Mapping[str, Any]) -> dict[str, Any]:
    for resource in state.get("resources", ()):
        if resource["type"] == _STACK:
            return resource.get("outputs", {})
    return {}


def _is_readable(update: Mapping[str, Any]) -> bool:
    """False if another secrets provider has encrypted the configuration of an update."""
    return all(one.get("value") != _UNREADABLE for one in update.get("config", {}).values())


def _successful_updates(history: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for update in history:
        if update.get("kind") == "update" and update.get("result") == "succeeded":
            yield update


@contextmanager
def _forward_signals(process: "subprocess.Popen[str]") -> Iterator[None]:
    """Let Pulumi handle Ctrl-C and termination: it saves its state before it ends."""
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers belong to the main thread
        return
    # The terminal sends Ctrl-C to Pulumi too; a second signal would make it stop without saving.
    interrupt = signal.signal(signal.SIGINT, lambda *_: None)
    terminate = signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, terminate)
