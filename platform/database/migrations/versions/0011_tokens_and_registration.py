"""Tokens, links that let in by themselves, and registrations.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from database.types import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "event_token",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(6), nullable=False),
        sa.Column("seat_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("sent_to_email", sa.String(254), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("first_use_date", UtcDateTime(), nullable=True),
        sa.Column("first_use_how", sa.String(8), nullable=True),
        sa.Column("browser_digest", sa.LargeBinary(32), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_event_token"),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name="fk_event_token_event_id_event"),
        sa.UniqueConstraint("event_id", "token", name="uq_event_token_event_id_token"),
        sa.UniqueConstraint("seat_id", name="uq_event_token_seat_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_token_event_id_sent_to_email", "event_token", ["event_id", "sent_to_email"])
    op.create_table(
        "event_autologin",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("token_id", sa.Integer(), nullable=True),
        sa.Column("seat_id", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.Column("browser_digest", sa.LargeBinary(32), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_event_autologin"),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name="fk_event_autologin_event_id_event"),
        sa.ForeignKeyConstraint(
            ["token_id"], ["event_token.id"], name="fk_event_autologin_token_id_event_token"
        ),
        sa.UniqueConstraint("digest", name="uq_event_autologin_digest"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_autologin_event_id", "event_autologin", ["event_id"])
    op.create_table(
        "registration",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("first_name", sa.String(100), nullable=False),
        sa.Column("last_name", sa.String(100), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("token_id", sa.Integer(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("mailed_at", UtcDateTime(), nullable=True),
        sa.Column("mails", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_registration"),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name="fk_registration_event_id_event"),
        sa.ForeignKeyConstraint(
            ["token_id"], ["event_token.id"], name="fk_registration_token_id_event_token"
        ),
        sa.UniqueConstraint("event_id", "email", name="uq_registration_event_id_email"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_registration_event_id_status", "registration", ["event_id", "status"])


def downgrade() -> None:
    for table in ("registration", "event_autologin", "event_token"):
        op.drop_table(table)
