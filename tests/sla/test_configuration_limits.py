"""How many versions a merchant may publish, and how large."""

import asyncio
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import col

from models.sla import configuration as publish
from models.sla.tables import ConfigurationVersion
from tests.sla.configuration_cast import PATHS, calendar, definition, id_of, published, refused
from tests.support.desk import Desk, Merchant

each_kind = pytest.mark.parametrize("path", PATHS)


@each_kind
async def test_the_number_of_definitions_is_limited(path: str, acme: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    count = len((await acme.ana.get(path)).json()["data"])
    monkeypatch.setattr(publish, "MAX_CONFIGURATIONS", count + 1)
    body = await definition(acme, path)
    responses = await asyncio.gather(*(acme.adam.post(path, json=body) for _ in range(4)))
    assert sorted(response.status_code for response in responses) == [201, 409, 409, 409]
    assert {response.json().get("code") for response in responses} == {None, "too_many_rules"}


@each_kind
async def test_the_number_of_versions_is_limited(path: str, acme: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await published(acme, path, await definition(acme, path))
    listed = (await acme.ana.get(path)).json()["data"]
    monkeypatch.setattr(publish, "MAX_VERSIONS", sum(each["version"] for each in listed) + 1)
    body = await definition(acme, path)
    responses = await asyncio.gather(*(acme.adam.post(f"{path}/{made['id']}/versions", json=body) for _ in range(4)))
    assert sorted(response.status_code for response in responses) == [201, 409, 409, 409]
    assert {response.json().get("code") for response in responses} == {None, "too_many_versions"}


async def test_a_calendar_that_is_large_when_stored_is_refused_as_a_whole(acme: Merchant) -> None:
    first = date(2026, 1, 1)
    holidays = [{"date": str(first + timedelta(days=day)), "name": "\N{GRINNING FACE}" * 100} for day in range(500)]
    body = calendar(holidays=holidays)
    assert refused(await acme.adam.post("/calendars", json=body), "", "definition_too_large")
    proposed = {"definition": body, "ticketSample": {}}
    assert refused(
        await acme.adam.post(f"/calendars/{await id_of(acme, '/calendars')}/preview", json=proposed), "/definition", "definition_too_large"
    )
    assert (await published(acme, "/calendars", calendar(holidays=holidays[:200])))["version"] == 1


async def test_all_versions_together_have_a_bound_in_bytes(desk: Desk, acme: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    body = calendar()
    made = await published(acme, "/calendars", body)
    async with desk.database.reading(acme.id) as session:
        stored = sa.select(sa.func.sum(sa.func.octet_length(sa.cast(col(ConfigurationVersion.definition), sa.Text))))
        taken = int((await session.execute(stored)).scalar_one())
        size = (await session.get_one(ConfigurationVersion, (acme.id, int(made["id"]), 1))).size or 0
    monkeypatch.setattr(publish, "MAX_BYTES_OF_ALL", taken + 2 * size - 1)
    path = f"/calendars/{made['id']}/versions"
    responses = await asyncio.gather(*(acme.adam.post(path, json=body) for _ in range(3)))
    assert sorted(response.status_code for response in responses) == [201, 409, 409]
    refusal = next(response.json() for response in responses if response.status_code == 409)
    assert refusal["code"] == "versions_too_large"
    assert f"{size - 1} are left" in refusal["detail"]
