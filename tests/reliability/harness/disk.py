"""A disk that can break under the file system of an installation."""

import os
import subprocess
import time
from pathlib import Path

from goal import need, run
from installation import Installation

MOUNT_SECONDS_MAX = 10
TOOLS = {"nbdkit": "nbdkit", "nbdfuse": "libnbd-bin", "mkfs.ext4": "e2fsprogs", "mount": "mount"}


class Disk:
    """A file system in a file, behind a block device that can be told to take nothing."""

    def __init__(self, place: Installation) -> None:
        need(TOOLS)
        self._at, self._folder = place.data, place.folder
        self._flag, self._log = Path(self._folder, "broken"), Path(self._folder, "disk.log")
        image, device = f"{self._folder}/disk.img", f"{self._folder}/device"
        run("truncate", "-s", "64M", image)
        Path(device).touch()
        server = ["nbdkit", "--single", "--filter=error", "file", image]
        broken = ["error-pwrite-rate=100%", f"error-pwrite-file={self._flag}"]
        with open(self._log, "wb") as log:
            self._serving = subprocess.Popen(["nbdfuse", device, "--command", *server, *broken], stderr=log)
        end = time.monotonic() + MOUNT_SECONDS_MAX
        while not os.path.getsize(device) and time.monotonic() < end:
            time.sleep(0.01)
        self._device = device
        run("mkfs.ext4", "-q", "-F", device)
        Path(self._at).mkdir(mode=0o700)
        self._mount()

    def breaks(self) -> None:
        """From now on it takes no block."""
        self._flag.touch()

    def refused(self) -> int:
        """How many blocks it did not take."""
        return self._log.read_text(encoding="utf-8").count("injecting EIO")

    def is_mended(self) -> None:
        """It takes blocks again, and is mounted as at the next start of the machine."""
        self._flag.unlink()
        run("umount", self._at)
        subprocess.run(["e2fsck", "-fy", self._device], check=False, capture_output=True)
        self._mount()

    def end(self) -> None:
        """Takes it away."""
        run("umount", self._at)
        run("umount", self._device)
        self._serving.wait()

    def _mount(self) -> None:
        run("mount", "-o", "loop", self._device, self._at)
