"""What the gauges of the worker count by, over all merchants: no text, no person."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("GRANT SELECT (sla_status) ON ticket TO helpdesk_relay")
    op.execute("GRANT SELECT (kind) ON job TO helpdesk_relay")
