"""A bot that takes webhooks: it keeps what came, byte for byte, and answers what it is told to."""

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType


@dataclass(frozen=True)
class Delivery:
    """A webhook as it came."""

    body: bytes
    signature: str | None
    headers: dict[str, str]


class Bot:
    """An HTTP server on a free port of this machine."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.status = 200
        self._arrived = threading.Condition()
        bot = self

        class Handler(BaseHTTPRequestHandler):
            """Answers with the bot's status."""

            def do_POST(self) -> None:
                """Keeps the body and its signature."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with bot._arrived:
                    status = bot.status
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    bot.deliveries.append(Delivery(body, headers.get("x-line-signature"), headers))
                    bot._arrived.notify_all()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing: the checks speak."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> "Bot":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, count: int, seconds: float = 10) -> list[Delivery]:
        """Waits for so many webhooks and forgets them; fewer when that takes too long."""
        with self._arrived:
            self._arrived.wait_for(lambda: len(self.deliveries) >= count, seconds)
            taken, self.deliveries = self.deliveries, []
            return taken
