"""The program and a LINE for it, as processes that can be killed, and the HTTP interfaces of both."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

START_SECONDS = 30
STOP_SECONDS = 30
ANSWER_SECONDS = 30
JWT_KEY = "a key for reliability goals, longer than 32 bytes"


class Answer:
    """What an HTTP request was answered with."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def json(self) -> Any:
        """The body, which is JSON."""
        return json.loads(self.body)


class Connection:
    """One connection that is kept between requests. Not for several threads at once."""

    def __init__(self, url: str, seconds: float = ANSWER_SECONDS) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None, "an address has a host"
        self._open = http.client.HTTPConnection(parts.hostname, parts.port, timeout=seconds)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Sends a request and reads the whole answer, but of a feed, which has no end, only its beginning.

        `OSError` or `HTTPException` where there is none.
        """
        try:
            self._open.request(method, path, body, headers or {})
            answer = self._open.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            if named.get("content-type") == "text/event-stream":
                self._open.close()
                return Answer(answer.status, named, b"")
            return Answer(answer.status, named, answer.read())
        except (OSError, http.client.HTTPException):
            self._open.close()
            raise


class Process:
    """A process of this installation. It ends with it."""

    def __init__(
        self, command: list[str], log: str, environment: dict[str, str], descriptors: tuple[int, ...] = ()
    ) -> None:
        self._log = open(log, "ab")
        plain = {name: value for name, value in os.environ.items() if not name.startswith("KAIWA_")}
        self.child = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**plain, **environment},
            pass_fds=descriptors,
        )

    def first_line(self) -> str:
        """The first line of its output."""
        output = self.child.stdout
        assert output is not None, "it was started with a pipe"
        ready, _, _ = select.select([output], [], [], START_SECONDS)
        return output.readline().decode() if ready else ""

    def end(self, how: int) -> int:
        """Ends the process with this signal, or by force; its exit code."""
        if self.child.poll() is None:
            self.child.send_signal(how)
            try:
                self.child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self._log.close()
        return self.child.returncode


class Line:
    """LINE's side: `kaiwa sandbox --line-only`."""

    def __init__(self, binary: str, folder: str) -> None:
        command = [binary, "sandbox", "--line-only", "--port", "0", "--json", "--data", f"{folder}/line"]
        self._process = Process(command, f"{folder}/line.log", {})
        first = self._process.first_line()
        if not first:
            raise RuntimeError("the sandbox did not start: " + _tail(f"{folder}/line.log"))
        said = json.loads(first)
        self.url: str = said["line"]
        self.secret: str = said["channel_secret"]
        self.token: str = said["channel_token"]
        self.bot: str = self.control("GET", "/state")["bot"]["userId"]

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """A request to the sandbox's control interface."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        answer = Connection(self.url).ask(method, f"/sandbox{path}", data, {"Content-Type": "application/json"})
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.body!r}")
        return json.loads(answer.body or b"null")

    def end(self) -> None:
        """Ends it."""
        self._process.end(signal.SIGTERM)


class Installation:
    """A folder with a configuration and data, one server after the other on it, and a LINE."""

    def __init__(self, binary: str, settings: str = "", account: str = "", customer: str = "") -> None:
        self.binary = binary
        self.folder = tempfile.mkdtemp(prefix="kaiwa-goal-")
        self.line = Line(binary, self.folder)
        self.customer, self.account = str(uuid.uuid4()), str(uuid.uuid4())
        self.config = f"{self.folder}/kaiwa.toml"
        self.data = f"{self.folder}/data"
        self.server: Process | None = None
        self.url = ""
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(self._configuration(settings, account, customer))

    def __enter__(self) -> "Installation":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.server is not None:
            self.server.end(signal.SIGKILL)
        self.line.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, environment: dict[str, str] | None = None) -> str:
        """Starts the server, waits until it says where it listens, and returns its address."""
        mark = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        self.server = Process([self.binary, "serve", "--config", self.config], self.log, environment or {})
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.server.child.poll() is None:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                file.seek(mark)
                said = file.read()
            if "listening on " in said and "\n" in said.split("listening on ", 1)[1]:
                self.url = re.split(r'[\s"]', said.split("listening on ", 1)[1])[0]
                self.line.control("PUT", "/webhook", {"endpoint": self.url + self.webhook_path})
                return self.url
            time.sleep(0.005)
        raise RuntimeError("the server did not start: " + _tail(self.log))

    def undeclare(self, environment: dict[str, str] | None = None) -> None:
        """Takes the account out of the configuration and starts the server anew, so that calls can change the account."""
        with open(self.config, encoding="utf-8") as file:
            text = file.read()
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(re.sub(r"\[\[accounts\]\].*?(?=\n\[|\Z)", "", text, flags=re.DOTALL))
        self.stop()
        self.start(environment)

    def stop(self) -> int:
        """Asks the server to stop; its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """Kills the server."""
        return self._end(signal.SIGKILL)

    def _end(self, how: int) -> int:
        assert self.server is not None, "a server was started"
        code = self.server.end(how)
        self.server = None
        return code

    @property
    def memory(self) -> float:
        """The resident memory of the server, in MiB."""
        return self._memory("VmRSS")

    @property
    def memory_peak(self) -> float:
        """The most resident memory that the server has had, in MiB."""
        return self._memory("VmHWM")

    @property
    def descriptors(self) -> int:
        """How many descriptors the server has open."""
        return len(os.listdir(f"{self._process}/fd"))

    def _memory(self, of: str) -> float:
        with open(f"{self._process}/status", encoding="ascii") as status:
            return int(status.read().split(f"{of}:", 1)[1].split()[0]) / 1024

    @property
    def _process(self) -> str:
        assert self.server is not None, "a server was started"
        return f"/proc/{self.server.child.pid}"

    @property
    def log(self) -> str:
        """The file of the server's log."""
        return f"{self.folder}/server.log"

    @property
    def database(self) -> str:
        """The file of the database."""
        return f"{self.data}/kaiwa.db"

    @property
    def webhook_path(self) -> str:
        """Where LINE sends its webhooks."""
        return f"/v1.0/conversation/accounts/{self.account}"

    def connection(self) -> Connection:
        """A connection to the server."""
        return Connection(self.url)

    def headers(self, customer: str | None = None) -> dict[str, str]:
        """What makes a request that of a customer."""
        token = signed_token(customer or self.customer)
        return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """A request of the customer that must be answered with success."""
        data = None if body is None else json.dumps(body).encode()
        answer = self.connection().ask(method, path, data, self.headers())
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.body!r}")
        return json.loads(answer.body or b"null")

    def all(self, path: str) -> list[Any]:
        """A whole list, newest first."""
        rows: list[Any] = []
        page = self.api("GET", path)
        while page["result"]:
            rows.extend(page["result"])
            page = self.api("GET", f"{path}?page_token={page['next_page_token'].replace(' ', '+')}")
        return rows

    def webhook(self, events: list[Any], connection: Connection | None = None) -> Answer:
        """Delivers these events, signed as LINE signs."""
        body = json.dumps({"destination": self.line.bot, "events": events}).encode()
        headers = {"Content-Type": "application/json", "X-Line-Signature": signature(self.line.secret, body)}
        return (connection or self.connection()).ask("POST", self.webhook_path, body, headers)

    def friends(self, names: list[str]) -> list[tuple[str, str]]:
        """Users whose conversations have begun: LINE's id and ours."""
        users = [self.line.control("POST", "/users", {"name": name, "follow": False})["user"]["id"] for name in names]
        for user in users:
            self.line.control("PATCH", f"/users/{user}", {"friendship": "friend"})
            answer = self.webhook([text_event(user, "hello")])
            assert answer.status == 200, answer.body
        known = {one["reference_id"]: one["id"] for one in self.all("/v1.0/conversations")}
        return [(user, known[user]) for user in users]

    def _configuration(self, settings: str, account: str, customer: str) -> str:
        return f"""
listen = "127.0.0.1:0"
data_directory = "{self.data}"
{settings}
[auth]
jwt_key = "{JWT_KEY}"
[[customers]]
id = "{self.customer}"
name = "goal"
{customer}
[[accounts]]
id = "{self.account}"
customer = "{self.customer}"
secret = "{self.line.secret}"
token = "{self.line.token}"
{account}
""" + ("" if "[line]" in settings else f"""
[line]
api_base = "{self.line.url}"
data_base = "{self.line.url}"
""")


def text_event(user: str, text: str, at: float | None = None) -> dict[str, Any]:
    """An event of a user who writes a text, with ids that no other has."""
    unique = uuid.uuid4().hex
    return {
        "type": "message",
        "mode": "active",
        "timestamp": int((at or time.time()) * 1000),
        "webhookEventId": unique[:26].upper(),
        "deliveryContext": {"isRedelivery": False},
        "source": {"type": "user", "userId": user},
        "replyToken": unique,
        "message": {"type": "text", "id": str(uuid.uuid4().int), "text": text, "quoteToken": "q"},
    }


def signature(secret: str, body: bytes) -> str:
    """LINE's signature of a body."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def signed_token(customer: str, seconds: int = 30 * 86_400) -> str:
    """A token of a customer."""
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")
    claims = {"customer": json.dumps({"id": customer}), "exp": int(time.time()) + seconds}
    content = part({"alg": "HS256", "typ": "JWT"}) + b"." + part(claims)
    mac = hmac.new(JWT_KEY.encode(), content, hashlib.sha256).digest()
    return (content + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


def _tail(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()[-2_000:]
