"""LINE's official SDK as judge of both sides of the wire: `judge.py target/debug/kaiwa`.

It runs the sandbox and checks with the SDK, not with code of ours,
* that every webhook that the sandbox sends is signed and shaped as LINE's (deliveries.py),
* that the sandbox answers the SDK's client as LINE does (client_calls.py),
* that the server's pushes are LINE's to the last property (sent_bodies.py);
and with the reference library of Standard Webhooks, that what customers are told is signed by that specification (told.py).

The first mismatch ends it with 1. `scripts/test` runs it; by hand it needs requirements.txt.
"""

import logging
import sys
import time
from collections.abc import Callable

import client_calls
import deliveries
import sent_bodies
import told
from bot import Bot
from checks import Checks, Mismatch
from program import Program


def main(binary: str) -> int:
    """Runs all groups of checks; returns the exit code."""
    # The SDK notes each unknown event; one is sent on purpose.
    logging.disable(logging.INFO)
    passed = 0
    try:
        with Program(binary) as program, Bot() as bot:
            groups: list[tuple[str, Callable[[Checks], None]]] = [
                ("webhooks of the sandbox", lambda checks: deliveries.Deliveries(checks, program, bot).run()),
                ("calls to the sandbox", lambda checks: client_calls.ClientCalls(checks, program, bot).run()),
                ("pushes of the server", lambda checks: sent_bodies.check(checks, program)),
                ("webhooks of the server", lambda checks: told.check(checks, program, bot)),
            ]
            for name, group in groups:
                passed += _run(name, group)
            code = program.stop()
            if code != 0:
                raise Mismatch(f"the program ended with {code} after it was asked to stop")
    except Mismatch as mismatch:
        print(f"FAILED: {mismatch}")
        return 1
    print(f"{passed} passed, 0 failed")
    return 0


def _run(name: str, group: Callable[[Checks], None]) -> int:
    checks, started = Checks(), time.monotonic()
    group(checks)
    print(f"{name}: {checks.passed} checks in {time.monotonic() - started:.1f} s")
    return checks.passed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
