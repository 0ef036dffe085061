"""Invoices, credit notes and their PDFs, which never change; what VIES says of VAT numbers.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from database.types import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_FROZEN = ("invoice", "invoice_line", "invoice_pdf")


def upgrade() -> None:
    op.create_table(
        "invoice_counter",
        sa.Column("series", sa.String(32), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("series", name="pk_invoice_counter"),
    )
    op.create_table(
        "invoice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(48), nullable=False),
        sa.Column("series", sa.String(32), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("credits_id", sa.Integer(), nullable=True),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("net", sa.BigInteger(), nullable=False),
        sa.Column("vat", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("period_start", UtcDateTime(), nullable=False),
        sa.Column("period_end", UtcDateTime(), nullable=False),
        sa.Column("issued_at", UtcDateTime(), nullable=False),
        sa.Column("locale", sa.String(8), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_invoice"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_invoice_account_id_account"),
        sa.ForeignKeyConstraint(["credits_id"], ["invoice.id"], name="fk_invoice_credits_id_invoice"),
        sa.UniqueConstraint("number", name="uq_invoice_number"),
        sa.UniqueConstraint("series", "serial", name="uq_invoice_series_serial"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_invoice_account_id_issued_at", "invoice", ["account_id", "issued_at"])
    op.create_table(
        "invoice_line",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.Integer(), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("net", sa.BigInteger(), nullable=False),
        sa.Column("vat", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_invoice_line"),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name="fk_invoice_line_invoice_id_invoice"),
        sa.UniqueConstraint("transaction_id", "kind", name="uq_invoice_line_transaction_id_kind"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_invoice_line_invoice_id", "invoice_line", ["invoice_id"])
    op.create_table(
        "invoice_pdf",
        sa.Column("invoice_id", sa.Integer(), nullable=False),
        sa.Column("pdf", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("drawn_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("invoice_id", name="pk_invoice_pdf"),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name="fk_invoice_pdf_invoice_id_invoice"),
    )
    op.create_table(
        "vat_check",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("vat_number", sa.String(20), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("consultation", sa.String(64), nullable=False),
        sa.Column("fault", sa.String(64), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("next_try_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_vat_check"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_vat_check_account_id_account"),
        sa.UniqueConstraint("account_id", "vat_number", name="uq_vat_check_account_id_vat_number"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_vat_check_next_try_at", "vat_check", ["next_try_at"])
    if op.get_bind().dialect.name == "sqlite":
        for table in _FROZEN:
            for action in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is frozen: issue a credit note'); END"
                )
        return
    op.execute(
        "CREATE FUNCTION invoice_is_frozen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION '% is frozen: issue a credit note', TG_TABLE_NAME "
        "USING ERRCODE = 'restrict_violation'; END $$"
    )
    for table in _FROZEN:
        for action, unit in (("UPDATE", "ROW"), ("DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"FOR EACH {unit} EXECUTE FUNCTION invoice_is_frozen()"
            )


def downgrade() -> None:
    for table in ("vat_check", "invoice_pdf", "invoice_line", "invoice", "invoice_counter"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION invoice_is_frozen()")
