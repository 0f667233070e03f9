"""Merchants, teams, categories and agents are made and retired by the API; every such change has a row in the audit."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

MERCHANT = "NULLIF(current_setting('app.merchant_id', true), '')::bigint"


def upgrade() -> None:
    """Defaults of the database's own: the previous release, which still runs, inserts without these columns."""
    for table in ("merchant", "team", "category", "agent"):
        op.add_column(table, sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    op.add_column("merchant", sa.Column("time_zone", sa.Text(), server_default="UTC", nullable=False))
    op.add_column("merchant", sa.Column("locale", sa.Text(), server_default="en", nullable=False))
    op.add_column("merchant", sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True))
    for table in ("team", "category", "agent"):
        op.add_column(table, sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True))
    op.create_unique_constraint("uq_merchant_slug", "merchant", ["slug"])
    _keep_audit()
    _list_merchants()


def _keep_audit() -> None:
    op.create_table(
        "auditentry",
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=True),
        sa.Column("changes", sa.dialects.postgresql.JSONB(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("merchant_id", "id", name="pk_auditentry"),
    )
    op.execute("ALTER TABLE auditentry ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE auditentry FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON auditentry USING (merchant_id = {MERCHANT}) WITH CHECK (merchant_id = {MERCHANT})")
    op.execute("GRANT SELECT, INSERT ON auditentry TO helpdesk_app")


def _list_merchants() -> None:
    """The one path through the fences, for reading only: a view with the owner's eyes, which is empty unless the transaction names merchant
    0, and so is the application's right to nothing else. A second policy for the application's role would cost each lookup of a merchant
    its index.
    """
    op.execute("CREATE POLICY directory ON merchant FOR SELECT TO helpdesk_owner USING (true)")
    op.execute(f"CREATE VIEW merchantdirectory WITH (security_barrier) AS SELECT * FROM merchant WHERE {MERCHANT} = 0")  # noqa: S608
    op.execute("GRANT SELECT ON merchantdirectory TO helpdesk_app")
