"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _stored_at() -> sa.Column[object]:
    return sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.current_timestamp())


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "tasks",
        sa.Column("fingerprint", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
    )
    op.create_table(
        "attempts",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("task_name", sa.Text, nullable=False),
        sa.Column("recipe", sa.Text, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("host", sa.Text),
        sa.Column("pid", sa.BigInteger),
        _stored_at(),
    )
    op.create_table(
        "runs",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("task_name", sa.Text, nullable=False),
        sa.Column("recipe", sa.Text, nullable=False),
        sa.Column("remedies", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("steps", sa.BigInteger, nullable=False),
        sa.Column("epochs", sa.Double),
        sa.Column("seconds", sa.Double),
        sa.Column("horizon", sa.BigInteger),
        sa.Column("threads", sa.BigInteger, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("parameters", sa.BigInteger, nullable=False),
        sa.Column("spread", sa.Text, nullable=False),
        sa.Column("turn", sa.BigInteger, nullable=False),
        _stored_at(),
    )
    op.create_index("runs_by_turn", "runs", ["turn"])
    op.create_index("runs_by_task", "runs", ["task", "turn"])
    op.create_table(
        "observations",
        sa.Column("run", sa.Text, sa.ForeignKey("runs.key", ondelete="CASCADE"), primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("steps", sa.LargeBinary, nullable=False),
        sa.Column("values", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "weights",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "evidence",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("experiment", sa.Text, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        _stored_at(),
    )
    op.create_table(
        "diagnoses",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("runs", sa.Text, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("turn", sa.BigInteger, nullable=False),
        _stored_at(),
    )
    op.create_index("diagnoses_by_turn", "diagnoses", ["turn"])
    op.create_table(
        "treatments",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("diagnosis", sa.Text, sa.ForeignKey("diagnoses.key"), nullable=False),
        sa.Column("runs", sa.Text, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("turn", sa.BigInteger, nullable=False),
        _stored_at(),
    )
    op.create_index("treatments_by_turn", "treatments", ["turn"])
    op.create_table(
        "openings",
        sa.Column("task", sa.Text, primary_key=True),
        sa.Column("question", sa.Text, primary_key=True),
        _stored_at(),
    )
