"""Who came to a session, what they thought of it, and whom we thanked.

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from database.types import UtcDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attendee",
        sa.Column("session_id", sa.BigInteger(), nullable=False),
        sa.Column("participant_id", sa.String(64), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("email", sa.String(254), nullable=True),
        sa.Column("ip", sa.String(64), nullable=True),
        sa.Column("user_agent", sa.String(500), nullable=False),
        sa.Column("device", sa.String(16), nullable=False),
        sa.Column("system", sa.String(32), nullable=False),
        sa.Column("browser", sa.String(32), nullable=False),
        sa.Column("country", sa.String(2), nullable=True),
        sa.Column("timezone", sa.String(64), nullable=True),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", "participant_id", name="pk_attendee"),
    )
    op.create_index("ix_attendee_account_id_email", "attendee", ["account_id", "email"])
    op.create_index("ix_attendee_event_id_participant_id", "attendee", ["event_id", "participant_id"])
    op.create_table(
        "event_rating",
        sa.Column("session_id", sa.BigInteger(), nullable=False),
        sa.Column("participant_id", sa.String(64), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("stars", sa.Integer(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("rated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("stars >= 1 AND stars <= 5", name="ck_event_rating_stars"),
        sa.PrimaryKeyConstraint("session_id", "participant_id", name="pk_event_rating"),
    )
    op.create_index("ix_event_rating_event_id", "event_rating", ["event_id"])
    op.create_table(
        "session_farewell",
        sa.Column("session_id", sa.BigInteger(), nullable=False),
        sa.Column("mails", sa.Integer(), nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_session_farewell"),
    )


def downgrade() -> None:
    op.drop_table("session_farewell")
    op.drop_table("event_rating")
    op.drop_table("attendee")
