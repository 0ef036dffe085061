"""Tickets of paid events, and which account a refund comes out of.

Revision ID: 0016
Revises: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from database.types import UtcDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "payment_refund", sa.Column("source", sa.String(16), nullable=False, server_default="wallet")
    )
    op.create_table(
        "ticket_offer",
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("price > 0", name="ck_ticket_offer_price"),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name="fk_ticket_offer_event_id_event"),
        sa.PrimaryKeyConstraint("event_id", name="pk_ticket_offer"),
    )
    op.create_table(
        "ticket",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("checkout_id", sa.Integer(), nullable=False),
        sa.Column("token_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(255), nullable=False),
        sa.Column("first_name", sa.String(100), nullable=False),
        sa.Column("last_name", sa.String(100), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("refunded", sa.BigInteger(), nullable=False),
        sa.Column("refund_tries", sa.Integer(), nullable=False),
        sa.Column("mails", sa.Integer(), nullable=False),
        sa.Column("mailed_at", UtcDateTime(), nullable=True),
        sa.Column("paid_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("amount > 0 AND refunded >= 0", name="ck_ticket_amount"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_ticket_account_id_account"),
        sa.ForeignKeyConstraint(
            ["checkout_id"], ["payment_checkout.id"], name="fk_ticket_checkout_id_payment_checkout"
        ),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name="fk_ticket_event_id_event"),
        sa.ForeignKeyConstraint(["token_id"], ["event_token.id"], name="fk_ticket_token_id_event_token"),
        sa.PrimaryKeyConstraint("id", name="pk_ticket"),
        sa.UniqueConstraint("checkout_id", name="uq_ticket_checkout_id"),
        sa.UniqueConstraint("token_id", name="uq_ticket_token_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_ticket_account_id", "ticket", ["account_id"])
    op.create_index("ix_ticket_event_id_state", "ticket", ["event_id", "state"])
    op.create_index(
        "uq_ticket_event_id_email_valid",
        "ticket",
        ["event_id", "email"],
        unique=True,
        sqlite_where=sa.text("state = 'valid'"),
        postgresql_where=sa.text("state = 'valid'"),
    )


def downgrade() -> None:
    op.drop_table("ticket")
    op.drop_table("ticket_offer")
    op.drop_column("payment_refund", "source")
