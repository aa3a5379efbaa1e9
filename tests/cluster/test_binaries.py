"""Programs of ``make binaries``, by the headers of their files."""

import struct
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.project import Project

ELF, MACH_O, PE = b"\x7fELF", b"\xcf\xfa\xed\xfe", b"MZ"
EXPECTED = {
    "linux_amd64": (ELF, 62),
    "linux_arm64": (ELF, 183),
    "darwin_amd64": (MACH_O, 0x0100_0007),
    "darwin_arm64": (MACH_O, 0x0100_000C),
    "windows_amd64.exe": (PE, 0x8664),
    "windows_arm64.exe": (PE, 0xAA64),
}
"""Format of the file, and the number of the CPU in it."""


def header(program: Path) -> tuple[bytes, int]:
    content = program.read_bytes()
    if content.startswith(PE):
        (start,) = struct.unpack_from("<I", content, 0x3C)
        assert content[start : start + 4] == b"PE\0\0"
        return PE, struct.unpack_from("<H", content, start + 4)[0]
    at, size = (18, "<H") if content.startswith(ELF) else (4, "<I")
    return content[:4], struct.unpack_from(size, content, at)[0]


def test_a_service_is_compiled_for_each_system_and_cpu(
    cli_environment: Mapping[str, str], tmp_path: Path
) -> None:
    project = Project.copy(tmp_path / "project", "test-binaries", cli_environment)
    source = project.folder / "tool"
    source.mkdir()
    (source / "go.mod").write_text("module example.com/tool\n\ngo 1.26\n")
    (source / "main.go").write_text("package main\n\nfunc main() {}\n")
    with project.service() as service:
        service["source"] = "tool"
    printed = project.make("binaries", "SERVICE=beacon").stdout.split()
    found = {name.split("_", 2)[2]: header(project.folder / name) for name in printed}
    assert found == EXPECTED
