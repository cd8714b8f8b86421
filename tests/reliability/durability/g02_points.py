"""G2: the process ends at exact calls: before and after each kind of fsync, write, send and receive. Nothing is lost,
doubled or out of order, whatever the call was about."""

import random
import time

from campaign import Campaign, unsound
from goal import Goal, Setting, main
from installation import Installation
from shim import Shim

# How many calls of a kind, and each so-manieth of them: a commit writes many pages and syncs once.
POINTS = {"fsync": (20, 1), "pwrite": (20, 3), "send": (20, 1), "recv": (10, 1)}
CHATS = 6
LOAD_SECONDS = (0.05, 0.4)
POINT_SECONDS_MAX = 20.0
ACKNOWLEDGED = 1_000

# Where the process ends for each fault that is built in, and what must be found then.
SEEDED = {
    "new-retry-keys": ([("recv", 5 + one, True) for one in range(20)], ["doubled"]),
    "answer-before-commit": ([("pwrite", 5 + one, False) for one in range(20)], ["lost"]),
    "sent-before-sending": ([("send", 5 + one, False) for one in range(20)], ["lost"]),
}

SETTINGS = """
[delivery]
backoff_first = "20ms"
backoff_max = "100ms"
"""


def measure(setting: Setting, goal: Goal) -> None:
    """All points with the program as it is, then a few for each fault that a program was built with on purpose."""
    points = _points(setting.scale)
    fired = _run(setting.binary, points, goal)
    goal.at_least("points fired", fired, len(points))
    goal.at_least("acknowledged at least", goal.figures["acknowledged"], setting.scaled(ACKNOWLEDGED))
    for bug, (points, signs) in SEEDED.items():
        control = Goal("control")
        _run(setting.seeded, points, control, {"SEEDED_BUG": bug})
        goal.at_least(f"{bug}: found", sum(control.figures[sign] for sign in signs), 1)


def _run(
    binary: str, points: list[tuple[str, int, bool]], goal: Goal, environment: dict[str, str] | None = None
) -> int:
    """One process for each point, all on the same data; then everything is compared. How many points fired."""
    with Installation(binary, SETTINGS, 'delivery_mode = "push_only"') as place:
        shim = Shim(place.folder)
        place.start()
        campaign = Campaign(place, place.friends([f"user {number}" for number in range(CHATS)]))
        place.kill()
        fired, wrong = 0, []
        for call, count, after in points:
            place.start({**shim.environment, **(environment or {})})
            campaign.begin()
            # So that points are met at rest and in the midst of everything, and something is there to be lost.
            time.sleep(random.uniform(*LOAD_SECONDS))
            shim.kill_at(call, count, after)
            fired += _wait_for_end(place, shim)
            campaign.end()
            shim.clear()
            place.kill()
            wrong += unsound(place.database)
        place.start()
        campaign.reconcile(goal)
        goal.at_most("exit code", place.stop(), 0)
        goal.nothing("unsound", wrong + unsound(place.database))
        return fired


def _points(scale: float) -> list[tuple[str, int, bool]]:
    """At a smaller scale fewer points, spread over the same calls."""
    points = []
    for call, (number, step) in POINTS.items():
        every = max(1, round(1 / scale))
        points += [(call, 1 + one * step, after) for one in range(0, number, every) for after in (False, True)]
    return points


def _wait_for_end(place: Installation, shim: Shim) -> int:
    """Whether the process ended at its point."""
    assert place.server is not None, "it runs"
    end = time.monotonic() + POINT_SECONDS_MAX
    while time.monotonic() < end and place.server.child.poll() is None:
        time.sleep(0.005)
    return int(place.server.child.poll() is not None and shim.fired == 1)


if __name__ == "__main__":
    main("G2", measure)
