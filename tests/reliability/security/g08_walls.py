"""G8: what belongs to one customer does not exist for another, and no forged token opens anything.

The engines are tests of the Rust suite: every route that takes an id is asked with another customer's ids, and dozens
of forged tokens are tried in each place where a token may stand.
"""

import rust
from goal import Goal, Setting, main

TESTS = ["accounts::tenants::", "api::forged_tokens::"]


def measure(setting: Setting, goal: Goal) -> None:
    """Runs the tests of both walls."""
    binary = rust.executable()
    total = 0
    for test in TESTS:
        passed, ok, output = rust.run(binary, [test], 300)
        total += passed
        goal.nothing(f"failed in {test.rstrip(':')}", [] if ok else [output[-1_500:]])
        goal.at_least(f"tests of {test.rstrip(':')}", passed, 1)
    goal.note("tests", total)


if __name__ == "__main__":
    main("G8", measure)
