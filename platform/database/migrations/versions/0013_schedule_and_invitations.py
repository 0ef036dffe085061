"""When events take place and what was done about it; invitations, and mails with more headers.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from database.types import UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account", sa.Column("rooms", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("event", sa.Column("state", sa.String(16), nullable=False, server_default="scheduled"))
    op.add_column("event", sa.Column("sequence", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("event", sa.Column("planned_at", UtcDateTime(), nullable=True))
    op.execute("UPDATE event SET planned_at = created_at")
    op.execute("UPDATE event SET state = 'ended' WHERE status = 'inactive'")
    op.create_index("ix_event_status_starts_at", "event", ["status", "starts_at"])
    op.create_index("ix_event_state", "event", ["state"])
    op.add_column("mail_outbox", sa.Column("headers", sa.JSON(), nullable=False, server_default="{}"))
    op.create_table(
        "event_step",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("occurrence", sa.String(40), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("taken_at", UtcDateTime(), nullable=False),
        sa.Column("place", sa.String(300), nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_event_step"),
        sa.UniqueConstraint("event_id", "kind", "occurrence", name="uq_event_step_event_id_kind_occurrence"),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name="fk_event_step_event_id_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_step_done_at", "event_step", ["done_at"])
    op.create_table(
        "calendar_feed",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_calendar_feed"),
        sa.UniqueConstraint("key", name="uq_calendar_feed_key"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_calendar_feed_account_id_account"),
    )
    op.create_table(
        "invitation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("wanted", sa.String(16), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("mail_key", sa.String(200), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("queued_at", UtcDateTime(), nullable=True),
        sa.Column("cancelled_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_invitation"),
        sa.UniqueConstraint("event_id", "email", name="uq_invitation_event_id_email"),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name="fk_invitation_event_id_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_invitation_wanted", "invitation", ["wanted"])
    op.create_table(
        "unsubscription",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_unsubscription"),
        sa.UniqueConstraint("account_id", "email", name="uq_unsubscription_account_id_email"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_unsubscription_account_id_account"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    for table in ("unsubscription", "invitation", "calendar_feed", "event_step"):
        op.drop_table(table)
    op.drop_column("mail_outbox", "headers")
    op.drop_index("ix_event_state", "event")
    op.drop_index("ix_event_status_starts_at", "event")
    for name in ("planned_at", "sequence", "state"):
        op.drop_column("event", name)
    op.drop_column("account", "rooms")
