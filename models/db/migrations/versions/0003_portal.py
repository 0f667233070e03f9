"""The links to the portal: how often a ticket's were replaced."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002b"


def upgrade() -> None:
    # The default is for the release before this one, which does not name the column.
    op.add_column("ticket", sa.Column("link_generation", sa.Integer(), nullable=False, server_default="0"))
