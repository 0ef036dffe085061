"""Taking a database away without stopping it: every statement fails as it would when the connection is
lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError


@contextmanager
def outage(engine: Engine) -> Iterator[None]:
    """Inside the block, nothing can be read from or written through `engine`."""

    def fail(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        raise OperationalError(statement, {}, Exception("the database is away"))

    event.listen(engine, "before_cursor_execute", fail)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", fail)
