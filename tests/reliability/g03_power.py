"""G3: pictures of the disk in the midst of load, as a power cut would leave it: whatever was acknowledged before is in
each of them, and no database is damaged. A program that syncs at checkpoints only must lose something.

The data lie on ext4 in an image file on btrfs: a copy by reference is an atomic picture of what has reached "the disk".
"""

import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from campaign import Campaign
from goal import Goal, Setting, main
from installation import Installation

CUTS = 60
CONTROL_CUTS = 15
CHATS = 6
ACKNOWLEDGED = 500
BETWEEN_SECONDS = 0.25
OUTER, INNER = "1200M", "400M"
TOOLS = {"mkfs.btrfs": "btrfs-progs", "mkfs.ext4": "e2fsprogs", "mount": "mount"}


def measure(setting: Setting, goal: Goal) -> None:
    """Cuts with the program as it is, then with one that has `synchronous = NORMAL`."""
    missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if missing:
        _run("apt-get", "install", "-y", "--no-install-recommends", *missing)
    cuts, lost, damaged, acknowledged = _cut(setting.binary, setting.scaled(CUTS))
    goal.at_least("cuts", cuts, setting.scaled(CUTS))
    goal.at_least("acknowledged", acknowledged, setting.scaled(ACKNOWLEDGED))
    goal.nothing("lost", lost)
    goal.nothing("damaged", damaged)
    environment = {"SEEDED_BUG": "normal-synchronous"}
    _, lost, damaged, _ = _cut(setting.seeded, setting.scaled(CONTROL_CUTS, 8), environment)
    goal.at_least("normal-synchronous: cuts that lost something", len(lost) + len(damaged), 1)


def _cut(
    binary: str, count: int, environment: dict[str, str] | None = None
) -> tuple[int, list[str], list[str], int]:
    """So many pictures of the disk of one server: what each lacks, and what is wrong in it."""
    lost, damaged, cuts = [], [], 0
    with Installation(binary, "", 'delivery_mode = "push_only"') as place, _disk(place) as outer:
        place.start(environment)
        campaign = Campaign(place, place.friends([f"user {number}" for number in range(CHATS)]))
        subprocess.run(["sync", "-f", place.data], check=True)
        campaign.begin(pause=0.01)
        try:
            for _ in range(count):
                time.sleep(BETWEEN_SECONDS)
                messages, events = campaign.acknowledged()
                _run("cp", "--reflink=always", f"{outer}/disk.img", f"{outer}/cut.img")
                texts, wrong = _look(outer)
                damaged += wrong
                missing = (messages | events) - texts
                lost += [f"{len(missing)} of {len(messages | events)}"] if missing and not wrong else []
                cuts += 1
        finally:
            campaign.end()
            place.kill()
        messages, events = campaign.acknowledged()
    return cuts, lost, damaged, len(messages | events)


@contextmanager
def _disk(place: Installation) -> Iterator[str]:
    """Lets the data of an installation lie on a disk of which pictures can be taken; the folder of its image."""
    outer = f"{place.folder}/outer"
    Path(outer).mkdir()
    Path(place.data).mkdir(mode=0o700)
    _run("truncate", "-s", OUTER, f"{place.folder}/outer.img")
    _run("mkfs.btrfs", "-q", f"{place.folder}/outer.img")
    _run("mount", "-o", "loop", f"{place.folder}/outer.img", outer)
    try:
        _run("truncate", "-s", INNER, f"{outer}/disk.img")
        _run("mkfs.ext4", "-q", "-F", f"{outer}/disk.img")
        _run("mount", "-o", "loop", f"{outer}/disk.img", place.data)
        try:
            yield outer
        finally:
            _run("umount", place.data)
    finally:
        _run("umount", outer)


def _look(outer: str) -> tuple[set[str], list[str]]:
    """The texts in a picture of the disk, and what is wrong in it."""
    with tempfile.TemporaryDirectory() as folder:
        at = f"{folder}/cut"
        Path(at).mkdir()
        _run("mount", "-o", "loop", f"{outer}/cut.img", at)
        try:
            for path in Path(at).glob("kaiwa.db*"):
                shutil.copy(path, folder)
        finally:
            _run("umount", at)
            Path(f"{outer}/cut.img").unlink()
        connection = sqlite3.connect(f"{folder}/kaiwa.db")
        try:
            wrong = [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
            return {row[0] for row in connection.execute("SELECT text FROM messages")}, wrong
        except sqlite3.DatabaseError as error:
            return set(), [str(error)]
        finally:
            connection.close()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main("G3", measure)
