"""G10: no address that a customer or a user chooses leads inside, and no answer of theirs hurts the server.

All of it runs in a network of its own, in which every address is this machine: inner ones, one that looks public, and a
name server that lies. Listeners count who connects to what. Where an inner host is allowed, they must hear of it.
"""

import json
import os
import random
import socket
import socketserver
import sqlite3
import struct
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing

from goal import Goal, Setting, main, need
from installation import Installation, text_event

PUBLIC = "93.184.216.34"
INNER = ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "168.63.129.16", "fd00::1", "fd00:ec2::254"]
PORTS = [80, 443, 8080]
RECEIVER = "receiver.test"
REBOUND = 20
ADDRESSES_MIN = 120
ANSWERS_MIN = 40
MEMORY_MIB_MAX = 8
DESCRIPTORS_MAX = 4
WAIT_SECONDS = 30
INSIDE = "KAIWA_GOAL_INSIDE"

HOSTS = """
127.0.0.1 127.0.0.1. 2130706433 0x7f000001 0x7f.0.0.1 0177.0.0.1 017700000001 127.1 127.0.1 127.255.255.254 0 0.0.0.0 000.000.000.000
127。0。0。1 １２７.0.0.1 %31%32%37.0.0.1 127.0.0.1%00.example.com 10.0.0.1 10.1 0x0a000001 012.0.0.1 167772161 172.16.0.1 0xac100001
192.168.1.1 3232235777 0xc0a80101 0300.0250.1.1 100.64.0.1 169.254.169.254 2852039166 0xa9fea9fe 0251.0376.0251.0376 169.254.43518
168.63.129.16 192.0.0.192 198.18.0.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255
[::1] [::] [0:0:0:0:0:0:0:1] [0000::0001] [::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:10.0.0.1] [::ffff:a9fe:a9fe] [::127.0.0.1]
[::ffff:0:127.0.0.1] [64:ff9b::7f00:1] [64:ff9b::a00:1] [64:ff9b:1::a00:1] [2002:7f00:1::] [2002:a00:1::1] [2001::1] [2001:db8::1]
[100::1] [fc00::1] [fd00::1] [fd00:ec2::254] [fe80::1] [fec0::1] [ff02::1] [3fff::1] [5f00::1]
localhost localhost. LOCALHOST lo%63alhost ⓛⓞⓒⓐⓛⓗⓞⓢⓣ local\u00adhost a.localhost
loopback.test private.test carrier.test metadata.test azure.test mapped.test six.test unique.test nat64.test mixed.test
LOOPBACK.test loopback.test. ⓛⓞⓞⓟⓑⓐⓒⓚ.test
""".split()

URLS = """
http://127.0.0.1/ http://localhost:8080/ http://10.0.0.1/ http://metadata.test/ http://[::1]/ http://169.254.169.254/latest/meta-data/
https://example.com@127.0.0.1/ https://example.com:443@127.0.0.1/ https://127.0.0.1#@example.com/ https://127.0.0.1\\@example.com/
https://127.0.0.1?@example.com/ https://example.com%2f@127.0.0.1/ https://127.0.0.1:80/ https://127.0.0.1:8080/ https://127.0.0.1:0443/
https://127.0.0.1:443:80/ https:127.0.0.1/ https:/127.0.0.1/ https:///127.0.0.1/ https:\\\\127.0.0.1/ //127.0.0.1/ 127.0.0.1:443
https://localhost:80/ https://loopback.test:8080/ https://loopback.test:80/ https://private.test:8080/ https://six.test:80/
ftp://127.0.0.1/ file:///etc/passwd gopher://127.0.0.1:80/_GET ws://127.0.0.1/ wss://127.0.0.1/ unix:/run/a.sock data:,a
https://receiver.test@127.0.0.1/ https://127.0.0.1/receiver.test https://receiver.test.loopback.test/ https://xreceiver.test/
""".split()

# What a name leads to; the names of a list take turns, one answer each.
NAMES: dict[str, list[list[str]]] = {
    "loopback.test": [["127.0.0.1"]],
    "receiver.test.loopback.test": [["127.0.0.1"]],
    "xreceiver.test": [["127.0.0.1"]],
    "private.test": [["10.0.0.1"]],
    "carrier.test": [["100.64.0.1"]],
    "metadata.test": [["169.254.169.254"]],
    "azure.test": [["168.63.129.16"]],
    "mapped.test": [["::ffff:127.0.0.1"]],
    "six.test": [["::1"]],
    "unique.test": [["fd00::1"]],
    "nat64.test": [["64:ff9b::7f00:1"]],
    "mixed.test": [["127.0.0.1", PUBLIC, "10.0.0.1"]],
    "rebound.test": [[PUBLIC], ["127.0.0.1"], ["10.0.0.1"], ["127.0.0.1"]],
    RECEIVER: [["127.0.0.1"]],
}


def measure(setting: Setting, goal: Goal) -> None:
    """In a network and with a name server of its own."""
    if INSIDE not in os.environ:
        _enter()
    NameServer().start()
    doors = Doors()
    receiver = Receiver()
    allowed = f'[limits]\nallowed_hosts = ["{RECEIVER}"]\n[webhooks]\ntimeout = "1s"\n'
    with Installation(setting.binary, allowed) as place:
        place.start()
        _addresses(place, goal)
        _rebinding(place, goal, doors, setting.scaled(REBOUND, 6))
        _redirects(place, goal, receiver)
        goal.nothing("inner connections", doors.inner)
        goal.at_least("public connections", doors.public, 1)
        _answers(place, goal, receiver)
    heard = len(doors.inner)
    with Installation(setting.binary, '[limits]\nallowed_hosts = ["127.0.0.1"]\n') as place:
        place.start()
        _tell(place, "https://127.0.0.1/")
        goal.at_least("inner connections where they are allowed", len(doors.inner) - heard, 1)


def _enter() -> None:
    """Goes on as the same process in new namespaces, where this machine has all the addresses."""
    need({"unshare": "util-linux", "ip": "iproute2", "mount": "mount"})
    steps = ["set -e", "ip link set lo up"]
    steps += [f"ip address add {address} dev lo" for address in [*INNER, PUBLIC]]
    steps += ["file=$(mktemp)", "echo 'nameserver 127.0.0.1' >$file", "mount --bind $file /etc/resolv.conf", 'exec "$@"']
    program = [sys.executable, *(["-B"] if sys.dont_write_bytecode else []), *sys.argv]
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--net", "--mount", "sh", "-c", "\n".join(steps), "sh", *program])


class NameServer(threading.Thread):
    """Answers for addresses (A, AAAA) with what NAMES says, for no time at all; of anything else it knows nothing."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))
        self._turns: dict[tuple[str, int], int] = {}

    def run(self) -> None:
        """Question after question."""
        while True:
            question, sender = self._socket.recvfrom(4096)
            self._socket.sendto(self._answer(question), sender)

    def _answer(self, question: bytes) -> bytes:
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode("ascii", "replace"))
            at += 1 + question[at]
        (kind,) = struct.unpack_from(">H", question, at + 1)
        name = ".".join(labels).lower()
        turns = NAMES.get(name)
        turn = self._turns.get((name, kind), 0)
        self._turns[name, kind] = turn + 1
        found = turns[turn % len(turns)] if turns else []
        family, wanted = (socket.AF_INET6, True) if kind == 28 else (socket.AF_INET, False)
        answers = [socket.inet_pton(family, one) for one in found if (":" in one) == wanted]
        head = struct.pack(">2sHHHHH", question[:2], 0x8180 if turns else 0x8183, 1, len(answers), 0, 0)
        rows = [struct.pack(">HHHIH", 0xC00C, kind, 1, 0, len(one)) + one for one in answers]
        return head + question[12 : at + 5] + b"".join(rows)


class Doors:
    """Listens on every address of this machine, and notes to which somebody has connected."""

    def __init__(self) -> None:
        self.inner: list[str] = []
        self.public = 0
        for port in PORTS:
            listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=256)
            threading.Thread(target=self._listen, args=(listener,), daemon=True).start()

    def _listen(self, listener: socket.socket) -> None:
        while True:
            stream, _ = listener.accept()
            address, port = stream.getsockname()[:2]
            if address.removeprefix("::ffff:") == PUBLIC:
                self.public += 1
            else:
                self.inner.append(f"{address} {port}")
            stream.close()


class Receiver:
    """A customer's endpoint that says what it is told to, whatever HTTP thinks of that."""

    def __init__(self) -> None:
        self.answer: Callable[[socket.socket], object] = lambda stream: stream.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        self.calls = 0
        outer = self

        class Call(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                """Reads what fits into a packet or two, and answers."""
                outer.calls += 1
                self.request.settimeout(WAIT_SECONDS)
                try:
                    self.request.recv(65_536)
                    outer.answer(self.request)
                except OSError:
                    pass

        socketserver.ThreadingTCPServer.daemon_threads = True
        socketserver.ThreadingTCPServer.request_queue_size = 64
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Call)
        self.url = f"http://{RECEIVER}:{self._server.server_address[1]}/told"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()


def _addresses(place: Installation, goal: Goal) -> None:
    """Each address as that of a customer's endpoint, and as that of a picture that a user has sent."""
    urls = [*URLS, *(f"https://{host}/" for host in HOSTS)]
    attempts = {url: _tell(place) for url in urls if _set(place, url)}
    goal.at_least("addresses", len(urls), ADDRESSES_MIN)
    goal.at_least("addresses refused at once", len(urls) - len(attempts), ADDRESSES_MIN // 2)
    refused = sum(one is not None and one[1] == "address_refused" for one in attempts.values())
    goal.at_least("addresses refused when they were called", refused, 10)
    goal.nothing("calls that reached somebody", [url for url, one in attempts.items() if one is None or one[1] is None])
    _set(place, "")
    pictures = [_picture(url) for url in urls]
    for first in range(0, len(pictures), 20):
        answer = place.webhook(pictures[first : first + 20])
        assert answer.status == 200, answer.body
    waiting = "SELECT count(*) FROM medias WHERE source_url IS NOT NULL AND attempts = 0 AND status = 'pending'"
    goal.at_most("pictures that were not tried", _wait(lambda: _count(place, waiting) == 0, _count(place, waiting)), 0)
    goal.at_most("pictures that were fetched", _count(place, "SELECT count(*) FROM medias WHERE status = 'stored'"), 0)
    goal.note("pictures", _count(place, "SELECT count(*) FROM medias"))


def _rebinding(place: Installation, goal: Goal, doors: Doors, rounds: int) -> None:
    """A name that is public at first, and inside whenever one asks again."""
    before = doors.public
    assert _set(place, "https://rebound.test/")
    attempts = [_tell(place) for _ in range(rounds)]
    goal.at_least("calls to a name that changes", sum(one is not None for one in attempts), rounds)
    goal.at_least("of these refused", sum(one is not None and one[1] == "address_refused" for one in attempts), 1)
    goal.at_least("of these public", doors.public - before, 1)


def _redirects(place: Installation, goal: Goal, receiver: Receiver) -> None:
    """Answers that point inside."""
    assert _set(place, receiver.url)
    statuses = []
    for status in (301, 302, 303, 307, 308):
        for target in ("http://127.0.0.1/", "https://127.0.0.1/", "//10.0.0.1/", "http://169.254.169.254/latest/meta-data/"):
            head = f"HTTP/1.1 {status} Elsewhere\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n".encode()
            receiver.answer = lambda stream, head=head: stream.sendall(head)
            attempt = _tell(place)
            statuses.append(attempt[0] if attempt else None)
    goal.at_least("redirects that count as failures", sum(one in (301, 302, 303, 307, 308) for one in statuses), 20)


def _answers(place: Installation, goal: Goal, receiver: Receiver) -> None:
    """Answers that do not end, lie, or are none."""
    receiver.answer = lambda stream: stream.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    for _ in range(20):
        _tell(place)
    memory, descriptors = place.memory, place.descriptors
    recorded, most = 0, memory
    answers = list(_hostile())
    for answer in answers:
        receiver.answer = answer
        recorded += _tell(place) is not None
        most = max(most, place.memory)
    receiver.answer = lambda stream: stream.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    goal.at_least("hostile answers", len(answers), ANSWERS_MIN)
    goal.at_least("attempts on record", recorded, len(answers))
    goal.at_most("MiB more", round(most - memory, 1), MEMORY_MIB_MAX)
    left = _wait(lambda: place.descriptors <= descriptors + DESCRIPTORS_MAX, place.descriptors - descriptors)
    goal.at_most("descriptors more", left, DESCRIPTORS_MAX)
    attempt = _tell(place)
    goal.at_most("status of a good answer after all that", attempt[0] if attempt and attempt[0] else 999, 204)
    goal.at_most("status of readiness", place.connection().ask("GET", "/readyz").status, 200)


def _hostile() -> Iterator[Callable[[socket.socket], object]]:
    """Answers as no HTTP server gives them."""
    ok = b"HTTP/1.1 200 OK\r\n"
    plain = [
        b"", b"\r\n", b"H", b"HTTP/1.1", b"HTTP/1.1 200", ok, ok + b"content-length: 10\r\n", ok + b"content-length: 10\r\n\r\nabc",
        ok + b"content-length: 99999999999\r\n\r\nabc", ok + b"content-length: -1\r\n\r\n", ok + b"content-length: a\r\n\r\n",
        ok + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab", ok + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ok + b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n", ok + b"transfer-encoding: chunked\r\n\r\n-1\r\nabc\r\n",
        ok + b"transfer-encoding: chunked\r\n\r\n5\r\nab", ok + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        ok + b"content-encoding: gzip\r\ncontent-length: 20\r\n\r\n" + b"\x1f\x8b" + bytes(18),
        ok + b"content-encoding: br\r\ncontent-length: 4\r\n\r\nabcd", ok + b"a: " + b"x" * 1_000_000 + b"\r\n\r\n",
        ok + b"".join(b"a%d: b\r\n" % one for one in range(10_000)) + b"\r\n", ok + b"a\x00b: c\r\n\r\n", ok + b": empty\r\n\r\n",
        ok + b"a: b\n c: d\r\n\r\n", b"HTTP/1.1 999 Much\r\n\r\n", b"HTTP/1.1 000 None\r\n\r\n", b"HTTP/1.1 20 Few\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n", b"HTTP/0.9 200 OK\r\n\r\n", b"ICY 200 OK\r\n\r\n", b"<html>200</html>", bytes(range(256)) * 16,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000, b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10_000,
        b"HTTP/1.1 429 Slow\r\nretry-after: 99999999999999999999\r\n\r\n"[:20], b"HTTP/1.1 500 \xff\xfe\r\ncontent-length: 0\r\n\r\n",
    ]
    for head in plain:
        yield lambda stream, head=head: stream.sendall(head)
    yield lambda stream: _endless(stream, ok + b"\r\n", b"x" * 65_536)
    yield lambda stream: _endless(stream, ok + b"transfer-encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65_536 + b"\r\n")
    yield lambda stream: _endless(stream, ok, b"a: b\r\n" * 1_000)
    yield lambda stream: _endless(stream, b"", b"HTTP/1.1 100 Continue\r\n\r\n")
    yield lambda stream: _drip(stream, ok + b"content-length: 100\r\n\r\n" + b"x" * 100)
    yield lambda stream: time.sleep(3)
    yield lambda stream: stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _endless(stream: socket.socket, head: bytes, part: bytes) -> None:
    """Sends until nobody takes any more."""
    stream.sendall(head)
    while True:
        stream.sendall(part)


def _drip(stream: socket.socket, answer: bytes) -> None:
    for one in answer:
        stream.sendall(bytes([one]))
        time.sleep(0.1)


def _picture(url: str) -> dict:
    """An event of a picture that lies elsewhere."""
    event = text_event(_user(), "")
    provider = {"type": "external", "originalContentUrl": url, "previewImageUrl": url}
    event["message"] = {"type": "image", "id": str(uuid.uuid4().int), "contentProvider": provider, "quoteToken": "q"}
    return event


def _set(place: Installation, url: str) -> bool:
    """Whether this is taken as the address of the customer's endpoint."""
    answer = place.connection().ask("PUT", "/v1.0/webhook", json.dumps({"uri": url}).encode(), place.headers())
    if answer.status not in (200, 400):
        raise RuntimeError(f"{url}: {answer.status} {answer.body!r}")
    return answer.status == 200


def _tell(place: Installation, url: str | None = None) -> tuple[int | None, str | None] | None:
    """Lets something happen of which the customer is told; status or error of the first attempt to do so."""
    if url is not None and not _set(place, url):
        return None
    answer = place.webhook([text_event(_user(), "hello")])
    assert answer.status == 200, answer.body
    newest = """
        SELECT status, error FROM webhook_attempts WHERE number = 1 AND event = (
            SELECT min(event) FROM webhook_deliveries WHERE conversation = (SELECT max(key) FROM conversations))"""
    found: list[tuple[int | None, str | None]] = []

    def look() -> bool:
        with closing(sqlite3.connect(f"file:{place.database}?mode=ro", uri=True)) as database:
            found.extend(database.execute(newest))
        return bool(found)

    _wait(look, 0)
    return found[0] if found else None


def _user() -> str:
    return f"U{random.getrandbits(128):032x}"


def _wait(is_over: Callable[[], bool], otherwise: int) -> int:
    """0 as soon as it is over."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        if is_over():
            return 0
        time.sleep(0.005)
    return max(otherwise, 1)


def _count(place: Installation, query: str) -> int:
    with closing(sqlite3.connect(f"file:{place.database}?mode=ro", uri=True)) as database:
        return int(database.execute(query).fetchone()[0])


if __name__ == "__main__":
    main("G10", measure)
