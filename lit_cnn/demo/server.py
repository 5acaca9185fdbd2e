"""The demo's server: serves the page's files and answers its requests, on this machine only.

It uses only the standard library: the page sends one request at a time, of about 20 kB. The page loads nothing from
other sites (its Content-Security-Policy enforces that), and requests from pages of other sites are refused.
"""

import errno
import json
import os
import sys
import threading
import traceback
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from socketserver import TCPServer
from typing import Any

from lit_cnn.demo.session import Session
from lit_cnn.errors import ConfigError, LitCNNError

HOST = "127.0.0.1"
USUAL_PORT = 7860
MOST_BYTES = 8_000_000  # largest request
FILES = {
    "/": ("index.html", "text/html"),
    "/style.css": ("style.css", "text/css"),
    **{f"/{name}.js": (f"{name}.js", "text/javascript") for name in ("page", "pad", "dial", "views")},
}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Server(ThreadingHTTPServer):
    """Serves a session until it is shut down.

    Args:
        session: The networks to show.
        port: The port; 0 for any that is free. None takes the usual one, or another if that is in use.

    Raises:
        ConfigError: If the port is in use, or not allowed.
    """

    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # on Windows it would allow two servers on one port

    def __init__(self, session: Session, port: int | None = None):
        self.session = session
        self.looking = threading.Lock()  # Grad-CAM hooks into the network, one picture at a time
        try:
            super().__init__((HOST, USUAL_PORT if port is None else port), Handler)
        except OSError as error:
            if port is None and error.errno == errno.EADDRINUSE:
                super().__init__((HOST, 0), Handler)
            else:
                remedy = "Use another port: --port 0 chooses a free one."
                raise ConfigError(f"--port {port} on {HOST}: {error.strerror}. {remedy}") from error

    def server_bind(self) -> None:
        """Binds the port, without looking up the machine's name as http.server does: without a network that waits."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Prints nothing if the browser closed the connection before its answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def address(self) -> str:
        """The page's address."""
        return f"http://{HOST}:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"  # a connection stays open, so that drawing is answered at once
    disable_nagle_algorithm = True  # Nagle's algorithm delays each answer by 40 ms
    server: Server

    def do_GET(self) -> None:
        """Sends a file of the page, or the data that it shows first."""
        if not self._from_here():
            self._send(HTTPStatus.FORBIDDEN, b"", "text/plain")
        elif self.path == "/about":
            self._send_json(HTTPStatus.OK, self.server.session.about())
        elif self.path in FILES:
            name, kind = FILES[self.path]
            content = resources.files("lit_cnn.demo").joinpath("page", name).read_bytes()
            self._send(HTTPStatus.OK, content, f"{kind}; charset=utf-8")
        else:
            self._send(HTTPStatus.NOT_FOUND, b"", "text/plain")

    def do_POST(self) -> None:
        """Sends the predictions of the networks for a picture."""
        length = self.headers.get("Content-Length", "")
        if not self._from_here() or self.headers.get_content_type() != "application/json":
            self.close_connection = True
            self._send(HTTPStatus.FORBIDDEN, b"", "text/plain")
        elif self.path != "/look":
            self.close_connection = True
            self._send(HTTPStatus.NOT_FOUND, b"", "text/plain")
        elif not length.isdecimal() or int(length) > MOST_BYTES:
            self.close_connection = True
            self._send(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"", "text/plain")
        else:
            self._send_json(*self._look(self.rfile.read(int(length))))

    def _look(self, content: bytes) -> tuple[HTTPStatus, dict[str, Any]]:
        try:
            request = json.loads(content)
            if not isinstance(request, dict):
                raise ConfigError(f"A request has to be an object, but got {type(request).__name__}.")
            with self.server.looking:
                return HTTPStatus.OK, self.server.session.look(request)
        except (LitCNNError, ValueError) as error:
            return HTTPStatus.BAD_REQUEST, {"error": str(error)}
        except (RecursionError, OverflowError):
            return HTTPStatus.BAD_REQUEST, {"error": "The request has too deep lists or too large numbers."}
        except Exception:
            traceback.print_exc()
            return HTTPStatus.INTERNAL_SERVER_ERROR, {
                "error": "This is a bug of the demo. The terminal shows the details."
            }

    def _from_here(self) -> bool:
        """Whether the browser asked for this very server, and not for a name of another site that leads here."""
        port = self.server.server_port
        return self.headers.get("Host") in (f"{HOST}:{port}", f"localhost:{port}")

    def _send_json(self, status: HTTPStatus, content: dict[str, Any]) -> None:
        self._send(status, json.dumps(content).encode(), "application/json")

    def _send(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in (HEADERS | {"Content-Type": kind, "Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        """Prints nothing: a line for each stroke is of no use."""
