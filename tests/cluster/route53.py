"""A server with the part of the API of Amazon Route 53 that external-dns uses, and one zone."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from xml.etree import ElementTree

_NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
_ZONE_ID = "/hostedzone/Z0000000TEST"
_IDENTITY = ("Name", "Type", "SetIdentifier")


@dataclass(frozen=True)
class Record:
    """A record set of a weighted policy."""

    name: str
    """Without the dot at its end."""
    type: str
    set_identifier: str
    weight: int
    ttl: int
    values: tuple[str, ...]


class Route53:
    """The zone of a domain, in memory. ``url`` is the endpoint of its API."""

    def __init__(self, domain: str) -> None:
        self._domain = domain
        self._records: dict[tuple[str, ...], ElementTree.Element] = {}
        self.batches = 0
        """Number of batches of changes."""
        zone = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                is_records = self.path.partition("?")[0].rstrip("/").endswith("rrset")
                self._respond(zone._list_records() if is_records else zone._list_zones())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self._respond(zone._change(body.decode()))

            def _respond(self, text: str) -> None:
                body = text.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables for a client of AWS."""
        return {
            "AWS_ACCESS_KEY_ID": "unused",
            "AWS_SECRET_ACCESS_KEY": "unused",
            "AWS_REGION": "eu-central-1",
            "AWS_ENDPOINT_URL_ROUTE_53": self.url,
        }

    def records(self) -> set[Record]:
        """The record sets, without those that name their owner."""
        found = (_record(one) for one in self._records.values())
        return {one for one in found if one.type != "TXT"}

    def _list_zones(self) -> str:
        zone = (
            f"<HostedZone><Id>{_ZONE_ID}</Id><Name>{self._domain}.</Name>"
            "<CallerReference>test</CallerReference>"
            "<Config><PrivateZone>false</PrivateZone></Config></HostedZone>"
        )
        return _response("ListHostedZones", f"<HostedZones>{zone}</HostedZones>", is_list=True)

    def _list_records(self) -> str:
        ElementTree.register_namespace("", _NAMESPACE)
        texts = (ElementTree.tostring(one, "unicode") for one in self._records.values())
        records = f"<ResourceRecordSets>{''.join(texts)}</ResourceRecordSets>"
        return _response("ListResourceRecordSets", records, is_list=True)

    def _change(self, text: str) -> str:
        self.batches += 1
        for change in ElementTree.fromstring(text).iter(_tag("Change")):  # noqa: S314  # of the test
            record = change.find(_tag("ResourceRecordSet"))
            assert record is not None
            key = tuple(_text(record, name) for name in _IDENTITY)
            if _text(change, "Action") == "DELETE":
                del self._records[key]
            else:
                self._records[key] = record
        info = (
            "<ChangeInfo><Id>/change/C1</Id><Status>INSYNC</Status>"
            "<SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt></ChangeInfo>"
        )
        return _response("ChangeResourceRecordSets", info)


def _response(action: str, content: str, *, is_list: bool = False) -> str:
    end = "<IsTruncated>false</IsTruncated><MaxItems>300</MaxItems>" if is_list else ""
    return f'<{action}Response xmlns="{_NAMESPACE}">{content}{end}</{action}Response>'


def _tag(name: str) -> str:
    return f"{{{_NAMESPACE}}}{name}"


def _text(element: ElementTree.Element, name: str) -> str:
    return element.findtext(_tag(name), "")


def _record(element: ElementTree.Element) -> Record:
    return Record(
        _text(element, "Name").rstrip("."),
        _text(element, "Type"),
        _text(element, "SetIdentifier"),
        int(_text(element, "Weight")),
        int(_text(element, "TTL")),
        tuple(one.text or "" for one in element.iter(_tag("Value"))),
    )
