"""Known vulnerabilities and bugs in the services and their dependencies."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from commands.errors import FAILED, UNCHECKED, CommandError
from commands.go import Go
from commands.supply_chain.python_tool import python_tool
from settings.stack_file import PROJECT_FOLDER

GOVULNCHECK = "golang.org/x/vuln/cmd/govulncheck@v1.3.0"
STATICCHECK = "honnef.co/go/tools/cmd/staticcheck@v0.7.0"
_FOUND = 3  # exit code of govulncheck if it finds vulnerabilities


def audit(folders: Sequence[Path]) -> str:
    """Verify the Go modules; look up vulnerabilities of all installed Python packages.

    ``folders`` are the Go sources of the services, as in the functions below.
    """
    for folder in folders:
        verified = Go(folder).run("mod", "verify")
        if verified.returncode != 0:
            output = f"{verified.stdout}{verified.stderr}".strip()
            raise CommandError(f"go mod verify of {folder}: {output}", FAILED)
    print("go mod verify: all modules verified", flush=True)
    program = python_tool("pip-audit")
    counts = [
        _audited(program, packages)
        for venv_of in (PROJECT_FOLDER / ".venv", PROJECT_FOLDER / "policy" / ".venv")
        for packages in venv_of.glob("lib/python3*/site-packages")
    ]
    return f"pip-audit: no known vulnerability in {sum(counts)} packages"


def _audited(program: Path, packages: Path) -> int:
    done = subprocess.run(
        [program, "--path", packages, "--format", "json", "--progress-spinner", "off"],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        dependencies: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise CommandError(f"pip-audit: not checked: {last}", UNCHECKED) from None
    vulnerabilities = [
        f"  {one['name']} {one['version']}: {vulnerability['id']}, fixed in"
        f" {', '.join(vulnerability['fix_versions']) or 'no version'}"
        for one in dependencies
        for vulnerability in one.get("vulns", ())
    ]
    if vulnerabilities:
        raise CommandError("pip-audit: update these:\n" + "\n".join(vulnerabilities), FAILED)
    skipped = [one["name"] for one in dependencies if "skip_reason" in one]
    if skipped:
        raise CommandError(
            f"pip-audit: not checked: the database has no entry for {len(skipped)} of"
            f" {len(dependencies)} packages, such as {skipped[0]}",
            UNCHECKED,
        )
    return len(dependencies)


def vulncheck(folders: Sequence[Path]) -> str:
    """Look for calls of Go functions with a known vulnerability."""
    for folder in folders:
        done = Go(folder).run_tool(GOVULNCHECK, "./...")
        if done.returncode == _FOUND:
            raise CommandError(f"govulncheck of {folder}:\n{done.stdout.strip()}", FAILED)
        if done.returncode != 0 or done.stderr.strip():
            raise CommandError(f"govulncheck: not checked: {done.stderr.strip()}", UNCHECKED)
    return "govulncheck: no call of a function with a known vulnerability"


def staticcheck(folders: Sequence[Path]) -> str:
    """Look for bugs in the sources."""
    for folder in folders:
        done = Go(folder).run_tool(STATICCHECK, "./...")
        if done.returncode != 0:
            output = f"{done.stdout}{done.stderr}".strip()
            raise CommandError(f"staticcheck of {folder}:\n{output}", FAILED)
    return "staticcheck: nothing found"
