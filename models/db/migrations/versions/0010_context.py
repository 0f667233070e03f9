"""A ticket's context is a query when a caller asks for it, and no longer a copy."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.drop_column("ticket", "context")
