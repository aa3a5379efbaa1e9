"""The loop of ``make dev``: build, install, show the log lines, wait for an edit."""

import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from watchfiles import Change, DefaultFilter, watch

from commands.control_characters import escape_control_characters
from commands.dev.deployment import dev_deployment_of
from commands.dev.image import DeployedImage, reloader_image
from commands.dev.program import BuildError, Program, build_reloader
from commands.errors import CommandError
from commands.logs import LineFormatter
from commands.observability_client import LogLine
from settings import Service, Settings

QUIET_MILLISECONDS = 30
"""Time without a change after which the changes are built: editors write several files."""
_MAX_WAIT_MILLISECONDS = 300
_RECONNECT_SECONDS = 0.5


class DevLoop:
    """Runs the working tree of one service in the cluster until Ctrl-C.

    ``environment`` has the variables for kubectl and buildx.
    """

    def __init__(
        self, settings: Settings, stack: str, service: Service, environment: Mapping[str, str]
    ) -> None:
        if service.source is None:
            key = f"slipway:services.{service.name}.source"
            raise CommandError(f"{key} is missing: `make dev` builds the source")
        if service.is_knative:
            key = f"slipway:services.{service.name}.workload.kind"
            raise CommandError(f'{key} is "knative": `make dev` needs a Deployment')
        if service.release.canary:
            raise CommandError(
                f"{service.name} has a canary: `make promote` or `make rollback` ends it"
            )
        self._settings = settings
        self._service = service
        self._environment = environment
        self._console = Console()
        self._deployment = dev_deployment_of(settings, stack, service.name, environment)

    def run(self, image: str) -> None:
        """Run the working tree instead of ``image``, the reference that is deployed."""
        deployed = DeployedImage.read(image, self._environment)
        if not deployed.entrypoint and not deployed.arguments:
            raise CommandError(f"{image} has no command to replace")
        with TemporaryDirectory(prefix="slipway-dev-") as folder:
            out = Path(folder)
            program = Program(self._service, deployed.architecture, out)
            self._build(program)
            repository = self._settings.image_name(self._service)
            (out / "image").mkdir()
            compiled = build_reloader(deployed.architecture, out / "image")
            reloader = reloader_image(
                repository, compiled, deployed.architecture, self._environment
            )
            with _interrupt_on_termination():
                self._run(program, deployed, reloader)

    def _run(self, program: Program, image: DeployedImage, reloader: str) -> None:
        ended = threading.Event()
        name = self._service.name
        try:
            self._deployment.start(name, image, reloader)
            logs = threading.Thread(target=self._show_logs, args=(ended,), daemon=True)
            logs.start()
            self._install(program)
            self._console.print(
                f"{program.context} runs as {name}; it is built again after each edit. Ctrl-C "
                "restores the stack",
                soft_wrap=True,
                highlight=False,
            )
            self._watch(program)
        except KeyboardInterrupt:
            self._console.print(f"restoring {name}", highlight=False)
        finally:
            ended.set()
            self._deployment.end()
        self._console.print(f"{name} is restored", highlight=False)

    def _watch(self, program: Program) -> None:
        changes = watch(
            program.context,
            watch_filter=SourceFilter(),
            step=QUIET_MILLISECONDS,
            debounce=_MAX_WAIT_MILLISECONDS,
        )
        for changed in changes:
            edited = _newest(changed)
            if self._build(program):
                self._install(program, edited)

    def _build(self, program: Program) -> bool:
        """Build the program; show the compiler's errors and return False if it does not compile."""
        started = time.monotonic()
        try:
            program.build()
        except BuildError as error:
            self._console.print(
                escape_control_characters(str(error), keep="\t\n"),
                style="red",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
            return False
        self._console.print(f"built in {time.monotonic() - started:.1f} s", style="dim")
        return True

    def _install(self, program: Program, edited: float | None = None) -> None:
        self._deployment.install(self._service.name, program.file)
        after = f" {time.time() - edited:.1f} s after the edit" if edited else ""
        self._console.print(f"running{after}", style="bold", highlight=False)

    def _show_logs(self, ended: threading.Event) -> None:
        """Print the log lines of the container; continue with the next container or pod."""
        last = time.time_ns()
        formatter = LineFormatter(self._settings)
        labels = {"service_name": self._service.name}
        while not ended.is_set():
            since = datetime.fromtimestamp(last / 1e9, UTC).isoformat()
            process = self._deployment.logs(self._service.name, since)
            for line in process.stdout or ():
                at, text = parse_line(line)
                if at > last:
                    last = at
                    line_of_pod = LogLine(at, labels, text)
                    self._console.print(formatter.format(line_of_pod), soft_wrap=True)
                if ended.is_set():
                    process.terminate()
            process.wait()
            ended.wait(_RECONNECT_SECONDS)


class SourceFilter(DefaultFilter):
    """All files except Go tests and those of editors, caches and version control."""

    def __call__(self, change: Change, path: str) -> bool:
        return not path.endswith("_test.go") and super().__call__(change, path)


def _newest(changes: "set[tuple[Change, str]]") -> float:
    """Time of the last edit, in seconds."""
    times = [Path(path).stat().st_mtime for _, path in changes if Path(path).exists()]
    return max(times, default=time.time())


def parse_line(line: str) -> tuple[int, str]:
    """Nanoseconds and text of a line of ``kubectl logs --timestamps``."""
    stamp, _, text = line.rstrip("\n").partition(" ")
    seconds, _, fraction = stamp.rstrip("Z").partition(".")
    at = datetime.fromisoformat(f"{seconds}+00:00")
    return int(at.timestamp()) * 10**9 + int(fraction.ljust(9, "0")), text


@contextmanager
def _interrupt_on_termination() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM, as on Ctrl-C, also in the background of a shell."""
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    terminate = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, terminate)
