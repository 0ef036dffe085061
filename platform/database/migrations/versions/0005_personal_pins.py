"""Telephone PINs of single visitors.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from database.types import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("event_pin", sa.Column("seat_id", sa.String(64), nullable=True))
    op.add_column("event_pin", sa.Column("person_name", sa.String(200), nullable=True))
    op.add_column("event_pin", sa.Column("expires_at", UtcDateTime(), nullable=True))
    op.create_index("uq_event_pin_event_id_seat_id", "event_pin", ["event_id", "seat_id"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_event_pin_event_id_seat_id", "event_pin")
    op.execute("DELETE FROM event_pin WHERE seat_id IS NOT NULL")
    for name in ("expires_at", "person_name", "seat_id"):
        op.drop_column("event_pin", name)
