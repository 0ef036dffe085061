"""The two tables of call records.

`cdr` only grows: triggers in the database itself refuse UPDATE and DELETE, whoever asks.  `cdr_open` holds
the calls that are up now, with the latest checkpoint; rows come and go.

There are no foreign keys.  A record is a fact that must be kept although its account was deleted, and it may
reach the database before the session it belongs to.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from bridge.cdr.record import TEXT_CHARS_MAX, CallFacts
from database.base import Base
from database.types import UtcDateTime

_LINE = String(TEXT_CHARS_MAX)
_WORD = String(32)
_UUID = String(36)

#: Records that somebody should look at before they are billed: the end was not signalled, the call lasted
#: over four hours, or its sound was below what G.107 calls acceptable to most (R 60, MOS 3.1). The text is
#: the condition of a partial index, so queries must use these very words.
SUSPICIOUS = "(end_basis <> 'bye' OR conn_ms > 14400000 OR mos_cq < 3.1)"


class Cdr(Base):
    """One leg that is over. See docs/cdr.md."""

    __tablename__ = "cdr"
    __table_args__ = (
        UniqueConstraint("source", "source_call_id", "leg"),
        Index("ix_cdr_session_id_setup_at", "session_id", "setup_at"),
        Index("ix_cdr_account_id_setup_at", "account_id", "setup_at"),
        Index("ix_cdr_setup_at", "setup_at"),
        # For searching; docs/rating.md says which question each one answers.
        Index("ix_cdr_caller_e164", "caller_e164", postgresql_ops={"caller_e164": "text_pattern_ops"}),
        Index("ix_cdr_called_e164", "called_e164", postgresql_ops={"called_e164": "text_pattern_ops"}),
        Index("ix_cdr_caller_end", text("substr(caller_e164, length(caller_e164) - 3)")),
        Index("ix_cdr_called_end", text("substr(called_e164, length(called_e164) - 3)")),
        Index("ix_cdr_reason_slug_setup_at", "reason_slug", "setup_at"),
        Index("ix_cdr_disposition_setup_at", "disposition", "setup_at"),
        Index("ix_cdr_q850_setup_at", "q850", "setup_at"),
        Index("ix_cdr_conn_ms", "conn_ms", "id"),
        Index("ix_cdr_mos_cq", "mos_cq", "id"),
        Index("ix_cdr_suspicious", "setup_at", "id",
              sqlite_where=text(SUSPICIOUS), postgresql_where=text(SUSPICIOUS)),
        Index("ix_cdr_end_at", "end_at", "id",
              sqlite_where=text("billable = 1"), postgresql_where=text("billable")),
        Index("ix_cdr_ingest_at", "ingest_at", "id",
              sqlite_where=text("billable = 1"), postgresql_where=text("billable")),
    )

    id: Mapped[str] = mapped_column(_UUID, primary_key=True)
    source: Mapped[str] = mapped_column(_LINE)
    source_call_id: Mapped[str] = mapped_column(_LINE)
    leg: Mapped[str] = mapped_column(_LINE)
    session_id: Mapped[str | None] = mapped_column(_LINE)
    participant_id: Mapped[str | None] = mapped_column(_LINE)
    account_id: Mapped[int | None]
    subaccount_id: Mapped[int | None]
    linked_id: Mapped[str | None] = mapped_column(_LINE)
    parent_leg_id: Mapped[str | None] = mapped_column(_LINE)
    direction: Mapped[str] = mapped_column(_WORD)
    channel: Mapped[str] = mapped_column(_WORD)
    caller_e164: Mapped[str | None] = mapped_column(_WORD)
    caller_presentation: Mapped[str] = mapped_column(_WORD)
    caller_raw: Mapped[str] = mapped_column(_LINE)
    called_e164: Mapped[str | None] = mapped_column(_WORD)
    number_id: Mapped[str | None] = mapped_column(_LINE)
    number_class: Mapped[str | None] = mapped_column(_WORD)
    trunk_id: Mapped[str | None] = mapped_column(_LINE)
    src_ip: Mapped[str | None] = mapped_column(String(64))
    setup_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ring_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answer_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    join_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    leave_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    end_at: Mapped[datetime] = mapped_column(UtcDateTime)
    setup_ms: Mapped[int]
    conn_ms: Mapped[int | None]
    conf_ms: Mapped[int | None]
    end_basis: Mapped[str] = mapped_column(_WORD)
    sip_status: Mapped[int | None]
    q850: Mapped[int | None]
    cause_source: Mapped[str | None] = mapped_column(_WORD)
    hangup_party: Mapped[str | None] = mapped_column(_WORD)
    disposition: Mapped[str] = mapped_column(_WORD)
    reason_slug: Mapped[str] = mapped_column(_WORD)
    codec: Mapped[str | None] = mapped_column(_LINE)
    ptime_ms: Mapped[int | None]
    rx_pkts: Mapped[int | None]
    tx_pkts: Mapped[int | None]
    lost_pkts: Mapped[int | None]
    discarded_pkts: Mapped[int | None]
    loss_pct: Mapped[float | None]
    burst_r: Mapped[float | None]
    jitter_avg_ms: Mapped[float | None]
    jitter_max_ms: Mapped[float | None]
    rtt_ms: Mapped[float | None]
    r_factor: Mapped[float | None]
    mos_cq: Mapped[float | None]
    mos_algo: Mapped[str | None] = mapped_column(_LINE)
    pin_result: Mapped[str | None] = mapped_column(_WORD)
    pin_attempts: Mapped[int]
    billable: Mapped[bool]
    nonbillable_reason: Mapped[str | None] = mapped_column(_WORD)
    node_id: Mapped[str] = mapped_column(_LINE)
    sw_version: Mapped[str] = mapped_column(_LINE)
    ingest_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CdrOpen(Base):
    """One leg that is up, as far as its node has told.

    `boot_id` names the life of the process that holds the call: rows of an earlier life of the same node
    are calls that ended in a crash.  `facts` and `stats` are JSON as in the spool.
    """

    __tablename__ = "cdr_open"
    __table_args__ = (Index("ix_cdr_open_node_id", "node_id"),)

    id: Mapped[str] = mapped_column(_UUID, primary_key=True)
    node_id: Mapped[str] = mapped_column(_LINE)
    boot_id: Mapped[str] = mapped_column(_UUID)
    facts: Mapped[str] = mapped_column(Text)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_rtp_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    stats: Mapped[str | None] = mapped_column(Text)


_FACT_NAMES = tuple(field.name for field in fields(CallFacts))
_DERIVED_NAMES = ("setup_ms", "conn_ms", "conf_ms", "billable", "nonbillable_reason")


def row_of(facts: CallFacts) -> dict[str, Any]:
    """Column values of an ended call, all but `ingest_at`."""
    assert facts.end_at is not None, "only an ended call has a row"
    row = {name: getattr(facts, name) for name in (*_FACT_NAMES, *_DERIVED_NAMES)}
    return {name: value.value if isinstance(value, Enum) else value for name, value in row.items()}
