"""The software bill of materials: what the service is made of, as CycloneDX."""

import json
import uuid
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from commands.errors import FAILED, CommandError
from commands.supply_chain.go import APP, Go
from local import files


def sbom(out: Path) -> str:
    """Write the modules of the service as the image has it."""
    with TemporaryDirectory() as folder:
        program = str(Path(folder) / "beacon")
        go = Go()
        built = go.run("build", "-tags", "timetzdata,nethttpomithttp2", "-o", program, ".")
        if built.returncode != 0:
            raise CommandError(f"app/ does not build: {built.stderr.strip()}", FAILED)
        told = go.run("version", "-m", "-json", program)
    info = json.loads(told.stdout)
    info = info[0] if isinstance(info, list) else info
    document = cyclonedx(info, (APP / "VERSION").read_text().strip())
    files.write(out, json.dumps(document, indent=2) + "\n")
    return f"{len(document['components'])} components in {out}"


def cyclonedx(info: dict[str, Any], version: str) -> dict[str, Any]:
    """A CycloneDX 1.6 document of what Go wrote into a program."""
    modules = [one.get("Replace") or one for one in info.get("Deps") or []]
    standard = {"Path": "stdlib", "Version": info["GoVersion"].removeprefix("go")}
    own = {"type": "application", "bom-ref": "service", "name": "beacon", "version": version}
    components = [
        {
            "type": "library",
            "bom-ref": f"pkg:golang/{one['Path']}@{one['Version']}",
            "name": one["Path"],
            "version": one["Version"],
            "purl": f"pkg:golang/{one['Path']}@{one['Version']}",
        }
        for one in [standard, *modules]
    ]
    uses = [one["bom-ref"] for one in components]
    content: dict[str, Any] = {
        "metadata": {"component": own},
        "components": components,
        "dependencies": [{"ref": "service", "dependsOn": uses}],
    }
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        # Of the content: the same modules are the same document.
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content)).urn,
        "version": 1,
        **content,
    }
