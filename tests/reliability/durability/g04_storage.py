"""G4: the storage fails while the server runs: nothing that begins then is acknowledged unless it is safe, reads go on,
/readyz says so, and writes are back at once. A failed fsync ends the process, whose next start is clean.

The calls of the process fail by a shim; once a real file system is full, and once the disk under one takes no block.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from campaign import Campaign, texts, unsound
from disk import Disk
from goal import Goal, Setting, main, run
from installation import Connection, Installation
from shim import EIO, ENOSPC, EROFS, Shim

FAULT_SECONDS = 2.0
BACK_SECONDS_MAX = 2.0
READY_SECONDS_MAX = 1.0
EXIT_SECONDS_MAX = 1.0
CHATS = 6
ACKNOWLEDGED = 300
IDLE_SECONDS = 1.2
IDLE_LOOKS = 50

# What fails, how, with what, and whether a write may be acknowledged all the same, because it is on disk in the end.
FAULTS = [
    ("write EIO", ["pwrite"], "fail", EIO, False),
    ("write ENOSPC", ["pwrite"], "fail", ENOSPC, False),
    ("write EROFS", ["pwrite"], "fail", EROFS, False),
    ("short writes", ["pwrite"], "halve", 0, True),
    ("slow fsync", ["fsync"], "delay", 200, True),
]
SETTINGS = """
[delivery]
backoff_first = "20ms"
backoff_max = "200ms"
"""


def measure(setting: Setting, goal: Goal) -> None:
    """One fault after the other on a server under load."""
    with Installation(setting.binary, SETTINGS, 'delivery_mode = "push_only"') as place:
        shim = Shim(place.folder)
        place.start(shim.environment)
        campaign = Campaign(place, place.friends([f"user {number}" for number in range(CHATS)]))
        for name, calls, fault, number, may_acknowledge in FAULTS:
            begin = partial(shim.fail, calls, fault, number)
            if not may_acknowledge:
                _idle(goal, place, name, (begin, shim.clear))
            one = Fault(name, may_acknowledge, not may_acknowledge, begin, shim.clear, lambda: shim.fired)
            _strike(goal, campaign, one)
        _ends(goal, campaign, "fsync EIO", partial(shim.fail, ["fsync"], "fail", EIO), lambda: shim.fired)
        shim.clear()
        place.start()
        campaign.reconcile(goal)
        goal.at_most("exit code", place.stop(), 0)
        goal.nothing("unsound", unsound(place.database))
        goal.at_least("acknowledged at least", goal.figures["acknowledged"], ACKNOWLEDGED)
    _full_disk(setting, goal)
    _broken_disk(setting, goal)


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and how it is begun and ended."""

    name: str
    may_acknowledge: bool  # it may be on disk all the same
    refuses: bool  # sooner or later no write succeeds
    begin: Callable[[], object]
    end: Callable[[], object]
    fired: Callable[[], int]


def _idle(goal: Goal, place: Installation, name: str, fault: tuple[Callable[[], object], Callable[[], object]]) -> None:
    """Lets the storage of a server fail to which nothing happens: each look at it has to find that out by itself."""
    begin, end = fault
    # Nobody has looked for a while, so that the first look is one that writes.
    time.sleep(IDLE_SECONDS)
    begin()
    connection = Connection(place.url)
    looks = [connection.ask("GET", "/readyz").status for _ in range(IDLE_LOOKS)]
    end()
    goal.nothing(f"idle, {name}: looks that are ready", [status for status in looks if status != 503])
    goal.at_most(f"idle, {name}: ready again after", _back(place), BACK_SECONDS_MAX)


def _strike(goal: Goal, campaign: Campaign, fault: Fault) -> None:
    """Lets the storage fail for a while under load, and looks at what clients see."""
    place, name = campaign.place, fault.name
    campaign.begin(pause=0.02)
    time.sleep(0.3)
    fault.begin()
    began = time.monotonic()
    reads, ready, again = _watch(place, campaign.chats[0][1], began)
    unsaved = _unsaved(campaign) if fault.refuses else []
    ended = time.monotonic()
    goal.at_least(f"{name}: fired", fault.fired(), 1)
    fault.end()
    back = _back(place)
    campaign.end()
    said = [*campaign.messages.values(), *campaign.events.values()]
    during = [one for one in said if one.began > began and one.ended < ended and one.status == 200]
    if fault.may_acknowledge:
        goal.note(f"{name}: acknowledged", len(during))
    else:
        goal.nothing(f"{name}: acknowledged", during)
    if fault.refuses:
        goal.nothing(f"{name}: acknowledged and not in the files", unsaved)
        goal.at_least(f"{name}: refused", sum(one.began > began and one.status == 503 for one in said), 1)
        goal.at_most(f"{name}: /readyz says 503 after", ready, READY_SECONDS_MAX)
        goal.nothing(f"{name}: /readyz says ready after that", again)
    goal.at_least(f"{name}: reads answered", sum(reads) / max(len(reads), 1), 0.99)
    goal.at_most(f"{name}: writes are back after", back, BACK_SECONDS_MAX)


def _watch(place: Installation, conversation: str, began: float) -> tuple[list[bool], float, list[float]]:
    """Whether each read was answered, after how long /readyz said that the server is not ready, and when it has said
    otherwise since."""
    ready: list[float] = []
    again: list[float] = []

    def ask() -> None:
        connection = Connection(place.url)
        while time.monotonic() < began + FAULT_SECONDS:
            status = connection.ask("GET", "/readyz").status
            seconds = round(time.monotonic() - began, 3)
            # An answer that comes after the end of the fault says nothing of it.
            if status == 503:
                ready.append(seconds)
            elif ready and seconds < FAULT_SECONDS:
                again.append(seconds)
            time.sleep(0.005)

    asking = threading.Thread(target=ask)
    asking.start()
    connection, reads = place.connection(), []
    while time.monotonic() < began + FAULT_SECONDS:
        path = f"/v1.0/conversations/{conversation}/messages"
        reads.append(connection.ask("GET", path, None, place.headers()).status == 200)
        time.sleep(0.02)
    asking.join()
    return reads, ready[0] if ready else float("inf"), again


def _unsaved(campaign: Campaign) -> list[str]:
    """The texts that were acknowledged and are in no copy of the files as they are now, in the midst of the fault."""
    messages, events = campaign.acknowledged()
    return sorted((messages | events) - texts(campaign.place.database))


def _back(place: Installation) -> float:
    """Seconds until the server is ready again, which it says only after a write."""
    began = time.monotonic()
    while Connection(place.url).ask("GET", "/readyz").status != 200 and time.monotonic() < began + 30:
        time.sleep(0.01)
    return round(time.monotonic() - began, 3)


def _ends(
    goal: Goal, campaign: Campaign, name: str, begin: Callable[[], object], fired: Callable[[], int]
) -> None:
    """After a failed fsync nobody knows what is on disk: only a new process can find out."""
    place = campaign.place
    assert place.server is not None, "it runs"
    campaign.begin(pause=0.02)
    time.sleep(0.3)
    began = time.monotonic()
    begin()
    while place.server.child.poll() is None and time.monotonic() < began + 10:
        time.sleep(0.002)
    goal.at_most(f"{name}: ended after", round(time.monotonic() - began, 3), EXIT_SECONDS_MAX)
    campaign.end()
    goal.at_least(f"{name}: fired", fired(), 1)
    goal.at_least(f"{name}: exit code", place.server.child.poll() or 0, 1)
    said = [*campaign.messages.values(), *campaign.events.values()]
    goal.nothing(f"{name}: acknowledged", [one for one in said if one.began > began and one.status == 200])
    place.kill()


def _full_disk(setting: Setting, goal: Goal) -> None:
    """A real file system without room."""
    with Installation(setting.binary, SETTINGS, 'delivery_mode = "push_only"') as place:
        Path(place.data).mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", place.data)
        try:
            place.start()
            campaign = Campaign(place, place.friends([f"user {number}" for number in range(CHATS)]))
            filler = Path(place.data, "filler")
            begin = partial(_fill, filler)
            _idle(goal, place, "full disk", (begin, filler.unlink))
            # The log of the database is written again from its beginning: until it has to grow, there is room in it.
            full = Fault("full disk", True, True, begin, filler.unlink, lambda: int(filler.exists()))
            _strike(goal, campaign, full)
            campaign.reconcile(goal)
            goal.at_most("exit code", place.stop(), 0)
            goal.nothing("unsound on a full disk", unsound(place.database))
        finally:
            if place.server is not None:
                place.kill()
            run("umount", place.data)


def _broken_disk(setting: Setting, goal: Goal) -> None:
    """A real file system on a disk that takes no block. The system finds out when somebody wants them synced."""
    with Installation(setting.binary, SETTINGS, 'delivery_mode = "push_only"') as place:
        disk = Disk(place)
        try:
            place.start()
            campaign = Campaign(place, place.friends([f"user {number}" for number in range(CHATS)]))
            _ends(goal, campaign, "broken disk", disk.breaks, disk.refused)
            disk.is_mended()
            place.start()
            campaign.reconcile(goal)
            goal.at_most("exit code", place.stop(), 0)
            goal.nothing("unsound on a disk that was broken", unsound(place.database))
        finally:
            if place.server is not None:
                place.kill()
            disk.end()


def _fill(filler: Path) -> None:
    with open(filler, "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return


if __name__ == "__main__":
    main("G4", measure)
