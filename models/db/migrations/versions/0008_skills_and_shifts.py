"""A category asks for skills, and an agent has the hours of a calendar."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """With a default of the database's own: the previous release, which still runs, inserts without these columns."""
    op.add_column("category", sa.Column("skills", sa.ARRAY(sa.Text()), server_default="{}", nullable=False))
    op.add_column("agent", sa.Column("shift_calendar_id", sa.BigInteger(), nullable=True))
