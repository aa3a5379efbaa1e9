"""Servers from Maven Central that run on this machine during a test."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from commands.stack_lock import hold_lock
from local.layout import Layout

_POMS = Path(__file__).parent / "maven"


def jars(name: str) -> Path:
    """Folder of the jars of ``maven/<name>.xml``, which are downloaded if they are missing."""
    if not (shutil.which("java") and (maven := shutil.which("mvn"))):
        pytest.skip(f"{name} needs Java 17 and Maven: apt-get install openjdk-17-jre maven")
    pom = _POMS / f"{name}.xml"
    version = hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    folder = Layout().root / "tools" / f"{name}-{version}"
    with hold_lock(folder.name):
        if not folder.exists():
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            subprocess.run(
                [
                    *(maven, "--quiet", "--batch-mode", "--file", pom),
                    *("dependency:copy-dependencies", f"-DoutputDirectory={partial}"),
                    "-DincludeScope=runtime",
                ],
                check=True,
            )
            partial.rename(folder)
    return folder


def java(folder: Path, heap: str, main_class: str, *arguments: str | Path) -> list[str | Path]:
    """Command of a Java program that ends with the tests, even if they are killed."""
    return [
        *("setpriv", "--pdeathsig", "KILL", "--", "java", f"-Xmx{heap}", "-XX:+UseSerialGC"),
        *("-cp", f"{folder}/*", main_class, *arguments),
    ]
