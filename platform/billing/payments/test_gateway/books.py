"""What the test provider remembers: documents, idempotency keys, and web hooks to deliver. SQLite.

A request under an idempotency key is executed once; its answer is kept and given again, and the same key with
another request is refused (409), as real providers do. One lock makes every request a step of its own.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Document = dict[str, Any]

_TABLES = """
CREATE TABLE IF NOT EXISTS document (kind TEXT, id TEXT, at REAL, body TEXT, PRIMARY KEY (kind, id));
CREATE TABLE IF NOT EXISTS idem (key TEXT PRIMARY KEY, request TEXT, answer TEXT);
CREATE TABLE IF NOT EXISTS hook (
    id INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT, body TEXT, due REAL, tries INTEGER
);
"""


class KeyConflictError(Exception):
    """An idempotency key came with another request than the first time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueHook:
    """A message to be delivered."""

    row: int
    event_id: str
    body: str
    tries: int


class Books:
    """The memory of the test provider, in a file or (None) as long as the process lives."""

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(
            str(path) if path else ":memory:", check_same_thread=False, isolation_level=None
        )
        self._connection.executescript(_TABLES)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def step(self) -> Iterator[None]:
        """All or nothing, and nobody else meanwhile."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def once(self, key: str, request: Document, work: Callable[[], Document]) -> Document:
        """The answer of `work`, which runs the first time only. Raises KeyConflictError."""
        text = json.dumps(request, sort_keys=True)
        with self.step():
            row = self._connection.execute(
                "SELECT request, answer FROM idem WHERE key = ?", (key,)
            ).fetchone()
            if row is not None:
                if row[0] != text:
                    raise KeyConflictError(key)
                found: Document = json.loads(row[1])
                return found
            answer = work()
            self._connection.execute("INSERT INTO idem VALUES (?, ?, ?)", (key, text, json.dumps(answer)))
            return answer

    def put(self, kind: str, document: Document, *, now_s: float) -> Document:
        """Keep a document; it gets an `id` when it has none."""
        with self.step():
            document.setdefault("id", f"test_{kind}_{secrets.token_hex(8)}")
            self._connection.execute(
                "INSERT INTO document VALUES (?, ?, ?, ?)"
                " ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                (kind, document["id"], now_s, json.dumps(document)),
            )
        return document

    def get(self, kind: str, ident: str) -> Document | None:
        """A document, None when there is none."""
        with self._lock:
            row = self._connection.execute(
                "SELECT body FROM document WHERE kind = ? AND id = ?", (kind, ident)
            ).fetchone()
        return json.loads(row[0]) if row else None

    def find(self, kind: str, **fields: str) -> list[Document]:
        """Documents whose fields have these values, oldest first."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT body FROM document WHERE kind = ? ORDER BY at, rowid", (kind,)
            ).fetchall()
        documents: list[Document] = [json.loads(row[0]) for row in rows]
        return [one for one in documents if all(one.get(name) == value for name, value in fields.items())]

    def send(self, event_id: str, body: str, *, due_s: float) -> None:
        """Have a web hook delivered at `due_s`."""
        with self.step():
            self._connection.execute(
                "INSERT INTO hook (event_id, body, due, tries) VALUES (?, ?, ?, 0)", (event_id, body, due_s)
            )

    def due_hooks(self, now_s: float) -> list[DueHook]:
        """Web hooks whose time has come, in the order of their times."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT id, event_id, body, tries FROM hook WHERE due <= ? ORDER BY due, id", (now_s,)
            ).fetchall()
        return [DueHook(row=row[0], event_id=row[1], body=row[2], tries=row[3]) for row in rows]

    def delivered(self, row: int) -> None:
        """Forget a web hook."""
        with self.step():
            self._connection.execute("DELETE FROM hook WHERE id = ?", (row,))

    def postpone(self, row: int, *, due_s: float) -> None:
        """Deliver it later."""
        with self.step():
            self._connection.execute("UPDATE hook SET due = ?, tries = tries + 1 WHERE id = ?", (due_s, row))
