"""A goal: a figure that must be reached, faults that must really have fired, and one line of JSON that says so.

A program of a goal is `gNN_name.py` and ends with `main("GNN", measure)`. `measure` gets the settings of the run and a
`Goal` to report to. Whatever it does not reach, or cannot do on this machine, fails; nothing is ever skipped.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from installation import Installation

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Setting:
    """How a goal is measured."""

    binary: str  # the program under test
    seeded: str  # the same program with a fault built in on purpose
    scale: float  # 1 is the goal as it is published; less is quicker and proves less
    seed: int

    def scaled(self, count: int, least: int = 1) -> int:
        """So many of what the goal asks for at this scale."""
        return max(least, round(count * self.scale))


class Goal:
    """What was measured, and what of it falls short."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.figures: dict[str, Any] = {}
        self.violations: list[str] = []

    def note(self, figure: str, value: Any) -> None:
        """A figure without a limit."""
        self.figures[figure] = value

    def at_least(self, figure: str, value: float, floor: float) -> None:
        """A figure that says nothing, or too little, below its floor."""
        self.figures[figure] = value
        if not value >= floor:
            self.violations.append(f"{figure} is {value}, at least {floor} is needed")

    def at_most(self, figure: str, value: float, limit: float) -> None:
        """A figure that must not be exceeded."""
        self.figures[figure] = value
        if not value <= limit:
            self.violations.append(f"{figure} is {value}, at most {limit} is allowed")

    def nothing(self, figure: str, found: list[Any]) -> None:
        """What must not be found: the number of findings, and the first of them."""
        self.at_most(figure, len(found), 0)
        self.violations.extend(f"{figure}: {one}" for one in found[:3])


def need(packages: dict[str, str]) -> None:
    """Installs the Debian packages of those tools that this machine lacks; the goal is not reached where that fails."""
    missing = [name for tool, names in packages.items() if shutil.which(tool) is None for name in names.split()]
    if missing:
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", *missing]):
            command = ["apt-get", "-q", *arguments]
            subprocess.run(command, check=True, stdout=sys.stderr, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def run(*command: str) -> None:
    """Runs a command that must succeed; the line of JSON is all that a goal prints."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main(name: str, measure: Callable[[Setting, Goal], None]) -> None:
    """Measures, prints the line and ends with 0 only when all of it holds."""
    setting, began = _setting(), time.monotonic()
    goal = Goal(name)
    try:
        measure(setting, goal)
    except Exception as error:  # a goal that cannot be measured is not reached
        traceback.print_exc()
        goal.violations.append(f"it could not be measured: {error}")
    line = {
        "goal": name,
        "ok": not goal.violations,
        **goal.figures,
        "violations": goal.violations,
        "scale": setting.scale,
        "seed": setting.seed,
        "seconds": round(time.monotonic() - began, 1),
        **_program(setting.binary),
    }
    print(json.dumps(line), flush=True)
    sys.exit(0 if line["ok"] else 1)


def _setting() -> Setting:
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", default=str(ROOT / "target/reliability/kaiwa"))
    parser.add_argument("--seeded", default=str(ROOT / "target/reliability/kaiwa-seeded"))
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 31) if given.seed is None else given.seed
    random.seed(seed)
    return Setting(given.binary, given.seeded, given.scale, seed)


def _program(binary: str) -> dict[str, Any]:
    """Which program was measured, with which SQLite, and how that is set, as a server of it says at its start."""
    with Installation(binary) as place:
        place.start()
        with open(place.log, encoding="utf-8") as file:
            storage = re.search(r"storage: SQLite (\S+) with synchronous = (\d+)", file.read())
    if storage is None:
        raise RuntimeError("the server does not say at its start which SQLite it has")
    asked = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    head = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    commit = head or os.environ.get("COMMIT", "unknown")
    return {"sqlite": storage.group(1), "synchronous": int(storage.group(2)), "commit": commit}
