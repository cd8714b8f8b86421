"""Runs goals one after the other and says at the end which were reached: `run.py [--scale S] [--only G1,G8] [--quick]`.

Each goal is a program of its own beside this file and prints one line of JSON. One that prints none is not reached.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent

# A goal takes minutes at most; one that hangs is not reached.
GOAL_SECONDS_MAX = 900


def main() -> int:
    """Runs what was asked for; 0 when all of it was reached."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=float, default=1.0, help="of the published counts; 1 unless given")
    parser.add_argument("--only", default="", help="names of goals with commas in between")
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args()
    goals = _goals(given.only)
    if not goals:
        print(f"no goal is called {given.only!r}", file=sys.stderr)
        return 2
    options = ["--scale", str(given.scale)] + ([] if given.seed is None else ["--seed", str(given.seed)])
    began = time.monotonic()
    reached = {name: _run(name, program, options) for name, program in goals}
    passed = sum(reached.values())
    missed = [name for name, ok in reached.items() if not ok]
    if missed:
        print(f"not reached: {', '.join(missed)}", file=sys.stderr)
    print(f"reliability: {time.monotonic() - began:.0f} s", file=sys.stderr)
    print(f"{passed} passed, {len(missed)} failed")
    return 1 if missed else 0


def _goals(only: str) -> list[tuple[str, Path]]:
    """The programs, by their numbers."""
    found = []
    for program in sorted(FOLDER.glob("g[0-9][0-9]_*.py")):
        number = re.match(r"g(\d+)_", program.name)
        assert number is not None, "the pattern has found it"
        found.append((f"G{int(number.group(1))}", program))
    wanted = {name.strip().upper() for name in only.split(",") if name.strip()}
    return [(name, program) for name, program in found if not wanted or name in wanted]


def _run(name: str, program: Path, options: list[str]) -> bool:
    """Runs a goal and passes its line on; whether it was reached."""
    command = [sys.executable, "-B", str(program), *options]
    try:
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=GOAL_SECONDS_MAX, check=False)
        line = ended.stdout.strip().splitlines()[-1:]
        said = json.loads(line[0]) if line else {}
        ok = ended.returncode == 0 and said.get("ok") is True
    except (subprocess.TimeoutExpired, ValueError) as error:
        said, ok = {"violations": [f"no line of JSON: {error}"]}, False
    print(json.dumps({"goal": name, **said, "ok": ok}), flush=True)
    return ok


if __name__ == "__main__":
    sys.exit(main())
