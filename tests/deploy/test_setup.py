"""RUN_MODE=setup on an empty PostgreSQL and an empty Temporal: everything is made, and the second time nothing is changed."""

import asyncio
import dataclasses
import os
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client, ScheduleIntervalSpec, ScheduleSpec, ScheduleUpdate

from deploy.local.postgres import EmbeddedPostgres
from deploy.local.temporal import TemporalServer, free_port
from models.db.revisions import newest_revision
from models.outbox.messages import SCHEDULE_ID
from models.outbox.schedule import RECONCILED_EVERY
from models.tickets.search_attributes import STATUS, TYPES
from tests.support.isolated import empty_database

ROOT = Path(__file__).parents[2]
ROWS = """
    SELECT string_agg(concat_ws(' ', name, place, changed), E'\n' ORDER BY name, place) FROM (
        SELECT 'merchant' AS name, ctid::text AS place, xmin::text AS changed FROM merchant
        UNION ALL SELECT 'team', ctid::text, xmin::text FROM team
        UNION ALL SELECT 'category', ctid::text, xmin::text FROM category
        UNION ALL SELECT 'configuration', ctid::text, xmin::text FROM configurationversion
        UNION ALL SELECT 'audit', ctid::text, xmin::text FROM auditentry
        UNION ALL SELECT 'revision ' || version_num, ctid::text, xmin::text FROM alembic_version
    ) AS rows
"""


class Empty(NamedTuple):
    postgres: EmbeddedPostgres
    database: str
    temporal: TemporalServer

    async def set_up(self, **more: str) -> tuple[int | None, str]:
        """The exit code, and what the process said. It gets what setup needs and nothing else."""
        said = {
            "DATABASE_OWNER_URL": self.postgres.url("helpdesk_owner", self.database),
            "DATABASE_URL": self.postgres.url("helpdesk_app", self.database),
            "TEMPORAL_ADDRESS": self.temporal.address,
            **more,
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("APP_ENV_")}
        ours = {f"APP_ENV_{name}": value for name, value in said.items()}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "deploy"),
            env={**kept, **ours, "RUN_MODE": "setup", "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        text, _ = await process.communicate()
        return process.returncode, text.decode()

    async def seen(self) -> dict[str, str]:
        """All that setup makes, with the transaction that made each row."""
        client = await Client.connect(self.temporal.address)
        found = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace="default"))
        schedule = await client.get_schedule_handle(SCHEDULE_ID).describe()
        return {
            "rows": self.postgres.psql(ROWS, self.database),
            "attributes": str(sorted((name, kind) for name, kind in found.custom_attributes.items() if name in TYPES)),
            "schedule": str((schedule.schedule, schedule.info.last_updated_at)),
        }


@pytest.fixture
def temporal(tmp_path: Path) -> Iterator[TemporalServer]:
    """Without a search attribute, as a new namespace is."""
    server = TemporalServer(tmp_path / "temporal", free_port(), log=tmp_path / "temporal.log")
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
async def empty(postgres: EmbeddedPostgres, temporal: TemporalServer) -> AsyncIterator[Empty]:
    with empty_database(postgres, "to_set_up") as database:
        yield Empty(postgres, database, temporal)


async def test_set_up_from_nothing_and_once_more(empty: Empty) -> None:
    merchant = {"SETUP_MERCHANT_SLUG": "acme", "SETUP_MERCHANT_NAME": "Acme"}
    ended, said = await empty.set_up(**merchant)
    assert (ended, "setup.done" in said) == (0, True), said
    first = await empty.seen()
    assert newest_revision() in first["rows"]
    assert all(name in first["attributes"] for name in TYPES)
    assert empty.postgres.psql("SELECT slug || ' ' || name FROM merchant", empty.database) == "acme Acme"
    assert empty.postgres.psql("SELECT name FROM category", empty.database) == "general"

    ended, said = await empty.set_up(**merchant)
    assert (ended, "setup.merchant_is_there" in said, "reconciliation.is_scheduled" in said) == (0, True, True), said
    assert await empty.seen() == first


async def test_a_stale_schedule_is_repaired_and_it_says_so(empty: Empty) -> None:
    await empty.set_up()
    schedule = (await Client.connect(empty.temporal.address)).get_schedule_handle(SCHEDULE_ID)
    hourly = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(hours=1))])
    await schedule.update(lambda now: ScheduleUpdate(dataclasses.replace(now.description.schedule, spec=hourly)))
    ended, said = await empty.set_up()
    assert (ended, "reconciliation.schedule_changed" in said) == (0, True), said
    assert [each.every for each in (await schedule.describe()).schedule.spec.intervals] == [RECONCILED_EVERY]


async def test_it_makes_no_merchant_unless_it_is_told_to(empty: Empty) -> None:
    ended, said = await empty.set_up()
    assert ended == 0, said
    assert empty.postgres.psql("SELECT count(*) FROM merchant", empty.database) == "0"


async def test_what_temporal_refuses_is_said_in_one_line(empty: Empty) -> None:
    ended, said = await empty.set_up(TEMPORAL_NAMESPACE="elsewhere")
    assert (ended, "namespace elsewhere" in said, "run setup again" in said, "Traceback" in said) == (1, True, True, False), said


async def test_an_attribute_of_another_type_is_refused_by_name(empty: Empty, tmp_path: Path) -> None:
    server = TemporalServer(tmp_path / "other", free_port(), search_attributes={STATUS.name: "Int"}, log=tmp_path / "other.log")
    server.start()
    try:
        ended, said = await empty._replace(temporal=server).set_up()
    finally:
        server.kill()
    assert (ended, f"{STATUS.name} (Keyword)" in said, "Traceback" in said) == (1, True, False), said


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"SETUP_MERCHANT_SLUG": "acme"}, "APP_ENV_SETUP_MERCHANT_NAME"),
        ({"SETUP_MERCHANT_SLUG": "Not A Slug", "SETUP_MERCHANT_NAME": "Acme"}, "APP_ENV_SETUP_MERCHANT_SLUG"),
    ],
)
async def test_half_a_merchant_or_a_bad_slug_is_refused_before_anything_is_done(more: dict[str, str], named: str, empty: Empty) -> None:
    ended, said = await empty.set_up(**more)
    assert (ended, named in said, "Traceback" in said) == (2, True, False), said
    assert empty.postgres.psql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", empty.database) == "0"
