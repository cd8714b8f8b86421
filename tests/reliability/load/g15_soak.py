"""G15: under steady load, with faults on LINE's side, memory, descriptors, the log and the latency stay flat.

Two minutes at scale 1; `--scale 15` is the half hour.
"""

import os
import random
import threading
import time
from dataclasses import dataclass, field

from goal import Goal, Setting, main
from installation import Installation, text_event

SECONDS = 120
PER_SECOND = 100
CHATS = 24
WRITERS = 6
SAMPLE_SECONDS = 1.0
PIECES = 4
# The page caches of the database may have 48 MiB together: they are full before memory is looked at.
FILL_BYTES = 64 << 20
FILL_EVENTS = 200
# The allocator and the log file fill at first: what comes after this part is looked at.
WARM_UP = 0.25

FAULTS = [
    {"kind": "lost", "path": "/v2/bot/message/", "probability": 0.02},
    {"kind": "status", "status": 500, "path": "/v2/bot/message/", "probability": 0.02},
    {"kind": "reset", "path": "/v2/bot/message/", "probability": 0.02},
    {"kind": "slow", "path": "/v2/bot/message/", "probability": 0.02, "delay_ms": 400},
]
SETTINGS = """
[delivery]
backoff_first = "50ms"
backoff_max = "2s"
"""


@dataclass
class Load:
    """What the clients saw."""

    began: float
    end: float
    latencies: list[tuple[float, float]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def measure(setting: Setting, goal: Goal) -> None:
    """Puts load on a server, looks at it every second, and waits until everything was delivered."""
    with Installation(setting.binary, SETTINGS, 'delivery_mode = "push_only"') as place:
        place.start()
        chats = place.friends([f"user {number}" for number in range(CHATS)])
        _fill(place, chats)
        place.line.control("PUT", "/faults", FAULTS)
        began = time.monotonic()
        load = Load(began, began + SECONDS * setting.scale)
        writers = [threading.Thread(target=_write, args=(place, chats, load, one)) for one in range(WRITERS)]
        for writer in writers:
            writer.start()
        samples = _watch(place, load)
        for writer in writers:
            writer.join()
        place.line.control("PUT", "/faults", [])
        goal.at_most("messages that were not sent", _undelivered(place, chats), 0)
        _judge(goal, load, samples)
        goal.at_most("exit code", place.stop(), 0)
        with open(place.log, encoding="utf-8") as log:
            goal.nothing("alarms in the log", [line for line in log if "panicked" in line or " ERROR " in line])


def _fill(place: Installation, chats: list[tuple[str, str]]) -> None:
    """Lets users write until the database is larger than all caches, and reads everything once."""
    connection = place.connection()
    while os.path.getsize(place.database) < FILL_BYTES:
        events = [text_event(chats[number % CHATS][0], "steady") for number in range(FILL_EVENTS)]
        answer = place.webhook(events, connection)
        if answer.status != 200:
            raise RuntimeError(f"filling: {answer.status} {answer.body!r}")
        # The log is folded into the file meanwhile: how large it gets without a pause is not the question here.
        time.sleep(0.05)
    for _, conversation in chats:
        place.all(f"/v1.0/conversations/{conversation}/messages")


def _write(place: Installation, chats: list[tuple[str, str]], load: Load, writer: int) -> None:
    """One client of several: half of what it does is writing, half is being written to."""
    draw, connection, headers = random.Random(writer), place.connection(), place.headers()
    headers = {**headers, "Prefer": "respond-async"}
    pause = WRITERS / PER_SECOND
    due = time.monotonic() + draw.random() * pause
    while due < load.end:
        time.sleep(max(0.0, due - time.monotonic()))
        user, conversation = draw.choice(chats)
        sent = time.monotonic()
        try:
            if draw.random() < 0.5:
                path = f"/v1.0/conversations/{conversation}/messages"
                answer = connection.ask("POST", path, b'{"text":"steady"}', headers)
            else:
                answer = place.webhook([text_event(user, "steady")], connection)
            if answer.status != 200:
                load.refused.append(f"{answer.status} {answer.body[:200]!r}")
        except OSError as error:
            load.refused.append(str(error))
        load.latencies.append((sent - load.began, time.monotonic() - sent))
        due += pause


def _watch(place: Installation, load: Load) -> list[tuple[float, float, int, int]]:
    """Every second: the time, resident MiB, open descriptors, bytes of the log."""
    samples = []
    while time.monotonic() < load.end:
        log = os.path.getsize(place.database + "-wal")
        samples.append((time.monotonic() - load.began, place.memory, place.descriptors, log))
        time.sleep(SAMPLE_SECONDS)
    return samples


def _undelivered(place: Installation, chats: list[tuple[str, str]]) -> int:
    """How many messages are not sent, after all the time that they may need."""
    end, waiting = time.monotonic() + 60, 1
    while waiting and time.monotonic() < end:
        lists = [place.all(f"/v1.0/conversations/{conversation}/messages") for _, conversation in chats]
        waiting = sum(1 for messages in lists for one in messages if one["status"] not in ("sent", "received"))
        time.sleep(0.2 if waiting else 0)
    return waiting


def _judge(goal: Goal, load: Load, samples: list[tuple[float, float, int, int]]) -> None:
    whole = load.end - load.began
    late = [sample for sample in samples if sample[0] > whole * WARM_UP]
    goal.nothing("refused", load.refused)
    goal.at_least("requests", len(load.latencies), whole * PER_SECOND * 0.9)
    minutes = (late[-1][0] - late[0][0]) / 60
    growth = (_mean(late[-len(late) // 4 :], 1) - _mean(late[: len(late) // 4], 1)) / (minutes * 0.75)
    # In two minutes a single page of the allocator's weighs more than in half an hour.
    goal.at_most("resident MiB per minute", round(growth, 2), 0.3 if minutes > 10 else 1.0)
    goal.note("resident MiB", round(late[-1][1], 1))
    goal.at_most("descriptors more or less", max(abs(one[2] - late[0][2]) for one in late), 40)
    goal.at_most("log MiB", round(max(one[3] for one in samples) / (1 << 20), 1), 64)
    first, last = _p99(load, whole * WARM_UP, whole * 0.6), _p99(load, whole * 0.65, whole)
    goal.note("p99 ms at first", round(first * 1000, 1))
    goal.note("p99 ms at last", round(last * 1000, 1))
    goal.at_most("p99 drift", round(last / max(first, 0.02), 2), 1.3)


def _mean(samples: list[tuple[float, float, int, int]], column: int) -> float:
    return sum(sample[column] for sample in samples) / len(samples)


def _p99(load: Load, begin: float, end: float) -> float:
    """Of the best piece of this time: what else the machine does slows some pieces down, a server that ages all."""
    pieces: dict[int, list[float]] = {}
    for at, latency in load.latencies:
        if begin <= at < end:
            pieces.setdefault(int((at - begin) / (end - begin) * PIECES), []).append(latency)
    return min((sorted(taken)[int(len(taken) * 0.99) - 1] for taken in pieces.values()), default=float("inf"))


if __name__ == "__main__":
    main("G15", measure)
