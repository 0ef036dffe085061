"""Column types that mean the same on SQLite and PostgreSQL.

Moments are aware UTC datetimes with whole milliseconds, the resolution of a call record. A naive datetime is
refused when it is bound, because guessing its zone would shift a bill by hours. PostgreSQL keeps them as
`timestamptz(3)`; SQLite, which has no such type, as integer milliseconds since 1970-01-01T00:00:00Z, so
that they sort and compare as numbers.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.engine import Dialect
from sqlalchemy.types import DateTime, TypeDecorator, TypeEngine

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_utc_ms(moment: datetime) -> datetime:
    """`moment` in UTC, cut to whole milliseconds. Raises ValueError for a naive datetime."""
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise ValueError(f"naive datetime {moment!r}: say which zone it is in")
    utc = moment.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def now_utc() -> datetime:
    """The present moment, aware, in whole milliseconds. Shells call it; engines get the time as an
    argument.
    """
    return to_utc_ms(datetime.now(UTC))


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime in whole milliseconds; see the module text."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(BigInteger())
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True, precision=3))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        moment = to_utc_ms(value)
        return (moment - EPOCH) // _MILLISECOND if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name == "sqlite":
            return EPOCH + int(value) * _MILLISECOND
        assert isinstance(value, datetime)
        return to_utc_ms(value)
