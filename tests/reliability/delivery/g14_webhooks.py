"""G14: customers' webhooks: nothing is lost over kills, each event has one id and one body, and every signature holds.

A receiver takes calls, refuses some and hangs up on others, while the server is killed fifty times. What it has taken must
be what the database holds, in the order of each conversation. Schedule, statuses and pauses are tests of the Rust suite,
where the clock can be turned.
"""

import base64
import hashlib
import hmac
import http.client
import http.server
import random
import sqlite3
import threading
import time

import rust
from goal import Goal, Setting, main
from installation import Installation, text_event

KILLS = 50
CHATS = 24
WRITERS = 4
UP_SECONDS = (0.3, 1.2)
EVENTS_OF_A_KILL = 20
ANSWER_SECONDS = (0.0, 0.02)
# The first call of an event is refused or cut off with this chance, but only once between two kills: it holds its chat up
# for five seconds. Later calls are taken: the schedule's third attempt would be minutes away.
REFUSED_CHANCE = 0.1
WRITER_PAUSE_SECONDS = 0.02
CATCH_UP_SECONDS = 120
TESTS_MIN = 20


class Receiver(http.server.ThreadingHTTPServer):
    """A customer's program. It keeps what it was told: id, body, and whether the signature holds."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Call)
        self.lock = threading.Lock()
        self.secret = b""
        self.calls = 0
        self.refused = 0
        self.refusals_max = 1
        self.bodies: dict[str, set[str]] = {}
        self.unsigned: list[str] = []
        self.taken: dict[str, None] = {}  # in order of the first time
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it is called."""
        return f"http://127.0.0.1:{self.server_port}/told"

    def hear(self, call: "_Call", body: bytes) -> bool:
        """Notes a call and says whether it is taken."""
        name, seconds = call.headers["webhook-id"], call.headers["webhook-timestamp"]
        mac = hmac.new(self.secret, f"{name}.{seconds}.".encode() + body, hashlib.sha256).digest()
        expected = "v1," + base64.b64encode(mac).decode()
        with self.lock:
            self.calls += 1
            if expected not in call.headers["webhook-signature"].split(" "):
                self.unsigned.append(name)
            is_first = name not in self.bodies
            self.bodies.setdefault(name, set()).add(hashlib.sha256(body).hexdigest())
            if is_first and self.refused < self.refusals_max and random.random() < REFUSED_CHANCE:
                self.refused += 1
                return False
            self.taken.setdefault(name, None)
            return True


class _Call(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        """Answers a call: taken, refused, or not at all."""
        body = self.rfile.read(int(self.headers["content-length"]))
        # Long enough that kills fall between a call and its answer.
        time.sleep(random.uniform(*ANSWER_SECONDS))
        if self.server.hear(self, body):
            self.send_response(204)
            self.end_headers()
        elif random.random() < 0.5:
            self.send_response(500)
            self.end_headers()
        self.close_connection = True

    def log_message(self, format: str, *values: object) -> None:
        """Nothing is logged."""


def measure(setting: Setting, goal: Goal) -> None:
    """The kills, and the tests of the Rust suite."""
    _kills(setting, goal)
    passed, ok, output = rust.run(rust.executable(), ["webhooks::"], 300)
    goal.nothing("failed tests of schedule, statuses and addresses", [] if ok else [output[-1_500:]])
    goal.at_least("tests of schedule, statuses and addresses", passed, TESTS_MIN)


def _kills(setting: Setting, goal: Goal) -> None:
    kills = setting.scaled(KILLS, 5)
    receiver = Receiver()
    settings = '[limits]\nallowed_hosts = ["127.0.0.1"]\n'
    with Installation(setting.binary, settings, "", f'webhook_uri = "{receiver.url}"') as place:
        place.start()
        receiver.secret = _secret(place)
        chats = place.friends([f"user {number}" for number in range(CHATS)])
        stop = threading.Event()
        writers = [threading.Thread(target=_write, args=(place, chats, stop)) for _ in range(WRITERS)]
        for writer in writers:
            writer.start()
        for _ in range(kills):
            time.sleep(random.uniform(*UP_SECONDS))
            place.kill()
            place.start()
            receiver.refusals_max += 1
        stop.set()
        for writer in writers:
            writer.join()
        waiting = _catch_up(place)
        place.stop()
        told = _told(place)
        interrupted = _count(place, "SELECT count(*) FROM webhook_attempts WHERE error = 'interrupted'")
    goal.note("kills", kills)
    goal.note("calls", receiver.calls)
    goal.at_least("calls that a kill interrupted", interrupted, max(1, kills // 5))
    goal.at_least("calls that were refused or cut off", receiver.refused, max(1, kills // 5))
    goal.at_least("events", len(told), kills * EVENTS_OF_A_KILL)
    goal.at_most("deliveries that wait at the end", waiting, 0)
    known = {name for name, _ in told}
    goal.nothing("lost", [name for name, _ in told if name not in receiver.taken])
    goal.nothing("ids without an event", [name for name in receiver.bodies if name not in known])
    goal.nothing("ids with several bodies", [name for name, bodies in receiver.bodies.items() if len(bodies) > 1])
    goal.nothing("signatures that do not hold", receiver.unsigned)
    goal.nothing("overtaken", _overtaken(told, list(receiver.taken)))


def _secret(place: Installation) -> bytes:
    """The bytes to verify with. The first rotation gives the customer its only secret."""
    said = place.api("POST", "/v1.0/webhook/rotate", {})
    return base64.b64decode(said["secret"].removeprefix("whsec_"))


def _write(place: Installation, chats: list[tuple[str, str]], stop: threading.Event) -> None:
    """Writes as users, whatever becomes of it."""
    while not stop.is_set():
        user, _ = random.choice(chats)
        try:
            place.webhook([text_event(user, f"text {random.random()}") for _ in range(random.randint(1, 4))])
            time.sleep(WRITER_PAUSE_SECONDS)
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)


def _catch_up(place: Installation) -> int:
    """Waits until everything was told, and says what still waits."""
    end = time.monotonic() + CATCH_UP_SECONDS
    query = "SELECT count(*) FROM webhook_deliveries WHERE state <> 'delivered'"
    while (waiting := _count(place, query)) and time.monotonic() < end:
        time.sleep(0.5)
    return waiting


def _count(place: Installation, query: str) -> int:
    with sqlite3.connect(f"file:{place.database}?mode=ro", uri=True) as database:
        return int(database.execute(query).fetchone()[0])


def _told(place: Installation) -> list[tuple[str, int]]:
    """All events of the database with their conversations, in order."""
    query = "SELECT lower(hex(id)), conversation FROM events ORDER BY sequence"
    with sqlite3.connect(f"file:{place.database}?mode=ro", uri=True) as database:
        return [(_dashed(name), conversation) for name, conversation in database.execute(query)]


def _dashed(name: str) -> str:
    return "-".join([name[:8], name[8:12], name[12:16], name[16:20], name[20:]])


def _overtaken(told: list[tuple[str, int]], taken: list[str]) -> list[str]:
    """The events that were taken after a later one of their conversation."""
    place = {name: (number, conversation) for number, (name, conversation) in enumerate(told)}
    newest: dict[int, int] = {}
    found = []
    for name in taken:
        number, conversation = place.get(name, (-1, -1))
        if number < newest.get(conversation, -1):
            found.append(name)
        newest[conversation] = max(number, newest.get(conversation, -1))
    return found


if __name__ == "__main__":
    main("G14", measure)
