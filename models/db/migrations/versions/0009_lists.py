"""Lists, counts and search among many tickets: indexes, the words of a ticket beside it, and a vacuum that keeps up."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"

MERCHANT = "NULLIF(current_setting('app.merchant_id', true), '')::bigint"
WORDS = "to_tsvector('simple', {0}subject || ' ' || left({0}description, 20000))"
_KEPT = "deleted_at IS NULL"


def upgrade() -> None:
    _index_lists()
    _keep_words()
    _find_words()
    _vacuum_often()


def _index_lists() -> None:
    """Each ends with what the usual order is by; counts read these alone. A change of a ticket writes all indexes anyway: of the instant of
    its last change there is one.
    """
    for name, columns in {"status": ["status"], "assignee": ["assignee_id", "status"], "team": ["team_id", "status"]}.items():
        key = ["merchant_id", *columns, "created_at", "id"]
        op.create_index(f"ix_ticket_{name}", "ticket", key, postgresql_where=sa.text(_KEPT))
    at_risk = sa.text(f"sla_status IN ('breached', 'imminent') AND {_KEPT}")
    op.create_index("ix_ticket_at_risk", "ticket", ["merchant_id", "sla_status", "created_at", "id"], postgresql_where=at_risk)
    op.drop_index("ix_ticket_load", "ticket")  # ix_ticket_assignee does its work


def _keep_words() -> None:
    """In a table of their own: a ticket changes often and its words never, but each change of a row writes all of its table's indexes.

    The trigger runs with the rights and behind the fence of the one that writes the ticket.
    """
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gin")  # a trusted one: the owner of the database may add it
    op.create_table(
        "ticketwords",
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("words", postgresql.TSVECTOR(), nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", "ticket_id", name="pk_ticketwords"),
    )
    op.execute("ALTER TABLE ticket NO FORCE ROW LEVEL SECURITY")  # for one statement of the owner's: the fence hides every row from it
    op.execute(f"INSERT INTO ticketwords SELECT merchant_id, id, {WORDS.format('')} FROM ticket")  # noqa: S608 - our own text
    op.execute("ALTER TABLE ticket FORCE ROW LEVEL SECURITY")
    op.create_index("ix_ticketwords_words", "ticketwords", ["merchant_id", "words"], postgresql_using="gin")
    op.drop_column("ticket", "search")
    op.execute("ALTER TABLE ticketwords ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE ticketwords FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON ticketwords USING (merchant_id = {MERCHANT}) WITH CHECK (merchant_id = {MERCHANT})")
    op.execute("GRANT SELECT, INSERT, UPDATE ON ticketwords TO helpdesk_app")
    op.execute(f"""
        CREATE FUNCTION keep_words() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
        BEGIN
            INSERT INTO ticketwords VALUES (NEW.merchant_id, NEW.id, {WORDS.format("NEW.")})
            ON CONFLICT (merchant_id, ticket_id) DO UPDATE SET words = excluded.words;
            RETURN NULL;
        END $$
    """)  # noqa: S608
    op.execute("CREATE TRIGGER keep_words AFTER INSERT ON ticket FOR EACH ROW EXECUTE FUNCTION keep_words()")
    op.execute("""
        CREATE TRIGGER keep_changed_words AFTER UPDATE OF subject, description ON ticket FOR EACH ROW
        WHEN ((OLD.subject, OLD.description) IS DISTINCT FROM (NEW.subject, NEW.description)) EXECUTE FUNCTION keep_words()
    """)


def _find_words() -> None:
    """Behind row-level security no index on words is used: their operator might tell, by an error, what the fence hides. So the owner's
    eyes look, at the transaction's merchant alone.
    """
    op.execute("CREATE POLICY search ON ticketwords FOR SELECT TO helpdesk_owner USING (true)")
    op.execute(f"""
        CREATE FUNCTION tickets_with(asked tsquery, at_most int) RETURNS bigint[]
        LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        BEGIN
            RETURN ARRAY(SELECT ticket_id FROM ticketwords WHERE merchant_id = {MERCHANT} AND words @@ asked LIMIT at_most);
        END $$
    """)  # noqa: S608
    op.execute("REVOKE ALL ON FUNCTION tickets_with FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION tickets_with TO helpdesk_app")


def _vacuum_often() -> None:
    """The outbox is a queue: as many rows go as come. A lease finds room beside its row, so that no index is written for it.

    Counts read indexes alone where vacuum has been.
    """
    op.execute("ALTER TABLE outbox SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500)")
    op.execute("ALTER TABLE ticket SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05)")
