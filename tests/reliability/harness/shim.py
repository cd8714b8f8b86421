"""Faults at exact calls of the server: a library that is loaded into it before libc, and the page that tells it what to do."""

import errno
import mmap
import struct
import subprocess
from pathlib import Path

from goal import need

SOURCE = Path(__file__).with_name("shim.c")
FIELDS = ["kill_call", "kill_after", "kill_at", "seen", "fault_calls", "fault", "number", "fired"]
CALLS = {"fsync": 1, "pwrite": 2, "send": 4, "recv": 8}
FAULTS = {"fail": 1, "halve": 2, "delay": 3}


class Shim:
    """The library, compiled for this machine, and its page."""

    def __init__(self, folder: str) -> None:
        need({"cc": "gcc libc6-dev"})
        self._library, self._path = f"{folder}/shim.so", f"{folder}/shim.page"
        command = ["cc", "-shared", "-fPIC", "-O1", "-o", self._library, str(SOURCE), "-ldl"]
        subprocess.run(command, check=True)
        with open(self._path, "wb") as file:
            file.write(bytes(mmap.PAGESIZE))
        with open(self._path, "r+b") as file:
            self._page = mmap.mmap(file.fileno(), mmap.PAGESIZE)

    @property
    def environment(self) -> dict[str, str]:
        """With what the server has to be started."""
        return {"LD_PRELOAD": self._library, "SHIM_PAGE": self._path}

    @property
    def fired(self) -> int:
        """How often something happened since the last change."""
        return self._get("fired")

    def kill_at(self, call: str, count: int, after: bool) -> None:
        """Kills the process at the so-manieth call from now on, before it or after it."""
        self.clear()
        self._set("kill_after", int(after))
        self._set("kill_at", count)
        self._set("kill_call", CALLS[call])

    def fail(self, calls: list[str], fault: str, number: int = 0) -> None:
        """Lets each such call on a file go wrong from now on; `number` is an errno or milliseconds."""
        self.clear()
        self._set("number", number)
        self._set("fault", FAULTS[fault])
        self._set("fault_calls", sum(CALLS[call] for call in calls))

    def clear(self) -> None:
        """Lets everything work."""
        for field in ("kill_call", "fault_calls", "seen", "fired"):
            self._set(field, 0)

    def _set(self, field: str, value: int) -> None:
        struct.pack_into("i", self._page, 4 * FIELDS.index(field), value)

    def _get(self, field: str) -> int:
        return struct.unpack_from("i", self._page, 4 * FIELDS.index(field))[0]


EIO, ENOSPC, EROFS = errno.EIO, errno.ENOSPC, errno.EROFS
