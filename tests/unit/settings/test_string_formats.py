"""String formats, and the types of quantities, durations and IntOrPercent."""

from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from settings import quantities, string_formats


def accepts(kind: Any, value: object) -> bool:
    try:
        TypeAdapter(kind).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (
            string_formats.DnsLabel,
            ["a", "a-1", "a" * 63],
            ["", "A", "-a", "a-", "a.b", "a" * 64, "a\n"],
        ),
        (string_formats.ServiceName, ["beacon", "b1"], ["1b", "b" * 51, "b_c"]),
        (
            string_formats.HostName,
            ["a.b", "localhost", "a-b.c"],
            ["a..b", ".a", "a.", "*.a", "10.0.0.1", f"{'a' * 64}.b"],
        ),
        (
            string_formats.Cidr,
            ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"],
            ["10.0.0.0", "10.0.0.1/8", "10.0.0.0/33", "300.0.0.0/8", "::/129", "a/8", "1/"],
        ),
        (string_formats.UrlPath, ["/", "/a/b-c"], ["", "a", "/a b", "/?q"]),
        (
            string_formats.Registry,
            ["ghcr.io", "localhost:5000", "10.0.0.1:5000"],
            ["http://a", "a/b", "a:", "a:70000"],
        ),
        (
            string_formats.Url,
            ["http://a", "https://a.b:8443/c%20d?e=f", "http://[::1]:80/", "http://a?b"],
            [
                *("a", "ftp://a", "http://", "http:///a", "http://:80", "http://a:70000"),
                *("http://a b", "http://u:p@a", "http://u@a", "http://a/%zz", "http://[::1::1]"),
            ],
        ),
        (string_formats.Repository, ["a", "a/b", "a-b/c_d"], ["/a", "a/", "A", "a:b", "a@b", ""]),
        (
            string_formats.Version,
            ["1.0.0", "0.0.1-rc.1", "10.20.30"],
            ["1.0", "v1.0.0", "01.0.0", "1.0.0+b", "1.0.0-", "latest"],
        ),
        (
            string_formats.Digest,
            [f"sha256:{'0' * 64}"],
            ["sha256:0", f"sha512:{'0' * 64}", "0" * 64],
        ),
        (quantities.Cpu, ["1", "500m", "0.5", "1m"], ["0", "0m", "-1", "1Gi", "", "0.0001", 1]),
        (quantities.Memory, ["512Mi", "1G", "0.5Gi"], ["256m", "512", "0Mi", "1gi", "-1Mi"]),
        (string_formats.LabelKey, ["disktype", "kubernetes.io/os"], ["", "a b", "/os", "a/b/c"]),
        (string_formats.LabelValue, ["", "ssd", "a.b_c-d"], ["-a", "a b", "a" * 64]),
        (quantities.IntOrPercent, [0, 1, "25%", "100%"], [-1, True, "25", "101%", 1.5, "x%"]),
        (
            Annotated[str, quantities.duration_format("1s", "1m")],
            ["1s", "1m", "59.5s", "30s500ms"],
            ["0s", "61s", "1", "1d", ""],
        ),
    ],
)
def test_a_string_format_accepts_only_its_values(
    kind: Any, good: list[object], bad: list[object]
) -> None:
    assert [value for value in good if not accepts(kind, value)] == []
    assert [value for value in bad if accepts(kind, value)] == []
