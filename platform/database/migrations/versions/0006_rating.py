"""Rating: decks, rates, what calls cost, what waits for a price, and re-ratings.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from database.types import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_LINE = sa.String(255)
_WORD = sa.String(32)
_UUID = sa.String(36)
_PREFIX = sa.String(15)
_U = sa.BigInteger()
_CURRENT = sa.text("superseded_by IS NULL")

#: Columns of `cdr_rating` that are written once.
_FIXED = ("cdr_id", "version", "session_id", "account_id", "answer_at", "conn_ms", "deck_id", "rate_id",
          "matched_prefix", "matched_origin", "billed_sec", "connect_fee_u", "unit_price_u", "cost_u",
          "currency", "rounding", "cost_decimals", "reason", "rerating_id", "rated_at", "rated_by")


def _column(name: str, kind: sa.types.TypeEngine[Any], *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=null)


def _id() -> sa.Column[Any]:
    return sa.Column("id", sa.Integer(), nullable=False)


def _reference(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=f"fk_{table}_{column}_{other}")


def upgrade() -> None:
    op.create_table(
        "rate_deck",
        _id(),
        _column("name", sa.String(80)),
        _column("version", sa.Integer()),
        _column("currency", sa.String(3)),
        _column("cost_decimals", sa.Integer()),
        _column("rounding", _WORD),
        _column("valid_from", UtcDateTime()),
        _column("valid_to", UtcDateTime(), null=True),
        _column("state", _WORD),
        _column("sample", sa.Boolean()),
        _column("source", _LINE),
        _column("created_at", UtcDateTime()),
        _column("created_by", _LINE),
        _column("activated_at", UtcDateTime(), null=True),
        _column("activated_by", _LINE, null=True),
        _column("retired_at", UtcDateTime(), null=True),
        _column("retired_by", _LINE, null=True),
        sa.PrimaryKeyConstraint("id", name="pk_rate_deck"),
        sa.UniqueConstraint("name", "version", name="uq_rate_deck_name_version"),
        sa.CheckConstraint("cost_decimals BETWEEN 0 AND 6", name=op.f("ck_rate_deck_cost_decimals")),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_rate_deck_valid")),
        sa.CheckConstraint("state IN ('draft', 'active', 'retired')", name=op.f("ck_rate_deck_state")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_rate_deck_currency_state", "rate_deck", ["currency", "state"])
    op.create_table(
        "rate",
        _id(),
        _column("deck_id", sa.Integer()),
        _column("number_class", _WORD),
        _column("called_prefix", _PREFIX),
        _column("origin_prefix", _PREFIX),
        _column("valid_from", UtcDateTime(), null=True),
        _column("valid_to", UtcDateTime(), null=True),
        _column("connect_fee_u", _U),
        _column("per_minute_u", _U),
        _column("first_s", sa.Integer()),
        _column("next_s", sa.Integer()),
        _column("min_charge_u", _U, null=True),
        _column("max_charge_u", _U, null=True),
        _column("grace_ms", sa.Integer()),
        _column("description", _LINE),
        sa.PrimaryKeyConstraint("id", name="pk_rate"),
        _reference("rate", "deck_id", "rate_deck"),
        sa.CheckConstraint("connect_fee_u >= 0 AND per_minute_u >= 0", name=op.f("ck_rate_amounts")),
        sa.CheckConstraint("first_s > 0 AND next_s > 0 AND grace_ms >= 0", name=op.f("ck_rate_blocks")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_rate_deck_id", "rate", ["deck_id"])
    _create_reratings()
    _create_ratings()
    _guard()


def _create_reratings() -> None:
    op.create_table(
        "rerating",
        _id(),
        _column("state", _WORD),
        _column("reason", sa.Text()),
        _column("requested_by", sa.Integer()),
        _column("requested_at", UtcDateTime()),
        _column("decided_by", sa.Integer(), null=True),
        _column("decided_at", UtcDateTime(), null=True),
        _column("decision_note", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_rerating"),
        sa.CheckConstraint("state IN ('requested', 'applied', 'rejected')", name=op.f("ck_rerating_state")),
        sa.CheckConstraint(
            "decided_by IS NULL OR decided_by <> requested_by", name=op.f("ck_rerating_two_people")
        ),
        sa.CheckConstraint(
            "state = 'requested' OR decided_by IS NOT NULL", name=op.f("ck_rerating_decided")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_rerating_state", "rerating", ["state"])
    op.create_table(
        "rerating_line",
        _id(),
        _column("rerating_id", sa.Integer()),
        _column("cdr_id", _UUID),
        _column("session_id", sa.BigInteger(), null=True),
        _column("account_id", sa.Integer(), null=True),
        _column("currency", sa.String(3)),
        _column("old_version", sa.Integer(), null=True),
        _column("old_cost_u", _U, null=True),
        _column("old_billed_sec", sa.Integer(), null=True),
        _column("new_deck_id", sa.Integer()),
        _column("new_rate_id", sa.Integer()),
        _column("new_cost_u", _U),
        _column("new_billed_sec", sa.Integer()),
        sa.PrimaryKeyConstraint("id", name="pk_rerating_line"),
        sa.UniqueConstraint("rerating_id", "cdr_id", name="uq_rerating_line_rerating_id_cdr_id"),
        _reference("rerating_line", "rerating_id", "rerating"),
        _reference("rerating_line", "new_deck_id", "rate_deck"),
        _reference("rerating_line", "new_rate_id", "rate"),
        sqlite_autoincrement=True,
    )


def _create_ratings() -> None:
    op.create_table(
        "cdr_rating",
        _column("cdr_id", _UUID),
        _column("version", sa.Integer()),
        _column("session_id", sa.BigInteger(), null=True),
        _column("account_id", sa.Integer(), null=True),
        _column("answer_at", UtcDateTime(), null=True),
        _column("conn_ms", sa.Integer(), null=True),
        _column("deck_id", sa.Integer()),
        _column("rate_id", sa.Integer()),
        _column("matched_prefix", _PREFIX),
        _column("matched_origin", _PREFIX),
        _column("billed_sec", sa.Integer()),
        _column("connect_fee_u", _U),
        _column("unit_price_u", _U),
        _column("cost_u", _U),
        _column("currency", sa.String(3)),
        _column("rounding", _WORD),
        _column("cost_decimals", sa.Integer()),
        _column("reason", _LINE),
        _column("rerating_id", sa.Integer(), null=True),
        _column("rated_at", UtcDateTime()),
        _column("rated_by", _LINE),
        _column("superseded_by", sa.Integer(), null=True),
        sa.PrimaryKeyConstraint("cdr_id", "version", name="pk_cdr_rating"),
        _reference("cdr_rating", "deck_id", "rate_deck"),
        _reference("cdr_rating", "rate_id", "rate"),
        _reference("cdr_rating", "rerating_id", "rerating"),
        sa.CheckConstraint("version >= 1", name=op.f("ck_cdr_rating_version")),
        sa.CheckConstraint(
            "superseded_by IS NULL OR superseded_by > version", name=op.f("ck_cdr_rating_superseded_by")
        ),
        sa.CheckConstraint("billed_sec >= 0 AND cost_u >= 0", name=op.f("ck_cdr_rating_amounts")),
    )
    partial: dict[str, Any] = {"sqlite_where": _CURRENT, "postgresql_where": _CURRENT}
    op.create_index("uq_cdr_rating_current", "cdr_rating", ["cdr_id"], unique=True, **partial)
    op.create_index("ix_cdr_rating_cost_u", "cdr_rating", ["cost_u", "cdr_id"], **partial)
    op.create_index("ix_cdr_rating_session_id", "cdr_rating", ["session_id"])
    op.create_index("ix_cdr_rating_account_id_answer_at", "cdr_rating", ["account_id", "answer_at"])
    op.create_table(
        "unrated_call",
        _column("cdr_id", _UUID),
        _column("session_id", sa.BigInteger(), null=True),
        _column("account_id", sa.Integer(), null=True),
        _column("reason", _WORD),
        _column("number_class", _WORD, null=True),
        _column("called_e164", _WORD, null=True),
        _column("answer_at", UtcDateTime(), null=True),
        _column("first_at", UtcDateTime()),
        _column("last_at", UtcDateTime()),
        _column("tries", sa.Integer()),
        sa.PrimaryKeyConstraint("cdr_id", name="pk_unrated_call"),
    )
    op.create_index("ix_unrated_call_first_at", "unrated_call", ["first_at"])
    op.create_index("ix_unrated_call_session_id", "unrated_call", ["session_id"])


def downgrade() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    for table in ("unrated_call", "cdr_rating", "rerating_line", "rerating", "rate", "rate_deck"):
        op.drop_table(table)
    if postgresql:
        for function in ("cdr_rating_is_kept", "rate_is_kept"):
            op.execute(f"DROP FUNCTION {function}()")


def _guard() -> None:
    """Triggers: a price once given stays on record, and so does the rate behind it."""
    ratings = "cdr_rating only grows: only superseded_by is written, once"
    rates = "rates are never changed, and only those of a draft are deleted"
    not_draft = "(SELECT state FROM rate_deck WHERE id = OLD.deck_id) <> 'draft'"
    columns = ", ".join(_FIXED)
    if op.get_bind().dialect.name == "sqlite":
        for name, when, what, message in (
            ("cdr_rating_no_delete", "BEFORE DELETE ON cdr_rating", "", ratings),
            ("cdr_rating_no_update", f"BEFORE UPDATE OF {columns} ON cdr_rating", "", ratings),
            ("cdr_rating_once", "BEFORE UPDATE ON cdr_rating", "WHEN OLD.superseded_by IS NOT NULL", ratings),
            ("rate_no_update", "BEFORE UPDATE ON rate", "", rates),
            ("rate_no_delete", "BEFORE DELETE ON rate", f"WHEN {not_draft}", rates),
        ):
            op.execute(f"CREATE TRIGGER {name} {when} {what} BEGIN SELECT RAISE(ABORT, '{message}'); END")
        return
    op.execute(
        "CREATE FUNCTION cdr_rating_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN RAISE EXCEPTION '{ratings}' USING ERRCODE = 'restrict_violation'; END $$"
    )
    op.execute(
        "CREATE FUNCTION rate_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'DELETE' AND NOT ({not_draft}) THEN RETURN OLD; END IF; "
        f"RAISE EXCEPTION '{rates}' USING ERRCODE = 'restrict_violation'; END $$"
    )
    for name, when, unit, function in (
        ("cdr_rating_no_delete", "BEFORE DELETE ON cdr_rating", "ROW", "cdr_rating_is_kept"),
        ("cdr_rating_no_truncate", "BEFORE TRUNCATE ON cdr_rating", "STATEMENT", "cdr_rating_is_kept"),
        ("cdr_rating_no_update", f"BEFORE UPDATE OF {columns} ON cdr_rating", "ROW", "cdr_rating_is_kept"),
        ("rate_no_update", "BEFORE UPDATE ON rate", "ROW", "rate_is_kept"),
        ("rate_no_delete", "BEFORE DELETE ON rate", "ROW", "rate_is_kept"),
    ):
        op.execute(f"CREATE TRIGGER {name} {when} FOR EACH {unit} EXECUTE FUNCTION {function}()")
    op.execute(
        "CREATE TRIGGER cdr_rating_once BEFORE UPDATE ON cdr_rating FOR EACH ROW "
        "WHEN (OLD.superseded_by IS NOT NULL) EXECUTE FUNCTION cdr_rating_is_kept()"
    )
