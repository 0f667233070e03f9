"""How many bytes a definition of SLA configuration has: what a merchant's versions take together is bounded."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    size = sa.Computed("octet_length(definition::text)", persisted=True)
    op.add_column("configurationversion", sa.Column("size", sa.Integer(), size, nullable=False))
