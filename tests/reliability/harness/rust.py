"""Goals whose engine is a test of the Rust suite: it is run here, and the figures are read from what it prints."""

import json
import os
import re
import subprocess

from goal import ROOT


def executable(features: str = "") -> str:
    """The test binary, built if it has to be."""
    command = ["cargo", "test", "--no-run", "--test", "it", "--message-format", "json"]
    command += ["--features", features] if features else []
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for line in reversed(built.stdout.splitlines()):
        said = json.loads(line)
        if said.get("reason") == "compiler-artifact" and said["target"]["name"] == "it" and said["executable"]:
            return str(said["executable"])
    raise RuntimeError("cargo built no test binary")


def run(binary: str, tests: list[str], seconds: float, environment: dict[str, str] | None = None) -> tuple[int, bool, str]:
    """Runs the tests whose names contain one of these: how many passed, whether all did, and all that was printed."""
    ended = subprocess.run(
        [binary, *tests, "--test-threads", "1"],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    result = re.search(r"test result: (\w+)\. (\d+) passed; (\d+) failed", ended.stdout)
    passed = int(result.group(2)) if result else 0
    return passed, ended.returncode == 0, ended.stdout
