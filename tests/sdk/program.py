"""The program under test: started, spoken to over its HTTP interfaces, and always ended."""

import json
import os
import select
import subprocess
import tempfile
import urllib.error
import urllib.request
from types import TracebackType
from typing import Any

START_SECONDS = 60
STOP_SECONDS = 20
REQUEST_SECONDS = 30

# The program is on this machine: no proxy of the environment has a say.
_HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Program:
    """`kaiwa sandbox` with free ports and data of its own."""

    def __init__(self, binary: str) -> None:
        self._data = tempfile.TemporaryDirectory(prefix="kaiwa-judge-")
        self._log = open(os.path.join(self._data.name, "log"), "w+", encoding="utf-8")
        # Settings of whoever runs this must not change the verdict.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KAIWA_")}
        folder = os.path.join(self._data.name, "data")
        command = [binary, "sandbox", "--port", "0", "--json", "--data", folder]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self._log, text=True, env=environment
        )
        try:
            self._summary: dict[str, str] = json.loads(self._first_line())
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> "Program":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            print(self.log(), end="")
        self._end()

    @property
    def line(self) -> str:
        """Where LINE's side answers."""
        return self._summary["line"]

    @property
    def url(self) -> str:
        """Where the program's own interface is."""
        return self._summary["api"]

    @property
    def token(self) -> str:
        """Opens it."""
        return self._summary["token"]

    @property
    def channel_secret(self) -> str:
        """What webhooks are signed with."""
        return self._summary["channel_secret"]

    def control(self, method: str, path: str, body: object = None) -> Any:
        """A request to the sandbox's control API."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return self._request(method, f"{self.line}/sandbox{path}", data)

    def api(self, method: str, path: str, body: object = None) -> Any:
        """A request to the program's own interface, with a valid token."""
        data = None if body is None else json.dumps(body).encode()
        return self._request(method, f"{self._summary['api']}/v1.0{path}", data, self._summary["token"])

    def stop(self) -> int:
        """Asks the program to end, makes it end if it does not, and tells its exit code."""
        self._process.terminate()
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def log(self) -> str:
        """What the program wrote to standard error."""
        self._log.flush()
        self._log.seek(0)
        return self._log.read()

    def _end(self) -> None:
        self.stop()
        self._log.close()
        self._data.cleanup()

    def _first_line(self) -> str:
        output = self._process.stdout
        assert output is not None, "the program was started with a pipe"
        ready, _, _ = select.select([output], [], [], START_SECONDS)
        line = output.readline() if ready else ""
        if not line:
            raise RuntimeError(f"the program did not start within {START_SECONDS} s:\n{self.log()}")
        return line

    @staticmethod
    def _request(method: str, url: str, data: bytes | None, token: str | None = None) -> Any:
        request = urllib.request.Request(url, method=method, data=data)
        request.add_header("Content-Type", "application/json")
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with _HTTP.open(request, timeout=REQUEST_SECONDS) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            words = error.read().decode(errors="replace")
            raise RuntimeError(f"{method} {url} was answered with {error.code}: {words}") from error
