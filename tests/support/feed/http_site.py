"""A small HTTP server on loopback that serves given pages, or lets a function answer."""

import contextlib
import http.server
import threading
from collections.abc import Callable, Iterator

Page = tuple[str, bytes] | Callable[[http.server.BaseHTTPRequestHandler], None]
"""Content type and body, or what answers."""
Pages = dict[str, Page]
"""By path."""


class Site(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, pages: Pages) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages = pages


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Site)
        page = self.server.pages.get(self.path.partition("?")[0])
        if page is None:
            self.send_error(404)
        elif callable(page):
            with contextlib.suppress(OSError):
                page(self)
        else:
            kind, body = page
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def site(pages: Pages) -> Iterator[str]:
    with Site(pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
