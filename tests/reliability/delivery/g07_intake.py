"""G7: each event of LINE is stored once whatever comes of it: copies at once, forgeries, and 20 ends of the server.

The listening socket is held outside of the program, as a service manager does: no connection may be refused.
"""

import json
import random
import signal
import socket
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from goal import Goal, Setting, main
from installation import Installation, Process, signature, text_event

EVENTS = 2_000
COPIES = 5
MUTATIONS = 10_000
RESTARTS = 20
CALLERS = 8
EVENTS_PER_SECOND = 200
PACED_SECONDS = 5
HEAD = "POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-line-signature: {mac}\r\ncontent-length: {size}\r\n\r\n"


class Held(Installation):
    """An installation whose socket stays open while its servers come and go."""

    def __init__(self, binary: str) -> None:
        super().__init__(binary)
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.address = self.socket.getsockname()

    def start(self, environment: dict[str, str] | None = None) -> str:
        """Starts a server on the socket, and does not wait until it answers."""
        number = self.socket.fileno()
        hand_over = f'exec 3<&{number}; export LISTEN_PID=$$ LISTEN_FDS=1; exec "$0" "$@"'
        command = ["sh", "-c", hand_over, self.binary, "serve", "--config", self.config]
        self.server = Process(command, self.log, environment or {}, (number,))
        self.url = f"http://{self.address[0]}:{self.address[1]}"
        return self.url


def measure(setting: Setting, goal: Goal) -> None:
    """Copies and forgeries against one server, then ends of the server under load."""
    with Held(setting.binary) as held:
        held.start()
        _copies(held, setting.scaled(EVENTS), goal)
        _paced(held, goal)
        _mutations(held, setting.scaled(MUTATIONS), goal)
        _restarts(held, setting.scaled(RESTARTS, 3), goal)
        held.stop()


def _copies(held: Held, events: int, goal: Goal) -> None:
    """Every event five times, mixed, from several connections at once."""
    calls = [event for event in (text_event("U1", str(n)) for n in range(events)) for _ in range(COPIES)]
    random.shuffle(calls)
    statuses = _answers(held, calls)
    goal.at_least("copies answered with 200", statuses.count(200), events * COPIES)
    goal.at_most("events missing or doubled", abs(_stored(held) - events), 0)


def _answers(held: Held, events: list[Any]) -> list[int]:
    local = threading.local()

    def deliver(event: Any) -> int:
        if not hasattr(local, "connection"):
            local.connection = held.connection()
        return held.webhook([event], local.connection).status

    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(deliver, events))


def _paced(held: Held, goal: Goal) -> None:
    """How long an answer takes at a steady pace."""
    begin, took = time.monotonic(), []

    def deliver(number: int) -> None:
        due = begin + number / EVENTS_PER_SECOND
        time.sleep(max(0.0, due - time.monotonic()))
        asked = time.monotonic()
        if held.webhook([text_event("U1", "paced")]).status == 200:
            took.append(time.monotonic() - asked)

    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(deliver, range(EVENTS_PER_SECOND * PACED_SECONDS)))
    took.sort()
    goal.at_least("paced answers", len(took), EVENTS_PER_SECOND * PACED_SECONDS)
    goal.at_most("answer p99 ms", round(took[len(took) * 99 // 100] * 1000, 1), 250)
    goal.at_most("answer max ms", round(took[-1] * 1000, 1), 1_500)


def _mutations(held: Held, count: int, goal: Goal) -> None:
    """A genuine webhook with one bit turned, in its body or in its signature."""
    before = _stored(held)
    local = threading.local()

    def deliver(_: int) -> int:
        if not hasattr(local, "connection"):
            local.connection = held.connection()
        body = bytearray(json.dumps({"destination": held.line.bot, "events": [text_event("U1", "x")]}).encode())
        mac = bytearray(signature(held.line.secret, bytes(body)).encode())
        # The last two signs of a signature in base64 hold bits that count for nothing.
        target, end = (body, len(body)) if random.random() < 0.5 else (mac, len(mac) - 2)
        target[random.randrange(end)] ^= 1
        headers = {"X-Line-Signature": mac.decode("latin-1")}
        return local.connection.ask("POST", held.webhook_path, bytes(body), headers).status

    with ThreadPoolExecutor(CALLERS) as pool:
        statuses = list(pool.map(deliver, range(count)))
    goal.at_least("mutations", len(statuses), count)
    goal.nothing("mutations that were accepted", [status for status in statuses if status not in (400, 401)])
    goal.at_most("events of mutations", _stored(held) - before, 0)


def _restarts(held: Held, restarts: int, goal: Goal) -> None:
    """Kills and stops under load. Each event is sent until it is answered, over a new connection each time."""
    before, done, killed = _stored(held), threading.Event(), threading.Event()
    refused: list[str] = []
    broken: list[str] = []
    took: list[float] = []

    def call() -> None:
        while not done.is_set():
            body = json.dumps({"destination": held.line.bot, "events": [text_event("U1", "again")]}).encode()
            began = time.monotonic()
            while (failed := _deliver(held, body, refused)) is not None:
                if not killed.is_set():
                    broken.append(failed)
            took.append(time.monotonic() - began)

    callers = [threading.Thread(target=call) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    for number in range(restarts):
        goal_reached = len(took) + 20
        while len(took) < goal_reached:
            time.sleep(0.002)
        assert held.server is not None, "it was started"
        # A kill may break what it meets; a stop may break nothing. The socket is held, so that a connection which was not
        # taken meets the next server: what a kill has broken is noticed before the next stop.
        if number % 2:
            killed.set()
        held.server.end(signal.SIGKILL if number % 2 else signal.SIGTERM)
        held.start()
        if number % 2:
            goal_reached = len(took) + 20
            while len(took) < goal_reached:
                time.sleep(0.002)
            killed.clear()
    done.set()
    for caller in callers:
        caller.join()
    goal.at_least("restarts", restarts, restarts)
    goal.nothing("refused connections", refused)
    goal.nothing("connections that a stop broke", broken)
    goal.at_most("longest wait s", round(max(took), 2), 2)
    goal.at_most("events missing or doubled over restarts", abs(_stored(held) - before - len(took)), 0)


def _deliver(held: Held, body: bytes, refused: list[str]) -> str | None:
    """Why the webhook was not answered with 200, if it was not; then it is tried again, as LINE does."""
    head = HEAD.format(path=held.webhook_path, mac=signature(held.line.secret, body), size=len(body))
    try:
        with socket.create_connection(held.address, timeout=30) as stream:
            stream.sendall(head.encode() + body)
            answer = stream.recv(64)
            return None if answer.startswith(b"HTTP/1.1 200") else f"answered with {answer[:12]!r}"
    except ConnectionRefusedError as error:
        refused.append(str(error))
        time.sleep(0.01)
        return str(error)
    except OSError as error:
        return str(error)


def _stored(held: Held) -> int:
    with sqlite3.connect(f"file:{held.database}?mode=ro", uri=True) as database:
        count: int = database.execute("SELECT count(*) FROM messages").fetchone()[0]
        return count


if __name__ == "__main__":
    main("G7", measure)
