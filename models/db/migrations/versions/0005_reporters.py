"""What reporters may decide and what they see: verified addresses, a limit of priority, and a version of a ticket without the staff's."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Defaults of the database's own: the previous release, which still runs, inserts without these columns."""
    op.add_column("reporter", sa.Column("is_email_verified", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("merchant", sa.Column("reporter_priority_limit", sa.String(length=40), server_default="high", nullable=False))
    op.add_column("ticket", sa.Column("public_version", sa.Integer(), server_default="1", nullable=False))
    op.add_column("ticket", sa.Column("public_updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False))
    op.execute('ALTER TABLE "ticket" NO FORCE ROW LEVEL SECURITY')  # for one statement of the owner's: the fence hides every row from it
    op.execute('UPDATE "ticket" SET public_version = version, public_updated_at = updated_at')
    op.execute('ALTER TABLE "ticket" FORCE ROW LEVEL SECURITY')
