"""G9: no secret reaches a log, a metric, an answer, the output of a command or the bytes of the database.

Marked secrets of every kind go through every route while the log is at its most talkative; then all of it is searched,
for each secret as it is and as it may be written otherwise.
"""

import base64
import json
import os
import re
import subprocess
import uuid
from pathlib import Path
from urllib.parse import quote

from goal import ROOT, Goal, Setting, main
from installation import JWT_KEY, Connection, Installation, signed_token, text_event

MARK = "canary-that-may-be-seen"
METHODS = ["GET", "POST", "PUT", "DELETE"]


def measure(setting: Setting, goal: Goal) -> None:
    """The same for both shapes of the log."""
    for shape in ("text", "json"):
        next_secret = f"canary-next-{uuid.uuid4().hex}"
        settings = f'[log]\nlevel = "trace"\nformat = "{shape}"\n[metrics]\nlisten = "127.0.0.1:0"\n'
        with Installation(setting.binary, settings, f'secret_next = "{next_secret}"') as server:
            server.start()
            server.undeclare()
            secrets = {"next channel secret": next_secret, **_own(server), **_sent(server, goal, shape)}
            sinks = _sinks(server)
            server.stop()
            sinks["log"] = Path(server.log).read_bytes()
            sinks |= {f"file {path.name}": path.read_bytes() for path in _files(server)}
            goal.at_least(f"{shape}: bytes of log", len(sinks["log"]), 50_000)
            goal.at_least(f"{shape}: sinks", len(sinks), 9)
            goal.at_least(f"{shape}: secrets", len(secrets), 12)
            goal.nothing(f"{shape}: secrets found", _found(secrets, sinks))
            # What is no secret has to be found, or the search would see nothing.
            goal.at_least(f"{shape}: marks found", len(_found({"mark": MARK}, sinks)), 1)
            goal.nothing(f"{shape}: files that others may read", _open_files(server))


def _own(server: Installation) -> dict[str, str]:
    """What the configuration holds."""
    return {"key of tokens": JWT_KEY, "channel secret": server.line.secret, "channel token": server.line.token}


def _sent(server: Installation, goal: Goal, shape: str) -> dict[str, str]:
    """Marked secrets in every place of a request, on every route with every method."""
    mark = lambda kind: f"canary-{kind}-{uuid.uuid4().hex}"
    secrets = {kind: mark(kind) for kind in ("query", "header", "cookie", "basic", "signature", "address", "id")}
    good = signed_token(server.customer)
    basic = base64.b64encode(f"user:{secrets['basic']}".encode()).decode()
    places = [
        (f"?token={secrets['query']}", {}),
        ("", {"Authorization": f"Bearer {secrets['header']}"}),
        ("", {"Cookie": f"token={secrets['cookie']}"}),
        ("", {"Authorization": f"Basic {basic}", "X-Line-Signature": secrets["signature"]}),
        (f"?token={good}", {}),
        ("", {"Authorization": f"Bearer {good}"}),
    ]
    asked = 0
    for route in _routes():
        path = re.sub(r"\{[a-z_]+\}", str(uuid.uuid4()), route)
        for method in METHODS:
            for query, headers in places:
                headers = {"Content-Type": "application/json", "X-Request-Id": MARK, **headers}
                server.connection().ask(method, path + query, b"{", headers)
                asked += 1
    server.connection().ask("GET", f"/m/{secrets['id']}/{secrets['address']}")
    exchanged = {"new channel token": mark("token"), "new channel secret": mark("secret")}
    change = {"token": exchanged["new channel token"], "secret": exchanged["new channel secret"]}
    server.api("PUT", f"/v1.0/conversation_accounts/{server.account}", change)
    server.webhook([text_event("U1", "hello")])
    goal.at_least(f"{shape}: requests", asked, len(_routes()) * len(METHODS) * len(places))
    goal.at_least(f"{shape}: routes", len(_routes()), 15)
    return {**secrets, **exchanged, "token of a customer": good}


def _routes() -> list[str]:
    """The patterns of all routes."""
    document = json.loads((ROOT / "src/api/openapi/document.json").read_text("utf-8"))
    return sorted(document["paths"])


def _sinks(server: Installation) -> dict[str, bytes]:
    """What operators and customers are shown."""
    said = Path(server.log).read_text("utf-8", "replace")
    # The server was started more than once.
    metrics = re.findall(r"metrics at (http://[0-9.:]+)", said)
    assert metrics, "the log tells where the metrics are"
    command = lambda *words: subprocess.run(
        [server.binary, *words, "--config", server.config], capture_output=True, check=False
    )
    sinks = {"metrics": Connection(metrics[-1]).ask("GET", "/metrics").body}
    sinks["readiness"] = server.connection().ask("GET", "/readyz").body
    for path in ("/v1.0/conversation_accounts", "/v1.0/conversations"):
        sinks[path] = json.dumps(server.api("GET", path)).encode()
    for words in (["account", "list", "--json"], ["customer", "list", "--json"], ["healthcheck"], ["serve"]):
        ended = command(*words)
        sinks[" ".join(words)] = ended.stdout + ended.stderr
    assert server.server is not None, "it runs"
    sinks["command line"] = Path(f"/proc/{server.server.child.pid}/cmdline").read_bytes()
    return sinks


def _files(server: Installation) -> list[Path]:
    """All that is kept, but the key that the database is sealed with."""
    return [path for path in Path(server.data).rglob("*") if path.is_file() and path.name != "secret.key"]


def _open_files(server: Installation) -> list[str]:
    paths = [Path(server.data), *Path(server.data).rglob("*")]
    return [f"{path.name}: {path.stat().st_mode & 0o777:o}" for path in paths if os.stat(path).st_mode & 0o077]


def _found(secrets: dict[str, str], sinks: dict[str, bytes]) -> list[str]:
    """Each secret in each sink, as it is or as it may be written otherwise."""
    found = []
    for kind, secret in secrets.items():
        ways = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}
        ways |= {base64.b64encode(secret.encode()).decode().rstrip("="), secret.encode().hex()}
        for name, content in sinks.items():
            found += [f"{kind} in {name}" for way in ways if way.encode() in content]
    return found


if __name__ == "__main__":
    main("G9", measure)
