"""Ledger: accounts, transactions and entries that can only grow, holds, and what sessions were charged.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from database.types import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ONLY_GROW = ("ledger_transaction", "ledger_entry")


def upgrade() -> None:
    _accounts_and_transactions()
    _holds()
    _usage()
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        _guard_postgresql()


def _accounts_and_transactions() -> None:
    op.create_table(
        "ledger_account",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("owner", sa.String(32), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("posted", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("mark_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_account"),
        sa.UniqueConstraint("kind", "owner", "currency", name="uq_ledger_account_kind_owner_currency"),
        sa.CheckConstraint("kind <> 'wallet' OR posted >= 0", name="ck_ledger_account_wallet_not_negative"),
        sa.CheckConstraint(
            "held = 0 OR (kind = 'wallet' AND held > 0 AND held <= posted)",
            name="ck_ledger_account_held_within_posted",
        ),
    )
    op.create_table(
        "ledger_transaction",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("idem", sa.String(255), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("posted_at", UtcDateTime(), nullable=False),
        sa.Column("reverses_id", _BIG_ID, nullable=True),
        sa.Column("settles_id", _BIG_ID, nullable=True),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("session_id", sa.BigInteger(), nullable=True),
        sa.Column("reference", sa.String(255), nullable=True),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("reason", sa.String(1000), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_transaction"),
        sa.UniqueConstraint("idem", name="uq_ledger_transaction_idem"),
        sa.UniqueConstraint("reverses_id", name="uq_ledger_transaction_reverses_id"),
        sa.ForeignKeyConstraint(
            ["reverses_id"], ["ledger_transaction.id"],
            name="fk_ledger_transaction_reverses_id_ledger_transaction",
        ),
        sa.ForeignKeyConstraint(
            ["settles_id"], ["ledger_transaction.id"],
            name="fk_ledger_transaction_settles_id_ledger_transaction",
        ),
    )  # fmt: skip
    op.create_index(
        "ix_ledger_transaction_account_id_posted_at", "ledger_transaction", ["account_id", "posted_at"]
    )
    op.create_index("ix_ledger_transaction_session_id", "ledger_transaction", ["session_id"])
    op.create_index("ix_ledger_transaction_settles_id", "ledger_transaction", ["settles_id"])
    op.create_table(
        "ledger_entry",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("transaction_id", _BIG_ID, nullable=False),
        sa.Column("ledger_account_id", _BIG_ID, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_entry"),
        sa.UniqueConstraint(
            "transaction_id", "ledger_account_id", name="uq_ledger_entry_transaction_id_ledger_account_id"
        ),
        sa.CheckConstraint("amount <> 0", name="ck_ledger_entry_amount_not_zero"),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["ledger_transaction.id"],
            name="fk_ledger_entry_transaction_id_ledger_transaction",
        ),
        sa.ForeignKeyConstraint(
            ["ledger_account_id"], ["ledger_account.id"],
            name="fk_ledger_entry_ledger_account_id_ledger_account",
        ),
    )  # fmt: skip
    op.create_index(
        "ix_ledger_entry_ledger_account_id_transaction_id", "ledger_entry",
        ["ledger_account_id", "transaction_id"],
    )  # fmt: skip


def _holds() -> None:
    op.create_table(
        "ledger_hold",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("ledger_account_id", _BIG_ID, nullable=False),
        sa.Column("session_id", sa.BigInteger(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("resolved_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_hold"),
        sa.UniqueConstraint("key", name="uq_ledger_hold_key"),
        sa.CheckConstraint("amount >= 0", name="ck_ledger_hold_amount_not_negative"),
        sa.CheckConstraint(
            "(state = 'open') = (resolved_at IS NULL)", name="ck_ledger_hold_resolved_once"
        ),
        sa.ForeignKeyConstraint(
            ["ledger_account_id"], ["ledger_account.id"],
            name="fk_ledger_hold_ledger_account_id_ledger_account",
        ),
    )  # fmt: skip
    op.create_index("ix_ledger_hold_state_expires_at", "ledger_hold", ["state", "expires_at"])
    op.create_index("ix_ledger_hold_ledger_account_id", "ledger_hold", ["ledger_account_id"])


def _usage() -> None:
    op.create_table(
        "usage_work",
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("session_id", sa.BigInteger(), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("fault", sa.String(255), nullable=True),
        sa.PrimaryKeyConstraint("scope", name="pk_usage_work"),
    )
    op.create_index("ix_usage_work_due_at", "usage_work", ["due_at"])
    op.create_table(
        "usage_posting",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.BigInteger(), nullable=True),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("lines_u", sa.BigInteger(), nullable=False),
        sa.Column("rounding_u", sa.BigInteger(), nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("vat_minor", sa.BigInteger(), nullable=False),
        sa.Column("vat_country", sa.String(2), nullable=True),
        sa.Column("transaction_id", _BIG_ID, nullable=True),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("posted_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_usage_posting"),
        sa.UniqueConstraint("scope", "version", name="uq_usage_posting_scope_version"),
        sa.UniqueConstraint("transaction_id", name="uq_usage_posting_transaction_id"),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["ledger_transaction.id"],
            name="fk_usage_posting_transaction_id_ledger_transaction",
        ),
    )  # fmt: skip
    op.create_index("ix_usage_posting_session_id", "usage_posting", ["session_id"])
    op.create_index("ix_usage_posting_account_id_posted_at", "usage_posting", ["account_id", "posted_at"])
    op.create_table(
        "usage_line",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("posting_id", _BIG_ID, nullable=False),
        sa.Column("cdr_id", sa.String(36), nullable=False),
        sa.Column("rating_version", sa.Integer(), nullable=False),
        sa.Column("cost_u", sa.BigInteger(), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_usage_line"),
        sa.ForeignKeyConstraint(
            ["posting_id"], ["usage_posting.id"], name="fk_usage_line_posting_id_usage_posting"
        ),
    )
    op.create_index(
        "uq_usage_line_cdr_id_current", "usage_line", ["cdr_id"], unique=True,
        sqlite_where=sa.text("current = 1"), postgresql_where=sa.text("current"),
    )  # fmt: skip
    op.create_index("ix_usage_line_posting_id", "usage_line", ["posting_id"])


def _guard_sqlite() -> None:
    for table in _ONLY_GROW:
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} only grows: postings are reversed, never changed'); END"
            )
    op.execute(
        "CREATE TRIGGER ledger_account_no_delete BEFORE DELETE ON ledger_account "
        "BEGIN SELECT RAISE(ABORT, 'an account of the ledger stays'); END"
    )
    op.execute(
        "CREATE TRIGGER ledger_account_keeps_its_name BEFORE UPDATE ON ledger_account "
        "WHEN NEW.id IS NOT OLD.id OR NEW.kind IS NOT OLD.kind OR NEW.owner IS NOT OLD.owner "
        "OR NEW.currency IS NOT OLD.currency "
        "BEGIN SELECT RAISE(ABORT, 'an account of the ledger keeps its name'); END"
    )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION ledger_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION '% only grows: postings are reversed, never changed', TG_TABLE_NAME "
        "USING ERRCODE = 'restrict_violation'; END $$"
    )
    for table in _ONLY_GROW:
        for action, unit in (("UPDATE", "ROW"), ("DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"FOR EACH {unit} EXECUTE FUNCTION ledger_only_grows()"
            )
    op.execute(
        "CREATE FUNCTION ledger_account_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF TG_OP = 'UPDATE' AND ROW(NEW.id, NEW.kind, NEW.owner, NEW.currency) "
        "= ROW(OLD.id, OLD.kind, OLD.owner, OLD.currency) THEN RETURN NEW; END IF; "
        "RAISE EXCEPTION 'an account of the ledger stays, and keeps its name' "
        "USING ERRCODE = 'restrict_violation'; END $$"
    )
    for action, unit in (("UPDATE", "ROW"), ("DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
        op.execute(
            f"CREATE TRIGGER ledger_account_stays_{action.lower()} BEFORE {action} ON ledger_account "
            f"FOR EACH {unit} EXECUTE FUNCTION ledger_account_stays()"
        )
    op.execute(
        "CREATE FUNCTION ledger_is_balanced() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "DECLARE whose bigint; BEGIN "
        "IF TG_TABLE_NAME = 'ledger_entry' THEN whose := NEW.transaction_id; ELSE whose := NEW.id; END IF; "
        "IF NOT EXISTS (SELECT 1 FROM ledger_entry WHERE transaction_id = whose) OR EXISTS ("
        "SELECT 1 FROM ledger_entry e JOIN ledger_account a ON a.id = e.ledger_account_id "
        "WHERE e.transaction_id = whose GROUP BY a.currency HAVING sum(e.amount) <> 0) THEN "
        "RAISE EXCEPTION 'transaction % is not balanced', whose USING ERRCODE = 'check_violation'; "
        "END IF; RETURN NULL; END $$"
    )
    for table in _ONLY_GROW:
        op.execute(
            f"CREATE CONSTRAINT TRIGGER {table}_is_balanced AFTER INSERT ON {table} "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_is_balanced()"
        )


def downgrade() -> None:
    for table in ("usage_line", "usage_posting", "usage_work", "ledger_hold", "ledger_entry",
                  "ledger_transaction", "ledger_account"):  # fmt: skip
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for function in ("ledger_only_grows", "ledger_account_stays", "ledger_is_balanced"):
            op.execute(f"DROP FUNCTION {function}()")
