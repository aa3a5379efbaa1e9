"""``make gitops``: writes the manifests of a stack, and the object that syncs them.

Needs no cluster and no credentials. The folder has ``manifests/``, one file per object, and
``sync.yaml``. Prints the changes of the manifests as ``make diff`` does.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pulumi
from rich.console import Console

from commands.diff import markdown, terminal
from commands.diff.manifests import read
from commands.diff.rendering import Renderings
from commands.diff.report import Report
from commands.errors import CommandError, report_errors
from commands.gitops import argocd, flux
from commands.gitops.sync_name import sync_name
from commands.out_option import out_file, out_folder
from commands.publish import missing_digests
from local import files
from render import RenderedObject, RenderError, objects_of, write
from settings import DeliverySettings, Settings, SettingsError, load
from settings.schema import PROJECT
from settings.secret import ENCRYPTED
from settings.stack_file import PROJECT_FOLDER, path_of, stack_files
from settings.yaml_writer import to_yaml

ENGINES = {"argocd": argocd, "flux": flux}


def write_folder(stack: str, out: Path | None) -> Report:
    """Write the folder ``out``, by default the path in the settings; return the changes.

    Raises :class:`CommandError` before anything is written.
    """
    settings = load(stack, check_sources=True)
    _check(settings, path_of(stack))
    folder = out or PROJECT_FOLDER / str(settings.delivery.path)
    manifests = folder / "manifests"
    try:
        objects = objects_of(stack)
        _check_secrets(objects)
        before = read(manifests)
        write(_annotated(objects, settings), manifests)
    except (pulumi.RunError, RenderError) as error:
        raise CommandError(str(error)) from None
    sync = ENGINES[settings.delivery.engine].sync_objects(
        sync_name(stack), settings.namespace.name, settings.delivery, objects
    )
    files.write(folder / "sync.yaml", "---\n".join(map(to_yaml, sync)))
    return Report(Renderings(stack, before, read(manifests), str(folder), False, ()))


def _annotated(objects: Sequence[RenderedObject], settings: Settings) -> dict[str, str]:
    annotations = ENGINES[settings.delivery.engine].annotations(objects)
    return {one.file: to_yaml(_with(one, annotations[one.file])) for one in objects}


def _with(one: RenderedObject, annotations: dict[str, str]) -> dict[str, object]:
    metadata = one.manifest["metadata"]
    both = {**metadata.get("annotations", {}), **annotations}
    return {**one.manifest, "metadata": {**metadata, **({"annotations": both} if both else {})}}


def _check(settings: Settings, file: Path) -> None:
    """Raise :class:`CommandError` for a stack whose manifests cannot be synced.

    Pulumi owns it, an image is not published, or another stack has the same folder.
    """
    stack_file = file.name
    if not settings.delivery.is_gitops:
        raise CommandError(
            f'{stack_file}: {PROJECT}:delivery.mode is "pulumi", so Pulumi owns the stack: use '
            '"gitops", see docs/gitops.md'
        )
    for message in missing_digests(settings):
        raise CommandError(f"{stack_file}: {message}")
    for other in stack_files(file.parent):
        with suppress(SettingsError):  # it cannot be delivered either
            delivery = load(str(other)).delivery
            if other.name != stack_file and _place(delivery) == _place(settings.delivery):
                raise CommandError(
                    f"{stack_file}: {PROJECT}:delivery.path is {settings.delivery.path}: use "
                    f"another one, {other.name} has the same"
                )


def _place(delivery: DeliverySettings) -> tuple[object, ...]:
    """Where the manifests are. Each of two stacks would delete the other's objects there."""
    return delivery.mode, delivery.repository, delivery.revision, delivery.path


def _check_secrets(objects: Sequence[RenderedObject]) -> None:
    """Raise :class:`CommandError` for a manifest with the value of a secret.

    The settings refuse these by key. This check does not depend on them.
    """
    for one in objects:
        if one.manifest["kind"] == "Secret" or ENCRYPTED in one.text:
            raise CommandError(f"{one.file} has the value of a secret: use an external secret")


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Write the folder and print the changes; return the exit code."""
    parser = argparse.ArgumentParser(prog="commands.gitops", description=__doc__)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--out", type=out_folder, help="folder; by default as in the settings")
    parser.add_argument("--diff", type=out_file, help="file for the changes as Markdown")
    options = parser.parse_args(arguments)
    report = write_folder(options.stack, options.out)
    if options.diff:
        full_report = Path("out") / "diff" / f"{report.stack}.txt"
        text, is_cut = markdown.comment(report, full_report)
        files.write(options.diff, text)
        if is_cut:
            files.write(PROJECT_FOLDER / full_report, terminal.plain(report))
    terminal.show(report, Console())
    return 0


if __name__ == "__main__":
    sys.exit(main())
