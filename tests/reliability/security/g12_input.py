"""G12: whatever comes in is answered as the document says, breaks nothing, and leads nowhere.

schemathesis asks every operation of the OpenAPI document what nobody would ask, with all of its checks; thirteen places that
read what others send hold a property each, in the Rust suite; paths that try to leave their folder and files that try to run
are asked for and sent.
"""

import base64
import filecmp
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

import hostile_files
import rust
from goal import ROOT, Goal, Setting, main
from installation import Answer, Installation

FOLDER = Path(__file__).resolve().parent
TOOLS = ROOT / "target/input-venv"
REQUIREMENTS = FOLDER / "requirements.txt"

# For each operation; the checks of single values come on top of these, and make up a third of all.
EXAMPLES = 110
CASES = 5_000
PROPERTIES = 13
INPUTS = 10_000
USER_FILES = 30
FETCH_SECONDS_MAX = 30
RUN_SECONDS_MAX = 600
RESIDENT_MIB_MAX = 192

# One feed of a customer, which is held open: else schemathesis would read the first one to its end, which never comes.
SETTINGS = '[limits]\ncustomer_feeds = 1\nallowed_hosts = ["127.0.0.1"]\n[delivery]\nwait = "1s"\n[log]\nformat = "json"\n'
SHOWN_IN_PLACE = ("image/jpeg", "image/png", "image/gif", "image/webp", "audio/", "video/")


def measure(setting: Setting, goal: Goal) -> None:
    """The document, the paths, the files and the readers."""
    _install()
    with Installation(setting.binary, SETTINGS) as server:
        server.start()
        existing = _fill(server)
        with _held_feed(server, existing["/v1.0/conversations/"]):
            _operations(server, existing, setting, goal)
        _paths(server, existing["/m/"], goal)
        _files(server, existing["/v1.0/conversations/"], goal)
        _files_of_users(server, existing["/v1.0/conversations/"], goal)
        counters = server.connection().ask("GET", "/readyz").json()["counters"]
        goal.at_most("panics", counters["panics"], 0)
        goal.at_most("resident MiB", round(server.memory_peak), RESIDENT_MIB_MAX)
        server.stop()
        log = Path(server.log).read_text("utf-8", "replace")
        goal.nothing("panics in the log", re.findall("panicked at [^\n]*", log))
    _properties(setting, goal)


def _install() -> None:
    """schemathesis in an environment of its own, made anew when its requirements change."""
    installed = TOOLS / "installed.txt"
    if installed.exists() and filecmp.cmp(REQUIREMENTS, installed, shallow=False):
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(TOOLS)], check=True, stdout=sys.stderr)
    pip = [str(TOOLS / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", "-r", str(REQUIREMENTS)]
    subprocess.run(pip, check=True, stdout=sys.stderr)
    shutil.copy(REQUIREMENTS, installed)


def _fill(server: Installation) -> dict[str, str]:
    """Something of each kind, by the beginning of the paths that name it."""
    server.api("PUT", "/v1.0/webhook", {"uri": "http://127.0.0.1:9/"})
    ((_, conversation),) = server.friends(["Alice"])
    server.line.control("POST", "/users/Alice/say", {"text": "with a token to mark it as read"})
    messages = f"/v1.0/conversations/{conversation}/messages"
    picture = json.loads(_upload(server, "a.png", "image/png", hostile_files.noise(640, 640)).body)["id"]
    server.api("POST", messages, {"medias": [{"type": "image", "id": picture}]})
    # From now on sending fails, so that there is something to retry.
    server.line.control("PUT", "/faults", [{"kind": "status", "status": 400, "path": "/v2/bot/message/push"}])
    spare = {"type": "line", "secret": server.line.secret, "token": server.line.token}
    return {
        "/v1.0/conversations/": conversation,
        "/v1.0/medias/": picture,
        "/m/": picture,
        # Not the account that everything else goes through: its credentials are exchanged, and it is removed.
        "/v1.0/conversation_accounts/": server.api("POST", "/v1.0/conversation_accounts", spare)["id"],
        "/v1.0/webhook_deliveries/": server.api("GET", "/v1.0/webhook_deliveries")["result"][0]["id"],
        "message": server.api("POST", messages, {"text": "hello"})["id"],
        "account": server.account,
    }


def _held_feed(server: Installation, conversation: str) -> socket.socket:
    """A feed that hears nothing, because its conversation has begun: nobody reads what it would hear."""
    parts = urlsplit(server.url)
    stream = socket.create_connection((parts.hostname, parts.port), timeout=30)
    token = server.headers()["Authorization"]
    path = f"/v1.0/events?type=conversation_created&conversation_id={conversation}"
    stream.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: {token}\r\n\r\n".encode())
    assert b" 200 " in stream.recv(64), "the feed has begun"
    return stream


def _operations(server: Installation, existing: dict[str, str], setting: Setting, goal: Goal) -> None:
    """schemathesis against every operation, from a copy of the served document so that its own is among them."""
    document = Path(server.folder) / "openapi.json"
    document.write_bytes(server.connection().ask("GET", "/openapi.json").body)
    report = Path(server.folder) / "report.json"
    command = [str(TOOLS / "bin/st"), "--config-file", str(FOLDER / "schemathesis.toml"), "run", str(document)]
    command += ["--url", server.url, "--header", f"Authorization: {server.headers()['Authorization']}", "--checks", "all"]
    command += ["--max-examples", str(setting.scaled(EXAMPLES, least=10)), "--seed", str(setting.seed)]
    command += ["--report", "json", "--report-json-path", str(report)]
    own = {"KAIWA_GOAL_EXISTING": json.dumps(existing), "KAIWA_GOAL_CHANNEL_SECRET": server.line.secret}
    loaded = {"SCHEMATHESIS_HOOKS": "input_hooks", "PYTHONPATH": str(FOLDER), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(
        command, cwd=server.folder, env={**os.environ, **own, **loaded}, capture_output=True, text=True,
        timeout=RUN_SECONDS_MAX, check=False,
    )
    said = json.loads(report.read_text("utf-8")) if report.exists() else {}
    described = sum(len(item) for item in json.loads(document.read_bytes())["paths"].values())
    goal.at_least("operations", said.get("operations", {}).get("tested", 0), described)
    goal.at_least("cases", said.get("test_cases", {}).get("generated", 0), setting.scaled(CASES, least=1_500))
    found = ended.stdout[ended.stdout.find("= FAILURES") :][:3_000] if ended.returncode else ""
    goal.nothing("what schemathesis found", [found or ended.stdout[-3_000:]] if ended.returncode else [])
    answered = re.findall(r'"route":"([^"]+)".*?"status":2', Path(server.log).read_text("utf-8", "replace"))
    # `setup` mostly fails: it asks LINE about all accounts, also those with credentials that were made up. Of others one or
    # two may have had bad luck.
    goal.at_least("paths that succeeded", len(set(answered)), len(json.loads(document.read_bytes())["paths"]) - 3)


def _paths(server: Installation, picture: str, goal: Goal) -> None:
    """What lies outside is never answered: a path names a file by its id, or nothing."""
    own = {server.connection().ask("GET", f"/m/{picture}/{part}a").body for part in ("", "preview/")}
    paths = hostile_files.paths(picture)
    answers = [(path, _raw(server, path)) for path in paths]
    goal.at_least("paths", len(answers), 50)
    strange = [path for path, (status, body) in answers if status == 200 and body not in own]
    goal.nothing("files from outside", strange)
    goal.nothing("paths without an answer", [path for path, (status, _) in answers if status not in (200, 400, 401, 404)])


def _raw(server: Installation, path: str) -> tuple[int, bytes]:
    """An answer to exactly this path; no library rewrites it on its way."""
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as stream:
        token = server.headers()["Authorization"]
        head = f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: {token}\r\n\r\n"
        stream.sendall(head.encode("latin-1"))
        answer = b"".join(iter(lambda: stream.recv(1 << 16), b""))
    status, _, rest = answer.partition(b"\r\n")
    return int(status.split()[1]), rest.partition(b"\r\n\r\n")[2]


def _files(server: Installation, conversation: str, goal: Goal) -> None:
    """Each file is refused, or served as what it is to where nothing of it can run."""
    taken, findings = 0, []
    files = hostile_files.files()
    for name, claimed, content in files:
        answer = _upload(server, name, claimed, content)
        if answer.status != 200:
            findings += [] if answer.status in (400, 413, 415) else [f"{name!r} was answered with {answer.status}"]
            continue
        taken += 1
        media = answer.json()
        message = {"medias": [{"type": "file", "id": media["id"]}]}
        sent = server.api("POST", f"/v1.0/conversations/{conversation}/messages", message)
        address = urlsplit(sent["medias"][0]["alt_text"].splitlines()[-1]).path
        for path in (media["uri"], address):
            findings += [f"{name!r}: {finding}" for finding in _dangers(server, path, content)]
    goal.at_least("hostile files", len(files), 40)
    goal.at_least("hostile files that were taken", taken, 30)
    goal.nothing("files that could run or were changed", findings)
    escaped = [str(path) for path in Path(server.folder).rglob("*escaped*")]
    goal.nothing("files that escaped", escaped + [path for path in ("/tmp/escaped",) if os.path.exists(path)])


def _files_of_users(server: Installation, conversation: str, goal: Goal) -> None:
    """The same for those that come from LINE, whose server repeats what the sender's phone said of them."""
    files = [file for file in hostile_files.files() if 0 < len(file[2]) < 1_000][:USER_FILES]
    for name, claimed, content in files:
        kind = {"type": "file", "fileName": name} if claimed.startswith("application/") else {"type": "image"}
        sent = {"message": kind, "content_base64": base64.b64encode(content).decode(), "content_type": claimed}
        server.line.control("POST", "/users/Alice/send", sent)
    messages = f"/v1.0/conversations/{conversation}/messages?page_size={len(files)}"
    end = time.monotonic() + FETCH_SECONDS_MAX
    while True:
        medias = [message["medias"][0] for message in server.api("GET", messages)["result"]]
        stored = [media for media in medias if media["status"] == "stored"]
        if len(stored) == len(files) or time.monotonic() > end:
            break
        time.sleep(0.05)
    # Newest first.
    pairs = zip(reversed(medias), files)
    findings = [(name, danger) for media, (name, _, content) in pairs for danger in _dangers(server, media["uri"], content)]
    goal.at_least("hostile files of users", len(stored), USER_FILES)
    goal.nothing("files of users that could run or were changed", findings)


def _dangers(server: Installation, path: str, content: bytes) -> list[str]:
    answer = server.connection().ask("GET", path, None, server.headers())
    kind, shown = answer.headers["content-type"], answer.headers["content-disposition"]
    name = re.fullmatch(r"(inline|attachment); filename=\"[^\"/\\]*\"; filename\*=UTF-8''[A-Za-z0-9._%-]*", shown)
    dangers = {
        f"status {answer.status}": answer.status != 200,
        "other bytes": answer.body != content,
        f"shown in place as {kind}": shown.startswith("inline") and not kind.startswith(SHOWN_IN_PLACE),
        f"served as {kind}": any(word in kind for word in ("html", "xml", "svg", "script", "css")),
        f"named by {shown}": name is None,
        "a type to guess": answer.headers.get("x-content-type-options") != "nosniff",
        "no sandbox": "sandbox" not in answer.headers.get("content-security-policy", ""),
    }
    return [danger for danger, is_there in dangers.items() if is_there]


def _upload(server: Installation, name: str, kind: str, content: bytes) -> Answer:
    headers = {**server.headers(), "Content-Type": kind}
    return server.connection().ask("POST", f"/v1.0/medias?filename={quote(name, safe='')}", content, headers)


def _properties(setting: Setting, goal: Goal) -> None:
    """The readers, each with so many inputs."""
    inputs, began = setting.scaled(INPUTS, least=1_000), time.monotonic()
    environment = {"PROPTEST_CASES": str(inputs), "PROPTEST_MAX_SHRINK_ITERS": "2000"}
    passed, ok, output = rust.run(rust.executable(), ["intake::hostile::"], RUN_SECONDS_MAX, environment)
    goal.at_least("readers", passed, PROPERTIES)
    goal.note("inputs of each reader", inputs)
    goal.note("seconds of the readers", round(time.monotonic() - began, 1))
    goal.nothing("properties that do not hold", [] if ok else [output[-3_000:]])


if __name__ == "__main__":
    main("G12", measure)
