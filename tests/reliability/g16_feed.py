"""G16: the live feed has no gap and no repeat, and readers who take nothing, or who only listen, cost little.

Fifty readers follow the feed while the server is killed fifty times and each reader loses its connection twenty times; what
each has seen must be what the database holds, number by number and text by text. Readers who take nothing are cut, and
ten thousand who hear nothing fit into memory.
"""

import hashlib
import http.client
import os
import random
import resource
import select
import socket
import sqlite3
import threading
import time
from urllib.parse import urlsplit

from goal import Goal, Setting, main
from installation import Installation, text_event

READERS = 50
KILLS = 50
CUTS = 20
# A reader loses its connection after an event with this chance, until it has lost it often enough.
CUT_CHANCE = 0.05
CHATS = 8
WRITERS = 4
# Between two kills, so that a busy machine gets further than starting.
UP_SECONDS = (0.3, 1.2)
EVENTS_OF_A_KILL = 20
CATCH_UP_SECONDS = 60

STALLED = 8
STALL = '[limits]\nstall_timeout = "2s"\n'
STALL_BYTES = 24 << 20
STALL_TEXT_BYTES = 300_000
# The kernel may hold some megabytes for each of them; they are not the server's.
STALLED_KIB_MAX = 1_024

LISTENERS = 10_000
LISTENING = "[limits]\nconnections = 15000\nfeeds = 12000\ncustomer_feeds = 12000\n"
LISTENER_BYTES_MAX = 16_000
ASKED = 200


class Reader(threading.Thread):
    """Somebody who follows the feed and comes back whenever it ends."""

    def __init__(self, place: Installation, cuts: int) -> None:
        super().__init__(daemon=True)
        self.place, self.cuts_left = place, cuts
        self.seen: list[tuple[int, str]] = []
        self.connections = 0
        self.resets = 0
        self.done = False

    @property
    def last(self) -> int:
        """The number of the newest event that was seen."""
        return self.seen[-1][0] if self.seen else 0

    def run(self) -> None:
        """Follows until it is told to end."""
        while not self.done:
            try:
                self._follow()
            except (OSError, http.client.HTTPException):
                time.sleep(0.02)

    def _follow(self) -> None:
        headers = {**self.place.headers(), "Last-Event-ID": str(self.last)}
        stream = open_feed(self.place.url, headers, 5.0)
        self.connections += 1
        with stream, stream.makefile("rb") as lines:
            block: list[bytes] = []
            for line in lines:
                if line != b"\n":
                    block.append(line)
                    continue
                self._take(block)
                block = []
                if self.done:
                    return
                if self.cuts_left and random.random() < CUT_CHANCE:
                    self.cuts_left -= 1
                    return

    def _take(self, block: list[bytes]) -> None:
        """An event counts once its empty line has come."""
        fields = dict(line.rstrip(b"\n").split(b": ", 1) for line in block if b": " in line)
        if b"data" not in fields:
            return
        if fields[b"event"] == b"reset":
            self.resets += 1
            return
        shown = fields[b"data"].split(b',"data":', 1)[1][:-1]
        self.seen.append((int(fields[b"id"]), hashlib.sha256(shown).hexdigest()))


def open_feed(url: str, headers: dict[str, str], seconds: float) -> socket.socket:
    """A connection on which the feed begins with the next byte. `OSError` when there is none."""
    parts = urlsplit(url)
    stream = socket.create_connection((parts.hostname, parts.port), timeout=seconds)
    # HTTP/1.0: then the body has no chunks in it.
    request = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    stream.sendall(f"GET /v1.0/events HTTP/1.0\r\nHost: {parts.netloc}\r\n{request}\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.recv(1)
        if not byte:
            raise ConnectionError("the server hung up")
        head += byte
    if not head.split(b" ", 2)[1] == b"200":
        stream.close()
        raise ConnectionError(head.split(b"\r\n", 1)[0].decode())
    return stream


def measure(setting: Setting, goal: Goal) -> None:
    """The three parts, each with a server of its own."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    _kills(setting, goal)
    _stalled(setting, goal)
    _listeners(setting, goal)


def _kills(setting: Setting, goal: Goal) -> None:
    with Installation(setting.binary, "", 'delivery_mode = "push_only"') as place:
        place.start()
        chats = place.friends([f"user {number}" for number in range(CHATS)])
        cuts = setting.scaled(CUTS)
        readers = [Reader(place, cuts) for _ in range(setting.scaled(READERS, 5))]
        stop = threading.Event()
        writers = [threading.Thread(target=_write, args=(place, chats, stop)) for _ in range(WRITERS)]
        for thread in [*readers, *writers]:
            thread.start()
        kills = setting.scaled(KILLS, 3)
        for _ in range(kills):
            time.sleep(random.uniform(*UP_SECONDS))
            place.kill()
            place.start()
        stop.set()
        for writer in writers:
            writer.join()
        time.sleep(1.0)
        _catch_up(place, readers)
        told = _told(place)
        for reader in readers:
            reader.done = True
        place.stop()
    numbers = [number for number, _ in told]
    goal.note("kills", kills)
    goal.note("readers", len(readers))
    goal.at_least("cuts", sum(cuts - reader.cuts_left for reader in readers), len(readers) * cuts)
    goal.at_least("connections", sum(reader.connections for reader in readers), len(readers) * kills // 2)
    goal.at_least("events", len(told), kills * EVENTS_OF_A_KILL)
    goal.nothing("numbers without an event", sorted(set(range(1, numbers[-1] + 1)) - set(numbers)))
    goal.nothing("resets", [reader.resets for reader in readers if reader.resets])
    goal.nothing("readers who saw something else", [_difference(reader, told) for reader in readers if reader.seen != told])


def _write(place: Installation, chats: list[tuple[str, str]], stop: threading.Event) -> None:
    """Writes as users and to them, whatever becomes of it."""
    while not stop.is_set():
        user, conversation = random.choice(chats)
        try:
            if random.random() < 0.7:
                place.webhook([text_event(user, f"text {random.random()}") for _ in range(random.randint(1, 4))])
            else:
                path = f"/v1.0/conversations/{conversation}/messages"
                headers = {**place.headers(), "Prefer": "respond-async"}
                place.connection().ask("POST", path, b'{"text":"an answer"}', headers)
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)


def _told(place: Installation) -> list[tuple[int, str]]:
    """All events of the database, in order."""
    query = "SELECT sequence, data FROM events ORDER BY sequence"
    with sqlite3.connect(f"file:{place.database}?mode=ro", uri=True) as database:
        return [(number, hashlib.sha256(data.encode()).hexdigest()) for number, data in database.execute(query)]


def _catch_up(place: Installation, readers: list[Reader]) -> None:
    """Waits until nothing is added any more and everybody has seen the newest event."""
    end, newest = time.monotonic() + CATCH_UP_SECONDS, -1
    while time.monotonic() < end:
        before, newest = newest, _told(place)[-1][0]
        if newest == before and all(reader.last == newest for reader in readers):
            return
        time.sleep(1.0)


def _difference(reader: Reader, told: list[tuple[int, str]]) -> str:
    for place, (seen, expected) in enumerate(zip(reader.seen, told)):
        if seen != expected:
            return f"at {place}: {seen[0]} instead of {expected[0]}"
    return f"{len(reader.seen)} events instead of {len(told)}"


def _stalled(setting: Setting, goal: Goal) -> None:
    """Readers who take nothing: they are cut, and the server keeps nothing for them."""
    with Installation(setting.binary, STALL) as place:
        place.start()
        (user, _), *_ = place.friends(["user"])
        _fill(place, user, STALL_BYTES)
        before = _memory(place)
        streams = [open_feed(place.url, place.headers(), 10.0) for _ in range(STALLED)]
        _fill(place, user, STALL_BYTES)
        grown = max(0, _memory(place) - before)
        time.sleep(5.0)
        goal.at_most("KiB of a reader who takes nothing", round(grown / STALLED / 1024, 1), STALLED_KIB_MAX)
        goal.nothing("readers who take nothing and were not cut", [stream for stream in streams if not _ends(stream)])


def _fill(place: Installation, user: str, size: int) -> None:
    connection = place.connection()
    for _ in range(size // STALL_TEXT_BYTES):
        answer = place.webhook([text_event(user, "x" * STALL_TEXT_BYTES)], connection)
        if answer.status != 200:
            raise RuntimeError(f"a text was answered with {answer.status}")


def _ends(stream: socket.socket) -> bool:
    """Whether the connection is over once all that was under way is taken."""
    stream.settimeout(3.0)
    try:
        while stream.recv(1 << 20):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def _listeners(setting: Setting, goal: Goal) -> None:
    """Very many readers who hear nothing, and then one event for all of them."""
    with Installation(setting.binary, LISTENING) as place:
        place.start()
        (user, _), *_ = place.friends(["user"])
        count, before = setting.scaled(LISTENERS, 500), _memory(place)
        headers = place.headers()
        streams = [open_feed(place.url, headers, 30.0) for _ in range(count)]
        for stream in streams:
            stream.recv(4096)
        goal.note("listeners", count)
        goal.at_most("bytes of a listener", round((_memory(place) - before) / count), LISTENER_BYTES_MAX)
        connection = place.connection()
        waits = sorted(_seconds(lambda: connection.ask("GET", "/healthz")) for _ in range(ASKED))
        goal.at_most("healthz p99 ms", round(waits[int(ASKED * 0.99)] * 1000, 1), 100)
        began = time.monotonic()
        place.webhook([text_event(user, "to all")])
        goal.nothing("listeners who did not hear", [number for number, heard in enumerate(_hear(streams)) if not heard])
        goal.note("seconds until all heard", round(time.monotonic() - began, 2))
        for stream in streams:
            stream.close()


def _hear(streams: list[socket.socket]) -> list[bool]:
    """Which of them get the event within half a minute."""
    poll, end = select.epoll(), time.monotonic() + 30
    by_number = {stream.fileno(): number for number, stream in enumerate(streams)}
    heard = [b""] * len(streams)
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    missing = set(by_number)
    while missing and time.monotonic() < end:
        for number, _ in poll.poll(1.0):
            place = by_number[number]
            heard[place] += streams[place].recv(65_536)
            if b"to all" in heard[place]:
                missing.discard(number)
                poll.unregister(number)
    poll.close()
    return [b"to all" in one for one in heard]


def _seconds(call: object) -> float:
    assert callable(call), "something to measure"
    began = time.monotonic()
    call()
    return time.monotonic() - began


def _memory(place: Installation) -> int:
    """The resident memory of the server, in bytes."""
    assert place.server is not None, "a server was started"
    with open(f"/proc/{place.server.child.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main("G16", measure)
