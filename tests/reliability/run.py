"""Runs goals one after the other and says at the end which were reached: `run.py [--scale S] [--only G1,G8] [--quick]`.

Each goal is a program of its own in one of the folders beside this file and prints one line of JSON. A goal that prints none
is not reached.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
HARNESS = FOLDER / "harness"

# In 15 minutes on two cores; the published counts are those of scale 1.
SCALE = 0.5

# What the gate runs: all but the tests that it runs anyway, and what can only be seen in minutes on a machine at rest.
QUICK = ["G1", "G2", "G3", "G4", "G5", "G7", "G9", "G10", "G11", "G12", "G13", "G14"]
QUICK_SCALE = 0.05
# It draws the same each time: the gate judges a change, and leaves luck to the other runs.
QUICK_SEED = 1

# A goal takes minutes at most; one that hangs is not reached.
GOAL_SECONDS_MAX = 900


def main() -> int:
    """Runs what was asked for; 0 when all of it was reached."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=float, default=SCALE, help=f"of the published counts; {SCALE} unless given")
    parser.add_argument("--quick", action="store_true", help="those of the gate, as small as they still mean something")
    parser.add_argument("--only", default="", help="names of goals with commas in between")
    parser.add_argument("--seed", type=int, default=None, help="repeats a run as far as scheduling allows")
    given = parser.parse_args()
    wanted = set(QUICK) if given.quick else {name.strip().upper() for name in given.only.split(",") if name}
    goals = _goals(wanted)
    if unknown := wanted - {name for name, _ in goals}:
        print(f"no goal is called {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    seed = QUICK_SEED if given.quick and given.seed is None else given.seed
    options = ["--scale", str(QUICK_SCALE if given.quick else given.scale)]
    options += [] if seed is None else ["--seed", str(seed)]
    began = time.monotonic()
    reached = {name: _run(name, program, options) for name, program in goals}
    passed = sum(reached.values())
    missed = [name for name, ok in reached.items() if not ok]
    if missed:
        print(f"not reached: {', '.join(missed)}", file=sys.stderr)
    print(f"reliability: {time.monotonic() - began:.0f} s", file=sys.stderr)
    print(f"{passed} passed, {len(missed)} failed")
    return 1 if missed else 0


def _goals(wanted: set[str]) -> list[tuple[str, Path]]:
    """The programs of these goals, of all where none is named, by their numbers."""
    found = []
    for program in sorted(FOLDER.glob("*/g[0-9][0-9]_*.py"), key=lambda path: path.name):
        number = re.match(r"g(\d+)_", program.name)
        assert number is not None, "the pattern has found it"
        found.append((f"G{int(number.group(1))}", program))
    return [(name, program) for name, program in found if not wanted or name in wanted]


def _run(name: str, program: Path, options: list[str]) -> bool:
    """Runs a goal and passes its line on; whether it was reached. Nothing that it started is left behind."""
    command = [sys.executable, "-B", str(program), *options]
    environment = {**os.environ, "PYTHONPATH": str(HARNESS)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True) as goal:
        try:
            output, _ = goal.communicate(timeout=GOAL_SECONDS_MAX)
            line = output.strip().splitlines()[-1:]
            said = json.loads(line[0]) if line else {"violations": ["it ended without a line of JSON"]}
        except (subprocess.TimeoutExpired, ValueError) as error:
            said = {"violations": [f"no line of JSON: {error}"]}
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(goal.pid, signal.SIGKILL)
    ok = goal.returncode == 0 and said.get("ok") is True
    print(json.dumps({"goal": name, **said, "ok": ok}), flush=True)
    return ok


if __name__ == "__main__":
    sys.exit(main())
