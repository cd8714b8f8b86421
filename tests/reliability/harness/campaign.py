"""Clients who write messages and a LINE that delivers webhooks, all at once, and what they know afterwards."""

import http.client
import json
import random
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from goal import Goal
from installation import Installation, text_event

DRAIN_SECONDS = 60


@dataclass
class Said:
    """A message or an event that was attempted, under a text that no other has."""

    chat: int
    began: float
    status: int = 0  # 0 while and because there was no answer
    ended: float = 0.0


@dataclass
class Campaign:
    """All clients of an installation, over one process after the other."""

    place: Installation
    chats: list[tuple[str, str]]
    messages: dict[str, Said] = field(default_factory=dict)
    events: dict[str, Said] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def begin(self, writers: int = 4, webhooks: int = 2, pause: float = 0.0) -> None:
        """Puts load on the present process."""
        self._over.clear()
        work = [(self._write, pause)] * writers + [(self._deliver, pause)] * webhooks
        self._threads = [threading.Thread(target=run, args=(pause,)) for run, pause in work]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Ends the load and waits for what is in flight."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def acknowledged(self) -> tuple[set[str], set[str]]:
        """The texts of messages and of events that were answered with success up to now."""
        def taken(said: dict[str, Said]) -> set[str]:
            return {text for text, one in list(said.items()) if 200 <= one.status < 300}

        return taken(self.messages), taken(self.events)

    def _write(self, pause: float) -> None:
        connection, headers = self.place.connection(), self.place.headers()
        while not self._over.wait(pause):
            chat = random.randrange(len(self.chats))
            text = f"message {random.getrandbits(64):016x}"
            path = f"/v1.0/conversations/{self.chats[chat][1]}/messages"
            body = json.dumps({"text": text}).encode()
            asking = {**headers, "Prefer": "respond-async"} if random.random() < 0.8 else headers
            said = self.messages[text] = Said(chat, time.monotonic())
            try:
                answer = connection.ask("POST", path, body, asking)
            except (OSError, http.client.HTTPException):
                if self._is_dead():
                    return
                continue
            self._note(said, answer.status)

    def _deliver(self, pause: float) -> None:
        connection = self.place.connection()
        while not self._over.wait(pause):
            texts = [f"event {random.getrandbits(64):016x}" for _ in range(random.randrange(1, 6))]
            events, said = [], []
            for text in texts:
                chat = random.randrange(len(self.chats))
                events.append({**text_event(self.chats[chat][0], text), "replyToken": None})
                self.events[text] = Said(chat, time.monotonic())
                said.append(self.events[text])
            try:
                answer = self.place.webhook(events, connection)
            except (OSError, http.client.HTTPException):
                if self._is_dead():
                    return
                continue
            for one in said:
                self._note(one, answer.status)

    def _note(self, said: Said, status: int) -> None:
        said.ended, said.status = time.monotonic(), status
        if status not in (200, 503):
            self.refused.append(str(status))

    def _is_dead(self) -> bool:
        server = self.place.server
        return server is None or server.child.poll() is not None

    def reconcile(self, goal: Goal) -> None:
        """Waits until all is delivered, and compares what was promised with what is listed and what LINE executed."""
        lists = self._drained()
        executed = self.place.line.control("GET", "/executed")
        messages, events = self.acknowledged()
        sent: dict[int, list[str]] = {chat: [] for chat in range(len(self.chats))}
        of_user = {user: chat for chat, (user, _) in enumerate(self.chats)}
        for one in executed:
            sent[of_user[one["recipients"][0]]] += [bubble["text"] for bubble in one["body"]["messages"]]
        lost, doubled, moved, unlisted = [], [], [], []
        for chat, rows in enumerate(lists):
            ours = [row["text"] for row in rows if not row["source_target"]]
            texts = [row["text"] for row in rows]
            lost += [text for text in messages if self.messages[text].chat == chat and text not in sent[chat]]
            doubled += [text for text in set(sent[chat]) if sent[chat].count(text) > 1]
            doubled += [text for text in set(texts) if texts.count(text) > 1 and text != "hello"]
            moved += [] if sent[chat] == ours or doubled or lost else [f"chat {chat}"]
            promised = {text for text in messages if self.messages[text].chat == chat}
            promised |= {text for text in events if self.events[text].chat == chat}
            unlisted += sorted(promised - set(texts))
        goal.nothing("lost", lost + unlisted)
        goal.nothing("doubled", doubled)
        goal.nothing("out of order", moved)
        goal.nothing("violations", self.place.line.control("GET", "/violations"))
        goal.nothing("refused", self.refused)
        goal.note("acknowledged", len(messages) + len(events))

    def _drained(self) -> list[list[dict]]:
        """All messages of each chat, oldest first, once LINE has been told of all of them."""
        end = time.monotonic() + DRAIN_SECONDS
        while True:
            paths = [f"/v1.0/conversations/{conversation}/messages" for _, conversation in self.chats]
            lists = [list(reversed(self.place.all(path))) for path in paths]
            waiting = sum(row["status"] == "sending" for rows in lists for row in rows)
            if not waiting or time.monotonic() > end:
                return lists
            time.sleep(0.1)


def unsound(database: str) -> list[str]:
    """What is wrong in a database that no process has open."""
    with _copy(database) as connection:
        try:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
            found += [f"a reference to nothing: {row}" for row in connection.execute("PRAGMA foreign_key_check")]
        except sqlite3.DatabaseError as error:
            found = [str(error)]
    return found


def texts(database: str) -> set[str]:
    """The texts of all messages. A process may have the database open as long as it writes nothing."""
    with _copy(database) as connection:
        return {row[0] for row in connection.execute("SELECT text FROM messages")}


@contextmanager
def _copy(database: str) -> Iterator[sqlite3.Connection]:
    """The database as its files say, in a copy, so that nothing is changed."""
    with tempfile.TemporaryDirectory() as folder:
        for path in (database, f"{database}-wal"):
            if Path(path).exists():
                shutil.copy(path, folder)
        connection = sqlite3.connect(f"{folder}/{Path(database).name}")
        try:
            yield connection
        finally:
            connection.close()
