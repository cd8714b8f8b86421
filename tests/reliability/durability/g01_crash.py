"""G1: 200 kills at random moments under load lose, double and reorder nothing; the same test fails with each fault that is
built in on purpose.

The engine is the crash test of the Rust suite, whose campaigns have up to fifty kills each here.
"""

import math
import random
import re

import rust
from goal import Goal, Setting, main

KILLS = 200
KILLS_OF_CAMPAIGN_MAX = 50
# A busy machine acknowledges less between two kills than the hundred that are published: a twentieth is the floor.
ACKNOWLEDGED_PER_KILL = 5
CAMPAIGN_SECONDS_MAX = 300
PUSHES, REPLIES = "crash::whatever", "crash::replies"
SEEDED_KILLS = 6

# What the test must find when the program has this fault.
SEEDED = {
    "new-retry-keys": ["doubled"],
    "answer-before-commit": ["lost", "unlisted", "events lost", "misread"],
    "sent-before-sending": ["lost"],
}


def measure(setting: Setting, goal: Goal) -> None:
    """Campaigns against the program, then one for each fault against a program that has it."""
    binary = rust.executable()
    total = setting.scaled(KILLS, 12)
    campaigns = math.ceil(total / KILLS_OF_CAMPAIGN_MAX)
    failed, kills, acknowledged = [], 0, 0
    for _ in range(campaigns):
        passed, ok, output = _run(binary, [PUSHES, REPLIES], setting.binary, math.ceil(total / campaigns))
        failed += [] if ok and passed else [output[-1_500:]]
        kills += _sum(r"kills under load (\d+)", output)
        acknowledged += _sum(r"acknowledged messages (\d+)", output) + _sum(r"acknowledged events (\d+)", output)
    goal.nothing("failed campaigns", failed)
    goal.at_least("kills under load", kills, total)
    goal.at_least("acknowledged", acknowledged, total * ACKNOWLEDGED_PER_KILL)
    for bug, signs in SEEDED.items():
        _, ok, output = _run(binary, [PUSHES], setting.seeded, SEEDED_KILLS, {"SEEDED_BUG": bug})
        found = sum(_sum(rf" {sign} (\d+)[,\n]", output) for sign in signs)
        goal.at_least(f"{bug}: found", 0 if ok else found, 1)


def _run(
    binary: str, tests: list[str], program: str, kills: int, environment: dict[str, str] | None = None
) -> tuple[int, bool, str]:
    asked = {"CRASH_PROGRAM": program, "CRASH_KILLS": str(kills), "CRASH_SEED": str(random.getrandbits(31))}
    return rust.run(binary, tests, CAMPAIGN_SECONDS_MAX, {**asked, **(environment or {})})


def _sum(pattern: str, text: str) -> int:
    return sum(int(number) for number in re.findall(pattern, text))


if __name__ == "__main__":
    main("G1", measure)
