"""G13: backups under load hold what was acknowledged before them; migrations survive kills; newer files are left alone.

Twenty backups are made while clients write, each is restored and read. A file of version 1 with many rows is migrated
by a process that is killed, thirty times, and has all its rows at the end.
"""

import hashlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from goal import ROOT, Goal, Setting, main
from installation import Installation, text_event

BACKUPS = 20
KILLS = 30
WRITERS = 3
USERS = 6
COMMAND_SECONDS_MAX = 120
RESTORE_SECONDS_MAX = 5
# So many rows take the steps long enough to be killed within them.
FIXTURE_EVENTS = 150_000
FIXTURE = ROOT / "tests/it/fixtures/version_1.sql"
UNUSABLE = 78
# Sealed when the file is opened, so they read differently afterwards.
CREDENTIALS = {"secret", "secret_next", "token"}

# Today's names of columns of version 1.
RENAMED = {
    "parked_reason": "suspension_reason",
    "parked_message": "suspension_message",
    "parked_until": "suspended_until",
}


@dataclass
class Load:
    """What clients do meanwhile."""

    acknowledged: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    is_over: bool = False


def measure(setting: Setting, goal: Goal) -> None:
    """Backups, then migrations, then a newer file."""
    _backups(setting, goal)
    _migrations(setting, goal)
    _newer_file(setting, goal)


def _backups(setting: Setting, goal: Goal) -> None:
    with Installation(setting.binary) as place:
        place.start()
        users = [user for user, _ in place.friends([f"user {number}" for number in range(USERS)])]
        load = Load()
        writers = [threading.Thread(target=_write, args=(place, users[one::WRITERS], load)) for one in range(WRITERS)]
        for writer in writers:
            writer.start()
        made, missing, damaged, slowest = 0, [], [], 0.0
        try:
            for number in range(setting.scaled(BACKUPS)):
                while len(load.acknowledged) < (number + 1) * 20 and not load.refused:
                    time.sleep(0.01)
                before, file = list(load.acknowledged), f"{place.folder}/{number}.tar"
                _run(place, "backup", "--config", place.config, file)
                damaged += [] if _findings(place, file) == [] else [file]
                began = time.monotonic()
                _run(place, "restore", file, "--data", f"{place.folder}/restored")
                slowest = max(slowest, time.monotonic() - began)
                kept = _texts(f"{place.folder}/restored/kaiwa.db")
                missing += [text for text in before if text not in kept]
                made += 1
                if number + 1 < setting.scaled(BACKUPS):
                    shutil.rmtree(f"{place.folder}/restored")
                os.remove(file)
        finally:
            load.is_over = True
            for writer in writers:
                writer.join()
        goal.at_least("backups under load", made, setting.scaled(BACKUPS))
        goal.at_least("acknowledged", len(load.acknowledged), 20 * made)
        goal.nothing("acknowledged before a backup and not in it", missing)
        goal.nothing("damaged backups", damaged)
        goal.nothing("refused meanwhile", load.refused)
        goal.at_most("slowest restore s", round(slowest, 2), RESTORE_SECONDS_MAX)
        place.stop()
        _start_from_backup(place, goal, users[0])


def _write(place: Installation, users: list[str], load: Load) -> None:
    """A client that lets users write until it is over."""
    connection, draw = place.connection(), random.Random(users[0])
    number = 0
    while not load.is_over:
        number += 1
        text = f"{users[0]}-{number}"
        answer = place.webhook([text_event(draw.choice(users), text)], connection)
        if answer.status == 200:
            load.acknowledged.append(text)
        else:
            load.refused.append(f"{answer.status} {answer.body[:200]!r}")
        time.sleep(0.002)


def _start_from_backup(place: Installation, goal: Goal, user: str) -> None:
    """A server on the restored data answers, and takes what comes."""
    for name in os.listdir(place.data):
        # What a backup does not hold and an operator has to keep: keys that lie beside the database.
        if name.endswith(".key"):
            shutil.copy(f"{place.data}/{name}", f"{place.folder}/restored/{name}")
    began = time.monotonic()
    place.start({"KAIWA_DATA_DIRECTORY": f"{place.folder}/restored"})
    ready = place.connection().ask("GET", "/readyz").status
    goal.at_most("start from a backup s", round(time.monotonic() - began, 2), RESTORE_SECONDS_MAX)
    taken = place.webhook([text_event(user, "after the restore")]).status
    goal.nothing("answers of the restored server", [status for status in (ready, taken) if status != 200])
    place.stop()


def _migrations(setting: Setting, goal: Goal) -> None:
    with Installation(setting.binary) as place:
        os.makedirs(place.data)
        original = f"{place.folder}/version-1.db"
        _make_old(original)
        expected = _rows(original)
        shutil.copy(original, place.database)
        whole = time.monotonic()
        _run(place, "migrate", "--config", place.config)
        whole = time.monotonic() - whole
        lost = [] if _rows(place.database, expected) == expected else ["without a kill"]
        draw, fired, tried = random.Random(setting.seed), 0, 0
        while fired < setting.scaled(KILLS) and tried < 10 * KILLS:
            tried += 1
            shutil.rmtree(place.data)
            os.makedirs(place.data)
            shutil.copy(original, place.database)
            fired += _killed_while_migrating(place, draw.random() * whole)
            _run(place, "migrate", "--config", place.config)
            lost += [] if _rows(place.database, expected) == expected else [f"after kill {fired}"]
        goal.at_least("kills in a migration", fired, setting.scaled(KILLS))
        goal.nothing("files that lost rows", lost)
        goal.note("migration s", round(whole, 2))


def _killed_while_migrating(place: Installation, after: float) -> bool:
    """Starts a migration and kills it; whether it was still running."""
    command = [place.binary, "migrate", "--config", place.config]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(after)
        process.kill()
        return process.wait() != 0


def _newer_file(setting: Setting, goal: Goal) -> None:
    with Installation(setting.binary) as place:
        _run(place, "migrate", "--config", place.config)
        with closing(sqlite3.connect(place.database)) as database:
            database.execute("PRAGMA user_version = 1000")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        before = Path(place.database).read_bytes()
        codes = [
            subprocess.run([place.binary, command, "--config", place.config], capture_output=True, check=False).returncode
            for command in ("serve", "migrate")
        ]
        goal.nothing("exit codes for a newer file", [code for code in codes if code != UNUSABLE])
        goal.nothing("newer files that were changed", [] if Path(place.database).read_bytes() == before else ["kaiwa.db"])


def _run(place: Installation, *arguments: str) -> str:
    """Runs a command that must succeed; what it prints."""
    ended = subprocess.run(
        [place.binary, *arguments], capture_output=True, text=True, timeout=COMMAND_SECONDS_MAX, check=False
    )
    if ended.returncode != 0:
        raise RuntimeError(f"{arguments[0]} ended with {ended.returncode}: {ended.stderr[-1_000:]}")
    return ended.stdout


def _findings(place: Installation, file: str) -> list[str]:
    findings: list[str] = json.loads(_run(place, "verify", file, "--json"))["findings"]
    return findings


def _texts(database: str) -> set[str]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return {text for (text,) in connection.execute("SELECT text FROM messages")}


def _make_old(path: str) -> None:
    """A file of version 1 with the rows of the fixture and many more events."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript(FIXTURE.read_text(encoding="utf-8"))
        database.execute(
            """
            WITH RECURSIVE numbers (number) AS (SELECT 100 UNION ALL SELECT number + 1 FROM numbers LIMIT ?)
            INSERT INTO webhook_events (account, event_id, kind, result, received_at, body)
            SELECT 1, 'event ' || number, 'message', 'applied', number, '{"type":"message","number":' || number || '}'
            FROM numbers""",
            (FIXTURE_EVENTS,),
        )
        database.commit()


def _rows(path: str, like: dict[str, tuple[list[str], str]] | None = None) -> dict[str, tuple[list[str], str]]:
    """For each table its columns and a hash of its rows; only of those in `like`, if that is given."""
    found = {}
    with closing(sqlite3.connect(path)) as database:
        tables = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        for (table,) in list(tables):
            if like is not None and table not in like:
                continue
            named = [row[1] for row in database.execute(f"PRAGMA table_info({table})") if row[1] not in CREDENTIALS]
            columns = sorted(named) if like is None else like[table][0]
            present = ", ".join(column if column in named else RENAMED.get(column, column) for column in columns)
            digest = hashlib.sha256()
            for row in database.execute(f"SELECT {present} FROM {table} ORDER BY {present}"):
                digest.update(repr(row).encode())
            found[table] = (columns, digest.hexdigest())
    return found


if __name__ == "__main__":
    main("G13", measure)
