"""Every table behind row-level security from its first row, the roles' rights, and the functions that give out ids and numbers."""

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = (
    "agent",
    "category",
    "deliveryattempt",
    "escalation",
    "event",
    "idempotencykey",
    "job",
    "ledgerentry",
    "merchant",
    "comment",
    "notification",
    "outbox",
    "reporter",
    "configurationversion",
    "slaclock",
    "survey",
    "team",
    "ticket",
)
APPEND_ONLY = ("event", "ledgerentry", "configurationversion")
MERCHANT = "NULLIF(current_setting('app.merchant_id', true), '')::bigint"


def upgrade() -> None:
    _fence_tenants()
    _grant_application()
    _grant_relay()
    _lease_ids()
    _number_tickets()


def _fence_tenants() -> None:
    for table in TABLES:
        key = "id" if table == "merchant" else "merchant_id"
        op.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
        op.execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
        op.execute(f'CREATE POLICY tenant ON "{table}" USING ({key} = {MERCHANT}) WITH CHECK ({key} = {MERCHANT})')


def _grant_application() -> None:
    op.execute("GRANT SELECT ON alembic_version TO helpdesk_app")
    for table in TABLES:
        # No DELETE anywhere, and no UPDATE of what is append-only: the database itself keeps these promises.
        rights = "SELECT, INSERT" if table in APPEND_ONLY else "SELECT, INSERT, UPDATE"
        op.execute(f'GRANT {rights} ON "{table}" TO helpdesk_app')


def _grant_relay() -> None:
    """The relay serves every merchant, so it sees as little as it can: its outbox, and what tells that something was lost."""
    for table, rights in {
        "outbox": "SELECT, UPDATE, DELETE",
        "ticket": "SELECT (merchant_id, id, next_deadline_at, team_id, is_queued, status, deleted_at)",
        "notification": "SELECT (merchant_id, id, status, posted_at)",
        "idempotencykey": "SELECT, DELETE",
        "job": "SELECT (merchant_id, id, status, updated_at)",
    }.items():
        op.execute(f'GRANT {rights} ON "{table}" TO helpdesk_relay')
        op.execute(f'CREATE POLICY relay ON "{table}" TO helpdesk_relay USING (true)')


def _lease_ids() -> None:
    op.execute("CREATE SEQUENCE slot AS bigint")
    # A session lock, freed within the call: a lock of the transaction would make every writer wait for the slowest.
    op.execute("""
        CREATE FUNCTION lease_slots(count integer) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
        DECLARE first bigint;
        BEGIN
            PERFORM pg_advisory_lock(120, 2);
            SELECT greatest(last_value + 1, (floor(extract(epoch FROM clock_timestamp() - timestamptz '2024-01-01Z') * 1000)::bigint) << 12)
                INTO first FROM slot;
            PERFORM setval('slot', first + count - 1);
            PERFORM pg_advisory_unlock(120, 2);
            RETURN first;
        END $$
    """)
    op.execute("REVOKE ALL ON FUNCTION lease_slots FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION lease_slots TO helpdesk_app")


def _number_tickets() -> None:
    """A sequence a merchant: small numbers that nobody waits for. A ticket that was rolled back leaves a gap."""
    op.execute("""
        CREATE FUNCTION start_ticket_numbers() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
        BEGIN EXECUTE format('CREATE SEQUENCE %I AS bigint', 'ticket_number_' || NEW.id); RETURN NEW; END $$
    """)
    op.execute("CREATE TRIGGER start_ticket_numbers AFTER INSERT ON merchant FOR EACH ROW EXECUTE FUNCTION start_ticket_numbers()")
    op.execute("""
        CREATE FUNCTION next_ticket_number(merchant bigint) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
        BEGIN RETURN nextval(format('%I', 'ticket_number_' || merchant)::regclass); END $$
    """)
    for function in ("start_ticket_numbers", "next_ticket_number"):
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION next_ticket_number TO helpdesk_app")
