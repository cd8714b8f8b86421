"""G6: chats of five accounts that hang, chats that are held back by the rate limit and an account that is suspended delay
nobody else."""

import json
import random
import threading
import time

from goal import Goal, Setting, main
from installation import Installation

HANGING, LIMITED, SUSPENDED, HEALTHY = 200, 50, 50, 40
# Together with the chats of the first account these are more than can be in flight at once.
HANGING_ACCOUNTS, HANGING_OF_EACH = 4, 80
WRITERS = 4
SECONDS = 30.0
# Everything is sent more slowly than a busy machine can send it: what is measured is who waits for whom.
PAUSE_SECONDS = 0.1
P99_SECONDS_MAX, SECONDS_MAX = 2.0, 5.0
PUSH = "/v2/bot/message/push"


def measure(setting: Setting, goal: Goal) -> None:
    """Every chat has something to send; only the healthy ones are measured."""
    with Installation(setting.binary, "", 'delivery_mode = "push_only"') as place:
        place.start()
        chats = place.friends([f"user {number}" for number in range(HANGING + LIMITED + HEALTHY)])
        hanging, limited = chats[:HANGING], chats[HANGING : HANGING + LIMITED]
        healthy = chats[HANGING + LIMITED :]
        account, suspended = _another_account(place, [f"customer {number}" for number in range(SUSPENDED)])
        place.line.control("PUT", "/faults", _faults(hanging, limited, suspended))
        _hold_up(place, hanging + limited + suspended)
        _judge(setting, goal, "", _write(place, healthy, SECONDS * setting.scale))
        requests = place.line.control("GET", "/requests")
        goal.at_least("hanging chats tried", len(_asked(place, hanging)), HANGING)
        goal.at_least("held back by the rate limit", sum(one["status"] == 429 for one in requests), LIMITED)
        reason = place.api("GET", f"/v1.0/conversation_accounts/{account}")["suspended"]
        goal.at_least("suspended accounts", int(reason is not None), 1)
        states = [_newest(place, conversation) for _, conversation in suspended]
        goal.at_least("chats that wait for a suspended account", states.count("sending"), SUSPENDED)

        more = _hanging_accounts(place)
        place.line.control("PUT", "/faults", _faults(hanging + more, limited, suspended))
        # Measured from the first attempts on, when nobody can know yet that these chats hang.
        _hold_up(place, more)
        _judge(setting, goal, "five hanging accounts: ", _write(place, healthy, SECONDS * setting.scale))


def _hold_up(place: Installation, chats: list[tuple[str, str]]) -> None:
    """Each of these chats gets two messages that will not go out."""
    connection, headers = place.connection(), {**place.headers(), "Prefer": "respond-async"}
    for _, conversation in chats:
        for number in range(2):
            body = json.dumps({"text": f"held up {number}"}).encode()
            connection.ask("POST", f"/v1.0/conversations/{conversation}/messages", body, headers)


def _judge(setting: Setting, goal: Goal, case: str, latencies: list[float]) -> None:
    goal.at_least(f"{case}healthy messages", len(latencies), setting.scaled(500))
    goal.at_most(f"{case}not sent", latencies.count(float("inf")), 0)
    ordered = sorted(latencies)
    goal.at_most(f"{case}p99 seconds", round(ordered[int(len(ordered) * 0.99) - 1], 3), P99_SECONDS_MAX)
    goal.at_most(f"{case}longest seconds", round(ordered[-1], 3), SECONDS_MAX)


def _asked(place: Installation, chats: list[tuple[str, str]]) -> set[str]:
    """Those of these chats that LINE was asked to send to."""
    requests = place.line.control("GET", "/requests")
    return {user for user, _ in chats} & {json.loads(one["body"])["to"] for one in requests if one["path"] == PUSH}


def _hanging_accounts(place: Installation) -> list[tuple[str, str]]:
    """The chats of further accounts."""
    chats = []
    for other in range(HANGING_ACCOUNTS):
        names = [f"hanging {number} of {other}" for number in range(HANGING_OF_EACH)]
        chats += _another_account(place, names)[1]
    return chats


def _another_account(place: Installation, names: list[str]) -> tuple[str, list[tuple[str, str]]]:
    """One more account, and its chats with people of these names."""
    asked = {"type": "line", "secret": place.line.secret, "token": place.line.token, "delivery_mode": "push_only"}
    own, place.account = place.account, place.api("POST", "/v1.0/conversation_accounts", asked)["id"]
    try:
        return place.account, place.friends(names)
    finally:
        place.account = own


def _newest(place: Installation, conversation: str) -> str:
    status: str = place.api("GET", f"/v1.0/conversations/{conversation}/messages?page_size=1")["result"][0]["status"]
    return status


def _faults(
    hanging: list[tuple[str, str]], limited: list[tuple[str, str]], suspended: list[tuple[str, str]]
) -> list[dict]:
    faults = [{"kind": "timeout", "path": PUSH, "recipient": user} for user, _ in hanging]
    message = "The API rate limit has been exceeded. Try again later."
    limit = {"kind": "status", "path": PUSH, "status": 429, "message": message}
    faults += [{**limit, "recipient": user} for user, _ in limited]
    return faults + [{"kind": "status", "path": PUSH, "status": 403, "recipient": user} for user, _ in suspended]


def _write(place: Installation, chats: list[tuple[str, str]], seconds: float) -> list[float]:
    """From the request until LINE has executed the message, for each message."""
    sent: dict[str, float] = {}
    end = time.monotonic() + seconds

    def write() -> None:
        connection, headers = place.connection(), {**place.headers(), "Prefer": "respond-async"}
        while time.monotonic() < end:
            text = f"healthy {random.getrandbits(64):016x}"
            path = f"/v1.0/conversations/{random.choice(chats)[1]}/messages"
            began = time.time()
            answer = connection.ask("POST", path, json.dumps({"text": text}).encode(), headers)
            if answer.status == 200:
                sent[text] = began
            time.sleep(PAUSE_SECONDS)

    writers = [threading.Thread(target=write) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    time.sleep(SECONDS_MAX)
    executed = place.line.control("GET", "/executed")
    when = {one["body"]["messages"][0]["text"]: one["timestamp"] / 1000 for one in executed}
    return [when.get(text, float("inf")) - began for text, began in sent.items()]


if __name__ == "__main__":
    main("G6", measure)
