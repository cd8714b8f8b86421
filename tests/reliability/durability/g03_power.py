"""G3: pictures of the disk in the midst of load, as a power cut would leave it: whatever was acknowledged before is in
each of them, texts and files, and nothing is damaged. A program that syncs at checkpoints only must lose something.

The data lie on ext4 in an image file on btrfs: a copy by reference is an atomic picture of what has reached "the disk".
"""

import json
import random
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from campaign import Campaign, texts
from goal import Goal, Setting, main, need, run
from installation import Installation

CUTS = 60
CONTROL_CUTS_MAX = 60
CHATS = 6
ACKNOWLEDGED = 500
FILES = 100
FILE_BYTES_MAX = 30_000
BETWEEN_SECONDS = 0.25
OUTER, INNER = "1200M", "400M"
TOOLS = {"mkfs.btrfs": "btrfs-progs", "mkfs.ext4": "e2fsprogs", "mount": "mount"}


def measure(setting: Setting, goal: Goal) -> None:
    """Cuts with the program as it is, then with one that has `synchronous = NORMAL`."""
    need(TOOLS)
    cuts, lost, damaged, taken = _cut(setting.binary, setting.scaled(CUTS))
    goal.at_least("cuts", cuts, setting.scaled(CUTS))
    goal.at_least("acknowledged texts", taken[0], setting.scaled(ACKNOWLEDGED))
    goal.at_least("acknowledged files", taken[1], setting.scaled(FILES))
    goal.nothing("lost", lost)
    goal.nothing("damaged", damaged)
    environment = {"SEEDED_BUG": "normal-synchronous"}
    _, lost, damaged, _ = _cut(setting.seeded, CONTROL_CUTS_MAX, environment)
    goal.at_least("normal-synchronous: cuts that lost something", len(lost) + len(damaged), 1)


def _cut(
    binary: str, count: int, environment: dict[str, str] | None = None
) -> tuple[int, list[str], list[str], tuple[int, int]]:
    """So many pictures of the disk of one server: what each lacks, and what is wrong in it. With a seeded bug the first
    picture that lacks something is the last."""
    lost, damaged, cuts = [], [], 0
    with Installation(binary, "", 'delivery_mode = "push_only"') as place, _disk(place) as outer:
        place.start(environment)
        campaign = Campaign(place, place.friends([f"user {number}" for number in range(CHATS)]))
        run("sync", "-f", place.data)
        uploads = Uploads(place)
        campaign.begin(pause=0.01)
        if environment is None:  # a file that is synced takes with it what others have left unsynced
            uploads.start()
        try:
            for _ in range(count):
                time.sleep(BETWEEN_SECONDS)
                messages, events = campaign.acknowledged()
                promised = messages | events | set(uploads.acknowledged)
                run("cp", "--reflink=always", f"{outer}/disk.img", f"{outer}/cut.img")
                kept, wrong = _look(binary, outer)
                damaged += wrong
                missing = promised - kept
                lost += [f"{len(missing)} of {len(promised)}"] if missing and not wrong else []
                cuts += 1
                if environment is not None and (lost or damaged):
                    break
        finally:
            uploads.end()
            campaign.end()
            place.kill()
        messages, events = campaign.acknowledged()
    return cuts, lost, damaged, (len(messages | events), len(uploads.acknowledged))


class Uploads(threading.Thread):
    """A client that uploads one file after the other."""

    def __init__(self, place: Installation) -> None:
        super().__init__()
        self.over = threading.Event()
        self.acknowledged: list[str] = []  # ids
        self._place = place

    def end(self) -> None:
        """Ends the load, if it was begun."""
        self.over.set()
        if self.is_alive():
            self.join()

    def run(self) -> None:
        """Until it is over. A refused upload is no promise."""
        connection, headers = self._place.connection(), self._place.headers()
        headers = {**headers, "Content-Type": "application/octet-stream"}
        while not self.over.wait(0.02):
            content = random.randbytes(random.randrange(1, FILE_BYTES_MAX))
            answer = connection.ask("POST", "/v1.0/medias?filename=upload.bin", content, headers)
            if answer.status == 200:
                self.acknowledged.append(answer.json()["id"])


@contextmanager
def _disk(place: Installation) -> Iterator[str]:
    """Lets the data of an installation lie on a disk of which pictures can be taken; the folder of its image."""
    outer = f"{place.folder}/outer"
    Path(outer).mkdir()
    Path(place.data).mkdir(mode=0o700)
    run("truncate", "-s", OUTER, f"{place.folder}/outer.img")
    run("mkfs.btrfs", "-q", f"{place.folder}/outer.img")
    run("mount", "-o", "loop", f"{place.folder}/outer.img", outer)
    try:
        run("truncate", "-s", INNER, f"{outer}/disk.img")
        run("mkfs.ext4", "-q", "-F", f"{outer}/disk.img")
        # What nobody syncs stays in memory: ext4 would write it down every five seconds.
        run("mount", "-o", "loop,commit=600", f"{outer}/disk.img", place.data)
        try:
            yield outer
        finally:
            run("umount", place.data)
    finally:
        run("umount", outer)


def _look(binary: str, outer: str) -> tuple[set[str], list[str]]:
    """The texts and the ids of files in a picture of the disk, and what is wrong in it: also files that are not whole."""
    with tempfile.TemporaryDirectory() as folder:
        at, data = f"{folder}/cut", f"{folder}/data"
        Path(at).mkdir()
        run("mount", "-o", "loop", f"{outer}/cut.img", at)
        try:
            shutil.copytree(at, data, ignore=shutil.ignore_patterns("lost+found", "run"))
        finally:
            run("umount", at)
            Path(f"{outer}/cut.img").unlink()
        verified = subprocess.run([binary, "verify", data, "--json"], capture_output=True, text=True, check=False)
        if not verified.stdout:
            return set(), [verified.stderr]
        wrong = json.loads(verified.stdout)["findings"]
        return texts(f"{data}/kaiwa.db") | _files(f"{data}/kaiwa.db"), wrong


def _files(database: str) -> set[str]:
    """The ids of all files that are said to be there."""
    connection = sqlite3.connect(database)
    with closing(connection):
        rows = connection.execute("SELECT id FROM medias WHERE status = 'stored'")
        return {str(uuid.UUID(bytes=row[0])) for row in rows}


if __name__ == "__main__":
    main("G3", measure)
