"""Every table behind row-level security from its first row, the roles' rights, and the functions that give out ids and numbers."""

from alembic import op

revision = "0002b"
down_revision = "0001b"

TABLES = (
    "agent",
    "category",
    "deliveryattempt",
    "escalation",
    "event",
    "healing",
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
_APPLICATION = {**dict.fromkeys(("event", "ledgerentry", "configurationversion"), "SELECT, INSERT"), "healing": "SELECT"}
_PATH = "SET search_path = public, pg_temp"  # so that no temporary table of a caller's takes the place of ours
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
        rights = _APPLICATION.get(table, "SELECT, INSERT, UPDATE")
        op.execute(f'GRANT {rights} ON "{table}" TO helpdesk_app')


def _grant_relay() -> None:
    """The relay serves every merchant, so it sees as little as it can: its outbox, and what tells that something was lost."""
    for table, rights in {
        "outbox": "SELECT, UPDATE (leased_until), DELETE",
        "ticket": "SELECT (merchant_id, id, next_deadline_at, team_id, is_queued, status, deleted_at)",
        "notification": "SELECT (merchant_id, id, status, posted_at)",
        "idempotencykey": "SELECT (merchant_id, scope, created_at), DELETE",
        "job": "SELECT (merchant_id, id, status, updated_at)",
        "healing": "SELECT, INSERT, UPDATE, DELETE",
    }.items():
        op.execute(f'GRANT {rights} ON "{table}" TO helpdesk_relay')
        op.execute(f'CREATE POLICY relay ON "{table}" TO helpdesk_relay USING (true)')


def _lease_ids() -> None:
    """The next 65,536 slots, from the present on. See docs/decisions/0003-ids.md.

    The lock is the transaction's, and yet nobody waits for the caller's commit: an error that the function raises and catches itself rolls
    back the inner block, which frees the lock. What a sequence was set to is not rolled back. A call that is cancelled anywhere leaves no
    lock either: its whole transaction is rolled back.
    """
    op.execute("CREATE SEQUENCE slot AS bigint")
    op.execute(f"""
        CREATE FUNCTION lease_slots() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER {_PATH} AS $$
        DECLARE first bigint; present bigint;
        BEGIN
            BEGIN
                PERFORM pg_advisory_xact_lock(120, 2);
                present := floor(extract(epoch FROM clock_timestamp() - timestamptz '2024-01-01Z') * 1000)::bigint << 12;
                SELECT greatest(last_value + 1, present) INTO first FROM slot;
                PERFORM setval('slot', first + 65535);
                RAISE SQLSTATE 'HD001';
            EXCEPTION WHEN SQLSTATE 'HD001' THEN
            END;
            RETURN first;
        END $$
    """)  # noqa: S608 - our own text
    op.execute("REVOKE ALL ON FUNCTION lease_slots FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION lease_slots TO helpdesk_app")


def _number_tickets() -> None:
    """A sequence a merchant: small numbers that nobody waits for. A ticket that was rolled back leaves a gap."""
    op.execute(f"""
        CREATE FUNCTION start_ticket_numbers() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER {_PATH} AS $$
        BEGIN EXECUTE format('CREATE SEQUENCE %I AS bigint', 'ticket_number_' || NEW.id); RETURN NEW; END $$
    """)
    op.execute("CREATE TRIGGER start_ticket_numbers AFTER INSERT ON merchant FOR EACH ROW EXECUTE FUNCTION start_ticket_numbers()")
    # Of the transaction's merchant alone. Without one it takes no number: there is no sequence of that name.
    op.execute(f"""
        CREATE FUNCTION next_ticket_number() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER {_PATH} AS $$
        BEGIN RETURN nextval(format('%I', 'ticket_number_' || coalesce({MERCHANT}, 0))::regclass); END $$
    """)
    for function in ("start_ticket_numbers", "next_ticket_number"):
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION next_ticket_number TO helpdesk_app")
