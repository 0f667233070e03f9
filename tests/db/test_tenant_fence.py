"""The second fence: whatever a statement forgets, the database keeps tenants apart and the audit as it was written."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from models.db.schema import metadata
from tests.support.desk import Desk, Merchant

TABLES = sorted(metadata.tables)


@pytest.mark.parametrize("table", TABLES)
async def test_every_table_is_fenced_also_against_its_owner(desk: Desk, table: str) -> None:
    fenced = "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = to_regclass(:name)"
    policy = "SELECT qual, with_check FROM pg_policies WHERE tablename = :name AND policyname = 'tenant'"
    key = "id" if table == "merchant" else "merchant_id"
    async with desk.database.engine.connect() as connection:
        assert tuple((await connection.execute(sa.text(fenced), {"name": f'"{table}"'})).one()) == (True, True)
        using, check = (await connection.execute(sa.text(policy), {"name": table})).one()
    assert using == check
    assert using.startswith(f"({key} = ")
    assert "app.merchant_id" in using


async def test_without_a_tenant_nothing_is_there(desk: Desk, acme: Merchant) -> None:
    await acme.open(category="general")
    async with desk.database.engine.connect() as connection:
        for table in TABLES:
            assert (await connection.execute(sa.text(f'SELECT count(*) FROM "{table}"'))).scalar_one() == 0  # noqa: S608 - our own names


async def test_a_tenant_sees_only_its_own_rows(desk: Desk, acme: Merchant, globex: Merchant) -> None:
    for merchant in (acme, globex):
        await merchant.open(category="general")
    async with desk.database.reading(acme.id) as session:
        for table in TABLES:
            key = "id" if table == "merchant" else "merchant_id"
            seen = await session.execute(sa.text(f'SELECT DISTINCT {key} FROM "{table}"'))  # noqa: S608 - our own names
            assert set(seen.scalars()) <= {acme.id}, table


@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {}"])
@pytest.mark.parametrize("table", ["event", "ledgerentry", "configurationversion"])
async def test_what_is_append_only_can_only_be_appended_to(desk: Desk, acme: Merchant, table: str, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        await execute(desk, acme, statement.format(table))


@pytest.mark.parametrize("table", TABLES)
async def test_nothing_is_ever_deleted_by_the_application(desk: Desk, acme: Merchant, table: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        await execute(desk, acme, f'DELETE FROM "{table}"')  # noqa: S608 - our own names


async def test_a_row_of_another_tenant_cannot_be_written(desk: Desk, acme: Merchant, globex: Merchant) -> None:
    with pytest.raises(ProgrammingError, match="row-level security"):
        await execute(desk, acme, "INSERT INTO team (merchant_id, id, name) VALUES (:other, 1, 'Ours now')", other=globex.id)


async def test_a_row_cannot_be_attached_to_another_tenants_ticket(desk: Desk, acme: Merchant, globex: Merchant) -> None:
    theirs = int((await globex.open(category="general"))["id"])
    insert = (
        "INSERT INTO comment (merchant_id, id, ticket_id, kind, author_kind, author_name, body, created_at)"
        " VALUES (:own, 1, :theirs, 'note', 'agent', 'Ana', 'Hello', :at)"
    )
    with pytest.raises(IntegrityError, match="foreign key"):
        await execute(desk, acme, insert, own=acme.id, theirs=theirs, at=datetime.now(UTC))


async def test_a_ticket_cannot_be_given_to_another_tenants_agent(desk: Desk, acme: Merchant, globex: Merchant) -> None:
    await acme.open(category="general")
    with pytest.raises(IntegrityError, match="foreign key"):
        await execute(desk, acme, "UPDATE ticket SET assignee_id = :greta", greta=globex.agents["ana"])


@pytest.mark.parametrize("column", ["subject", "description"])
async def test_the_relay_role_reads_no_text_of_a_ticket(desk: Desk, column: str) -> None:
    async with desk.relay._database.connect() as connection:
        with pytest.raises(DBAPIError, match="permission denied"):
            await connection.execute(sa.text(f"SELECT {column} FROM ticket"))  # noqa: S608 - our own names


@pytest.mark.parametrize("column", ["body", "headers", "request_hash"])
async def test_the_relay_role_reads_no_stored_response(desk: Desk, column: str) -> None:
    async with desk.relay._database.connect() as connection:
        with pytest.raises(DBAPIError, match="permission denied"):
            await connection.execute(sa.text(f"SELECT {column} FROM idempotencykey"))  # noqa: S608 - our own names


@pytest.mark.parametrize("column", ["payload", "merchant_id", "version"])
async def test_the_relay_role_changes_nothing_of_the_outbox_but_its_leases(desk: Desk, column: str) -> None:
    async with desk.relay._database.connect() as connection:
        with pytest.raises(DBAPIError, match="permission denied"):
            await connection.execute(sa.text(f"UPDATE outbox SET {column} = {column}"))  # noqa: S608 - our own names


async def test_a_ticket_number_is_of_the_transactions_merchant_alone(desk: Desk, acme: Merchant, globex: Merchant) -> None:
    await acme.open(category="general")
    with pytest.raises(DBAPIError, match="does not exist"):
        await execute(desk, acme, "SELECT next_ticket_number(:other)", other=globex.id)
    async with desk.database.reading(acme.id) as session:
        assert (await session.execute(sa.text("SELECT next_ticket_number()"))).scalar_one() == 2
    async with desk.database.engine.connect() as connection:
        with pytest.raises(DBAPIError, match="does not exist"):
            await connection.execute(sa.text("SELECT next_ticket_number()"))


async def test_nobody_leases_other_slots_than_the_next_block(desk: Desk, acme: Merchant) -> None:
    with pytest.raises(DBAPIError, match="does not exist"):
        await execute(desk, acme, "SELECT lease_slots(-1)")


async def execute(desk: Desk, merchant: Merchant, statement: str, **values: Any) -> None:
    async with desk.database.reading(merchant.id) as session:
        await session.execute(sa.text(statement), values)
