"""G5: whatever LINE does with a message, it ends as promised: sent and executed once, or failed with the reason; nothing
that may have been executed is repeated after 23 hours, and no jump of the clock leaves anything behind.

The server runs on a clock that is turned by `libfaketime`; LINE's stays as it is.
"""

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from goal import Goal, Setting, main, need
from installation import Installation

MESSAGES = 50
PUSH = "/v2/bot/message/push"
SETTINGS = """
[delivery]
backoff_first = "50ms"
backoff_max = "500ms"
"""
ENVIRONMENT = {"KAIWA_LINE__TIMEOUT": "500ms"}
END_SECONDS_MAX = 30
# A worker that waits looks at the clock again after five seconds at the latest.
SETTLE_SECONDS = 7
HOUR = 3600

SENT, REFUSED, UNKNOWN = ("sent", None), ("failed", "LINE_REFUSED"), ("failed", "OUTCOME_UNKNOWN")


@dataclass(frozen=True)
class Behavior:
    """What LINE does with each message, and what becomes of it."""

    fault: dict[str, Any] | None  # a rule of the sandbox
    end: tuple[str, str | None] = SENT  # status and reason of the message
    attempts: tuple[int, int] = (2, 100)  # requests for each message, at least and at most


@dataclass(frozen=True)
class Obstacle:
    """What LINE has against the whole account, and what ends that."""

    reason: str  # as the account shows it
    begin: Callable[[Installation], object]
    end: Callable[[Installation], object]
    hours: float  # after how long one message is tried


def _once(kind: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "count": 1, **more}


ONCE, NEVER = (1, 1), (0, 0)
BEHAVIORS = {
    "accepted": Behavior(None, attempts=ONCE),
    "answer lost": Behavior(_once("lost")),
    "error after the execution": Behavior(_once("status_after", status=500)),
    "error before the execution": Behavior(_once("status", status=500)),
    "unavailable": Behavior(_once("status", status=503)),
    "connection reset": Behavior(_once("reset")),
    "half an answer": Behavior(_once("garbage"), attempts=ONCE),
    # Its head says that LINE has accepted; nobody has to ask again.
    "answer cut off": Behavior(_once("cut"), attempts=(1, 2)),
    "answer that stops": Behavior(_once("stall")),
    "no answer": Behavior(_once("timeout")),
    "no answer after the execution": Behavior(_once("timeout", execute=True)),
    "late answer": Behavior(_once("slow", delay_ms=800)),
    "page of a proxy": Behavior(_once("html")),
    "conflict of somebody else": Behavior(_once("status", status=409)),
    "too fast": Behavior(_once("status", status=429, message="The API rate limit has been exceeded. Try again later.")),
    "refused": Behavior(_once("status", status=400), REFUSED, ONCE),
    "too large": Behavior(_once("status", status=413), REFUSED, ONCE),
    "unknown": Behavior(_once("status", status=404), REFUSED, ONCE),
}


def _always(kind: str, **more: Any) -> Callable[[Installation], object]:
    return lambda place: place.line.control("PUT", "/faults", [{"kind": kind, "path": PUSH, **more}])


def _healed(place: Installation) -> None:
    place.line.control("PUT", "/faults", [])


def _new_token(place: Installation) -> None:
    _healed(place)
    place.api("PUT", f"/v1.0/conversation_accounts/{place.account}", {"token": place.line.token})


def _used_up(place: Installation) -> None:
    place.line.control("PUT", "/quota", {"value": 10, "used": 10})


def _topped_up(place: Installation) -> None:
    place.line.control("PUT", "/quota", {"value": 1_000_000, "used": 0})


OBSTACLES = {
    "token refused": Obstacle("token", _always("status", status=401), _new_token, 0),
    "plan refused": Obstacle("permission", _always("status", status=403), _healed, 1.1),
    "quota used up": Obstacle("quota", _used_up, _topped_up, 1.1),
    "sent elsewhere": Obstacle("redirect", _always("redirect"), _healed, 0.1),
}


@dataclass
class Run:
    """A server on a clock that can be turned."""

    place: Installation
    chats: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    hours: float = 0.0

    def turn(self, hours: float) -> None:
        """Lets the server's clock jump."""
        self.hours += hours
        part = Path(f"{self.place.folder}/clock.part")
        part.write_text(f"{self.hours * HOUR:+.0f}\n", encoding="ascii")
        part.rename(f"{self.place.folder}/clock")

    def write(self, name: str) -> None:
        """A message into each chat."""
        connection, headers = self.place.connection(), {**self.place.headers(), "Prefer": "respond-async"}
        for _, conversation in self.chats:
            body = json.dumps({"text": name}).encode()
            answer = connection.ask("POST", f"/v1.0/conversations/{conversation}/messages", body, headers)
            if answer.status != 200:
                raise RuntimeError(f"{name}: {answer.status} {answer.body!r}")

    def ended(self, name: str) -> bool:
        """Waits until none of these messages is on its way; whether that came."""
        query = "SELECT count(*) FROM messages WHERE text = ? AND status = 'sending'"
        end = time.monotonic() + END_SECONDS_MAX
        while self.count(query, name) and time.monotonic() < end:
            time.sleep(0.02)
        return not self.count(query, name)

    def count(self, query: str, *values: str) -> int:
        """A number from the database."""
        with closing(sqlite3.connect(f"file:{self.place.database}?mode=ro", uri=True)) as database:
            return int(database.execute(query, values).fetchone()[0])

    def states(self, name: str) -> Counter[tuple[str, str | None]]:
        """Status and reason of these messages, as the API shows them."""
        states: Counter[tuple[str, str | None]] = Counter()
        for _, conversation in self.chats:
            for message in self.place.api("GET", f"/v1.0/conversations/{conversation}/messages?page_size=5")["result"]:
                if message["text"] == name:
                    states[message["status"], message.get("error", {}).get("reason")] += 1
        return states

    def asked(self, name: str) -> list[dict[str, Any]]:
        """The requests to LINE for these messages."""
        requests = self.place.line.control("GET", "/requests")
        return [one for one in requests if one["path"] == PUSH and _text(one) == name]

    def executed(self, name: str) -> Counter[str]:
        """How often LINE has executed these messages, for each person."""
        executed = self.place.line.control("GET", "/executed")
        return Counter(one["recipients"][0] for one in executed if one["body"]["messages"][0]["text"] == name)

    def judge(self, name: str, expected: tuple[str, str | None], times: int) -> None:
        """Notes what is not as expected: how the messages ended, and how often each was executed."""
        count = len(self.chats)
        if (states := self.states(name)) != {expected: count}:
            self.wrong.append(f"{name}: {dict(states)} instead of {expected}")
        executed = self.executed(name)
        if any(executed[user] != times for user, _ in self.chats):
            self.wrong.append(f"{name}: executed {sorted(executed.values())} times instead of {times}")
        self.place.line.control("DELETE", "/records")


def measure(setting: Setting, goal: Goal) -> None:
    """One behavior after the other, with a message in each chat."""
    need({"faketime": "faketime"})
    library = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")))
    with Installation(setting.binary, SETTINGS, 'delivery_mode = "push_only"') as place:
        run = Run(place)
        run.turn(0)
        clock = {"FAKETIME_TIMESTAMP_FILE": f"{place.folder}/clock", "FAKETIME_NO_CACHE": "1"}
        clock |= {"LD_PRELOAD": str(library), "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        place.start({**ENVIRONMENT, **clock})
        place.undeclare({**ENVIRONMENT, **clock})
        run.chats = place.friends([f"user {number}" for number in range(setting.scaled(MESSAGES, 5))])
        fired = sum(_behave(run, name, behavior) for name, behavior in BEHAVIORS.items())
        fired += sum(_stand(run, name, obstacle) for name, obstacle in OBSTACLES.items())
        late, rekeyed = _a_day_later(run), _new_keys(run)
        _jumps(run)
        violations = place.line.control("GET", "/violations")
        goal.at_most("exit code", place.stop(), 0)
    goal.at_least("behaviors", len(BEHAVIORS) + len(OBSTACLES), 14)
    goal.note("messages of each", len(run.chats))
    goal.at_least("behaviors that happened", fired, len(BEHAVIORS) - 1 + len(OBSTACLES))
    goal.nothing("ends that were not promised", run.wrong)
    goal.nothing("violations of LINE's rules", violations)
    goal.at_most("unclear messages sent after 23 hours", late, 0)
    goal.at_least("messages under a new key after 23 hours", rekeyed, len(run.chats))


def _behave(run: Run, name: str, behavior: Behavior) -> bool:
    """Whether the behavior was seen with each message."""
    rules = [{**behavior.fault, "path": PUSH, "recipient": user} for user, _ in run.chats] if behavior.fault else []
    run.place.line.control("PUT", "/faults", rules)
    run.write(name)
    if not run.ended(name):
        run.wrong.append(f"{name}: still on its way")
    attempts = Counter(json.loads(one["body"])["to"] for one in run.asked(name))
    least, most = behavior.attempts
    if not all(least <= attempts[user] <= most for user, _ in run.chats):
        run.wrong.append(f"{name}: {sorted(attempts.values())} requests instead of {least} to {most}")
    left = run.place.line.control("GET", "/state")["faults"]
    run.judge(name, behavior.end, int(behavior.end == SENT))
    return bool(rules) and not any(rule["count"] for rule in left)


def _stand(run: Run, name: str, obstacle: Obstacle) -> bool:
    """Whether the account waited, and said why; afterwards everything is sent once."""
    obstacle.begin(run.place)
    run.write(name)
    path = f"/v1.0/conversation_accounts/{run.place.account}"
    end, suspended = time.monotonic() + END_SECONDS_MAX, None
    while suspended is None and time.monotonic() < end:
        suspended = run.place.api("GET", path)["suspended"]
        time.sleep(0.02)
    if run.states(name) != {("sending", None): len(run.chats)}:
        run.wrong.append(f"{name}: {dict(run.states(name))} while it lasted")
    obstacle.end(run.place)
    run.turn(obstacle.hours)
    if not run.ended(name):
        run.wrong.append(f"{name}: still on its way")
    run.judge(name, SENT, 1)
    return suspended is not None and suspended["reason"] == obstacle.reason


def _a_day_later(run: Run) -> int:
    """How many requests are made for messages that may have been executed more than 23 hours ago."""
    name = "unclear for a day"
    _always("lost")(run.place)
    run.write(name)
    _until(lambda: len({_to(one) for one in run.asked(name)}) == len(run.chats))
    run.turn(23.1)
    if not run.ended(name):
        run.wrong.append(f"{name}: still on its way")
    _healed(run.place)
    before = len(run.asked(name))
    time.sleep(SETTLE_SECONDS)
    late = len(run.asked(name)) - before
    run.judge(name, UNKNOWN, 1)
    return late


def _new_keys(run: Run) -> int:
    """Messages that certainly were not executed go out a day later all the same: how many under a new key."""
    name = "too fast for a day"
    _always("status", status=429, message="The API rate limit has been exceeded. Try again later.")(run.place)
    run.write(name)
    _until(lambda: len({_to(one) for one in run.asked(name)}) == len(run.chats))
    first = {_to(one): one["retry_key"] for one in reversed(run.asked(name))}
    run.turn(23.1)
    # An attempt that had begun before may still be on its way, under the old key.
    _until(lambda: all(one["retry_key"] != first[_to(one)] for one in _last(run.asked(name))))
    _healed(run.place)
    if not run.ended(name):
        run.wrong.append(f"{name}: still on its way")
    executed = run.place.line.control("GET", "/executed")
    changed = sum(one["retry_key"] != first[one["recipients"][0]] for one in executed)
    run.judge(name, SENT, 1)
    return changed


def _jumps(run: Run) -> None:
    """The clock jumps while messages wait for their next attempt."""
    for hours in (72, -24):
        name = f"jump of {hours} hours"
        _always("status", status=429, message="The API rate limit has been exceeded. Try again later.")(run.place)
        run.write(name)
        _until(lambda name=name: len({_to(one) for one in run.asked(name)}) == len(run.chats))
        run.turn(hours)
        _healed(run.place)
        if not run.ended(name):
            run.wrong.append(f"{name}: still on its way")
        run.judge(name, SENT, 1)


def _last(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of these requests, in their order, the last one to each person."""
    return list({_to(one): one for one in requests}.values())


def _until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + END_SECONDS_MAX
    while not is_so() and time.monotonic() < end:
        time.sleep(0.02)


def _text(request: dict[str, Any]) -> str:
    text: str = json.loads(request["body"])["messages"][0]["text"]
    return text


def _to(request: dict[str, Any]) -> str:
    to: str = json.loads(request["body"])["to"]
    return to


if __name__ == "__main__":
    main("G5", measure)
