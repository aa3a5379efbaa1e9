"""The bulk API of Elasticsearch, which stores documents and is strict about the requests."""

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Document = dict[str, Any]


class BulkApi:
    """A server with one index. A request that Elasticsearch would refuse has the status 400."""

    def __init__(self, index: str) -> None:
        self.documents: list[Document] = []
        self.refused: list[str] = []
        """Reasons of the requests that were refused."""
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers["Content-Encoding"] == "gzip":
                    body = gzip.decompress(body)
                try:
                    if (self.path, self.headers["Content-Type"]) != _REQUEST:
                        raise ValueError(f"{self.path} {self.headers['Content-Type']}")
                    added = list(_documents(body.decode(), index))
                except (KeyError, TypeError, ValueError) as error:
                    api.refused.append(repr(error))
                    self._respond(400, {"error": {"reason": repr(error)}})
                    return
                api.documents.extend(added)
                items = [{"create": {"_index": index, "status": 201}} for _ in added]
                self._respond(200, {"errors": False, "items": items})

            def _respond(self, status: int, body: object) -> None:
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


_REQUEST = ("/_bulk", "application/x-ndjson")


def _documents(body: str, index: str) -> Iterator[Document]:
    """Yield the documents of a bulk request: an action and a document on a line each."""
    *lines, end = body.split("\n")
    if end or not lines or len(lines) % 2:
        raise ValueError("a bulk request ends with a newline, and has a document for each action")
    for action, text in zip(lines[::2], lines[1::2], strict=True):
        if json.loads(action) != {"create": {"_index": index}}:
            raise ValueError(action)
        document = json.loads(text)
        if not (document["@timestamp"] and document["body"]["text"]):
            raise ValueError(text)
        yield document
