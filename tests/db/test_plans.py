"""Which index serves which question, among enough tickets that it matters."""

from collections.abc import Iterator

import pytest

from deploy.local.postgres import EmbeddedPostgres
from models.db.migrate import upgrade
from tests.support.isolated import empty_database

FILL = """
    SET session_replication_role = replica;
    INSERT INTO ticket (merchant_id, id, number, subject, description, status, priority, channel, tags, custom_fields, reporter_id,
        assignee_id, team_id, is_queued, escalation_level, resolution_cycle, created_at, updated_at, version, facts_version, event_sequence,
        sla_status)
    SELECT 7, n, n, 's', 'd', CASE WHEN n % 40 = 0 THEN 'open' ELSE 'closed' END, 'normal', 'api', '{}', '{}', 4, n % 50, n / 7 % 20, false,
        0, 1, now() - n * interval '1 minute', now(), 1, 1, 1, CASE WHEN n % 90 = 0 THEN 'breached' ELSE 'achieved' END
    FROM generate_series(1, 6000) AS n;
    INSERT INTO ticketwords SELECT 7, n, to_tsvector('simple', 'till w' || n) FROM generate_series(1, 6000) AS n;
    VACUUM ANALYZE ticket, ticketwords;
"""
KEPT = "FROM ticket WHERE merchant_id = 7 AND deleted_at IS NULL"
OPEN = f"{KEPT} AND status = 'open'"
NEWEST = "ORDER BY created_at DESC, id DESC LIMIT 9"
QUESTIONS = [
    ("ix_ticket_status", f"SELECT count(*) {OPEN}"),
    ("Scan Backward using ix_ticket_status", f"SELECT * {OPEN} {NEWEST}"),
    ("ix_ticket_assignee", f"SELECT count(*) {KEPT} AND assignee_id = 3 AND status IN ('open', 'new')"),
    ("Scan Backward using ix_ticket_team", f"SELECT * {OPEN} AND team_id = 3 {NEWEST}"),
    ("ix_ticket_at_risk", f"SELECT count(*) {KEPT} AND sla_status = 'breached'"),
    # As the owner of tickets_with() sees it: for anyone else row-level security keeps words from their index.
    ("ix_ticketwords_words", "SELECT ticket_id FROM ticketwords WHERE merchant_id = 7 AND words @@ 'w77'"),
]


@pytest.fixture(scope="module")
def filled(postgres: EmbeddedPostgres) -> Iterator[str]:
    with empty_database(postgres, "plans") as database:
        upgrade(postgres.url("helpdesk_owner", database))
        postgres.psql(FILL, database)
        yield database


@pytest.mark.parametrize(("served", "question"), QUESTIONS)
def test_a_question_is_answered_from_its_index(postgres: EmbeddedPostgres, filled: str, served: str, question: str) -> None:
    plan = postgres.psql(f"EXPLAIN {question}", filled)
    assert served in plan, plan


LEASES = """
    SET session_replication_role = replica;
    INSERT INTO outbox SELECT 7, 'ticket-' || n, 'ticket', 1, '{"subject": "The till is stuck"}', now(), NULL
    FROM generate_series(1, 2000) AS n;
    UPDATE outbox SET leased_until = now() WHERE key LIKE '%7';
    SELECT pg_stat_force_next_flush();
"""


def test_a_lease_writes_no_index(postgres: EmbeddedPostgres, filled: str) -> None:
    """Its new version lies beside the old one, on the same page: there is room for it."""
    postgres.psql(LEASES, filled)
    share = "SELECT n_tup_upd, n_tup_hot_upd * 10 > n_tup_upd * 9 FROM pg_stat_user_tables WHERE relname = 'outbox'"
    assert postgres.psql(share, filled) == "200|t"
