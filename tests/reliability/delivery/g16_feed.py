"""G16: the live feed has no gap and no repeat, and readers who take nothing cost little.

Fifty readers follow the feed while the server is killed fifty times and each reader loses its connection twenty times; what
each has seen must be what the database holds, number by number and text by text. Readers who take nothing are cut.
"""

import hashlib
import http.client
import random
import socket
import sqlite3
import threading
import time

from feed import open_feed
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


def measure(setting: Setting, goal: Goal) -> None:
    """Both parts, each with a server of its own."""
    _kills(setting, goal)
    _stalled(setting, goal)


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
        before = place.memory
        streams = [open_feed(place.url, place.headers(), 10.0) for _ in range(STALLED)]
        _fill(place, user, STALL_BYTES)
        grown = max(0.0, place.memory - before)
        time.sleep(5.0)
        goal.at_most("KiB of a reader who takes nothing", round(grown * 1024 / STALLED, 1), STALLED_KIB_MAX)
        goal.nothing("readers who take nothing and were not cut", [stream for stream in streams if not _ends(stream)])


def _fill(place: Installation, user: str, size: int) -> None:
    connection = place.connection()
    for _ in range(size // STALL_TEXT_BYTES):
        answer = place.webhook([text_event(user, "x" * STALL_TEXT_BYTES)], connection)
        if answer.status != 200:
            raise RuntimeError(f"a text was answered with {answer.status}")


def _ends(stream: socket.socket) -> bool:
    """Whether the connection ends once everything in flight has been read."""
    stream.settimeout(3.0)
    try:
        while stream.recv(1 << 20):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


if __name__ == "__main__":
    main("G16", measure)
