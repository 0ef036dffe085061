"""Billing profiles, and payments: checkouts, cards, charges, attempts, refunds, web hooks.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from database.types import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "billing_profile",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("business", sa.Boolean(), nullable=False),
        sa.Column("vat_number", sa.String(20), nullable=False),
        sa.Column("legal_name", sa.String(120), nullable=False),
        sa.Column("address_line1", sa.String(120), nullable=False),
        sa.Column("address_line2", sa.String(120), nullable=False),
        sa.Column("postal_code", sa.String(20), nullable=False),
        sa.Column("city", sa.String(120), nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("locale", sa.String(8), nullable=False),
        sa.Column("exposure_limit", sa.BigInteger(), nullable=False),
        sa.Column("currency_fixed", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_billing_profile"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_billing_profile_account_id_account"),
        sa.CheckConstraint("exposure_limit >= 0", name="ck_billing_profile_exposure_limit"),
    )
    op.create_table(
        "payment_hook",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("psp", sa.String(16), nullable=False),
        sa.Column("event_id", sa.String(255), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("happened_at", UtcDateTime(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_payment_hook"),
        sa.UniqueConstraint("psp", "event_id", name="uq_payment_hook_psp_event_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "payment_card",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("psp", sa.String(16), nullable=False),
        sa.Column("provider_ref", sa.String(255), nullable=False),
        sa.Column("customer_ref", sa.String(255), nullable=False),
        sa.Column("brand", sa.String(32), nullable=False),
        sa.Column("last4", sa.String(4), nullable=False),
        sa.Column("exp_month", sa.Integer(), nullable=False),
        sa.Column("exp_year", sa.Integer(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("removed_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_payment_card"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_payment_card_account_id_account"),
        sa.UniqueConstraint("psp", "provider_ref", name="uq_payment_card_psp_provider_ref"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_payment_card_account_id", "payment_card", ["account_id"])
    op.create_index(
        "uq_payment_card_account_id_default",
        "payment_card",
        ["account_id"],
        unique=True,
        sqlite_where=sa.text("is_default"),
        postgresql_where=sa.text("is_default"),
    )
    op.create_table(
        "payment_charge",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(120), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("covered", sa.BigInteger(), nullable=False),
        sa.Column("usage_tx", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("soft_declines", sa.Integer(), nullable=False),
        sa.Column("next_try_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_payment_charge"),
        sa.CheckConstraint(
            "amount > 0 AND covered >= 0 AND covered <= amount", name="ck_payment_charge_amount"
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_payment_charge_account_id_account"),
        sa.UniqueConstraint("key", name="uq_payment_charge_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_payment_charge_account_id_state", "payment_charge", ["account_id", "state"])
    op.create_index("ix_payment_charge_state_next_try_at", "payment_charge", ["state", "next_try_at"])
    op.create_table(
        "payment_checkout",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(32), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("psp", sa.String(16), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("save_card", sa.Boolean(), nullable=False),
        sa.Column("idem_key", sa.String(200), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("provider_ref", sa.String(255), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("payment_ref", sa.String(255), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("look_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_payment_checkout"),
        sa.CheckConstraint("amount >= 0", name="ck_payment_checkout_amount"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name="fk_payment_checkout_account_id_account"
        ),
        sa.UniqueConstraint("account_id", "idem_key", name="uq_payment_checkout_account_id_idem_key"),
        sa.UniqueConstraint("psp", "provider_ref", name="uq_payment_checkout_psp_provider_ref"),
        sa.UniqueConstraint("public_id", name="uq_payment_checkout_public_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_payment_checkout_psp_payment_ref", "payment_checkout", ["psp", "payment_ref"])
    op.create_index("ix_payment_checkout_state_look_at", "payment_checkout", ["state", "look_at"])
    op.create_table(
        "payment_customer",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("psp", sa.String(16), nullable=False),
        sa.Column("customer_ref", sa.String(255), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "psp", name="pk_payment_customer"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name="fk_payment_customer_account_id_account"
        ),
    )
    op.create_table(
        "payment_refund",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("psp", sa.String(16), nullable=False),
        sa.Column("payment_ref", sa.String(255), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("provider_ref", sa.String(255), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(255), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("next_call_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_payment_refund"),
        sa.CheckConstraint("amount > 0", name="ck_payment_refund_amount"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_payment_refund_account_id_account"),
        sa.UniqueConstraint("key", name="uq_payment_refund_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_payment_refund_account_id", "payment_refund", ["account_id"])
    op.create_index("ix_payment_refund_state_next_call_at", "payment_refund", ["state", "next_call_at"])
    op.create_table(
        "payment_attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("charge_id", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(140), nullable=False),
        sa.Column("psp", sa.String(16), nullable=False),
        sa.Column("card_id", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("payment_ref", sa.String(255), nullable=False),
        sa.Column("action_url", sa.Text(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("next_call_at", UtcDateTime(), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_payment_attempt"),
        sa.CheckConstraint("amount > 0", name="ck_payment_attempt_amount"),
        sa.ForeignKeyConstraint(
            ["card_id"], ["payment_card.id"], name="fk_payment_attempt_card_id_payment_card"
        ),
        sa.ForeignKeyConstraint(
            ["charge_id"], ["payment_charge.id"], name="fk_payment_attempt_charge_id_payment_charge"
        ),
        sa.UniqueConstraint("charge_id", "n", name="uq_payment_attempt_charge_id_n"),
        sa.UniqueConstraint("key", name="uq_payment_attempt_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_payment_attempt_psp_payment_ref", "payment_attempt", ["psp", "payment_ref"])
    op.create_index("ix_payment_attempt_state_next_call_at", "payment_attempt", ["state", "next_call_at"])


def downgrade() -> None:
    for table in (
        "payment_hook", "payment_refund", "payment_attempt", "payment_charge", "payment_card",
        "payment_customer", "payment_checkout", "billing_profile",
    ):  # fmt: skip
        op.drop_table(table)
