"""G1: 200 kills at random moments under load lose, double and reorder nothing; the same test sees a fault built in.

The engine is the crash test of the Rust suite, whose campaigns have fifty kills each here and draw another seed each time.
"""

import re

import rust
from goal import Goal, Setting, main

KILLS = 200
KILLS_OF_CAMPAIGN = 50
ACKNOWLEDGED = 20_000
CAMPAIGN_SECONDS_MAX = 300
CAMPAIGN = {"CRASH_KILLS": str(KILLS_OF_CAMPAIGN)}


def measure(setting: Setting, goal: Goal) -> None:
    """Campaigns against the program, then one against the program with a fault."""
    binary = rust.executable()
    failed, kills, acknowledged = [], 0, 0
    for _ in range(setting.scaled(KILLS // KILLS_OF_CAMPAIGN)):
        passed, ok, output = rust.run(binary, "crash::", CAMPAIGN_SECONDS_MAX, CAMPAIGN)
        failed += [] if ok and passed else [output[-1_500:]]
        kills += _sum(r"kills under load (\d+)", output)
        acknowledged += _sum(r"acknowledged messages (\d+)", output) + _sum(r"acknowledged events (\d+)", output)
    goal.nothing("failed campaigns", failed)
    goal.at_least("kills under load", kills, setting.scaled(KILLS))
    # A busy machine acknowledges less between two kills: a twentieth of the published count is the floor.
    goal.at_least("acknowledged", acknowledged, setting.scaled(ACKNOWLEDGED // 20))
    passed, ok, output = rust.run(rust.executable("seeded-bugs"), "crash::", CAMPAIGN_SECONDS_MAX)
    # That build expects doubled messages: its tests pass when the campaign has found them.
    goal.nothing("faults that were not noticed", [] if ok else [output[-1_500:]])
    goal.at_least("tests with a fault", passed, 1)


def _sum(pattern: str, text: str) -> int:
    return sum(int(number) for number in re.findall(pattern, text))


if __name__ == "__main__":
    main("G1", measure)
