"""A new merchant by REST: made, usable at once, listed, closed and reopened."""

from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from deploy.local.identity import Wanted
from models.people.merchants import DIRECTORY
from models.people.roles import Role
from tests.support.desk import Desk, Merchant


@pytest.fixture
def olga(desk: Desk) -> httpx.AsyncClient:
    """An operator of all merchants."""
    return desk.client_with(desk.identity.token(Wanted(sub="olga", name="Olga", merchant_ids=("*",), roles=(Role.OPERATOR,))))


@pytest.fixture
async def made(olga: httpx.AsyncClient, acme: Merchant) -> dict[str, Any]:
    answer = await olga.post("/merchants", json=new(acme))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def new(unique: Merchant, **fields: Any) -> dict[str, Any]:
    return {"name": "Hooli", "slug": f"hooli-{unique.id}", "timeZone": "Europe/Berlin", "locale": "de"} | fields


def client(desk: Desk, merchant: dict[str, Any], sub: str, *roles: str) -> httpx.AsyncClient:
    wanted = Wanted(sub=f"{sub}-{merchant['id']}", name=sub.title(), email=f"{sub}@x.example", merchant_ids=(merchant["id"],), roles=roles)
    return desk.client_with(desk.identity.token(wanted))


async def ana_of(desk: Desk, merchant: dict[str, Any]) -> dict[str, Any]:
    """The new merchant's admin adds its first agent."""
    adam = client(desk, merchant, "adam", "admin")
    team = (await adam.get("/teams")).json()["data"][0]
    ana = {"sub": f"ana-{merchant['id']}", "name": "Ana", "email": "ana@hooli.example", "role": "agent", "teamId": team["id"]}
    answer = await adam.post("/agents", json=ana)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_new_merchant_is_usable_at_once(desk: Desk, made: dict[str, Any]) -> None:
    ana, rita = await ana_of(desk, made), client(desk, made, "rita", "reporter")
    opened = await rita.post("/tickets", json={"subject": "The till", "description": "It is stuck."})
    assert (opened.status_code, opened.json()["number"], opened.json()["category"]) == (201, 1, "general")
    path = f"/tickets/{opened.json()['id']}"
    at_work = client(desk, made, "ana", "agent")

    async def look() -> Any:
        return (await at_work.get(path)).json()

    ticket = await desk.until(look, lambda seen: seen["assigneeId"] is not None)
    assert (ticket["assigneeId"], ticket["slaStatus"]) == (ana["id"], "running")
    assert (await at_work.post(f"{path}/messages", json={"body": "Try again.", "status": "pending"})).status_code == 201
    assert (await rita.get(path)).json()["firstRespondedAt"]
    assert (await at_work.post(f"{path}/resolve")).json()["status"] == "resolved"


async def test_what_it_begins_with_can_be_published_again_as_it_is(desk: Desk, made: dict[str, Any]) -> None:
    adam = client(desk, made, "adam", "admin")
    for kind in ("calendars", "escalation-ladders", "sla-policies"):
        (first,) = (await adam.get(f"/{kind}")).json()["data"]
        body = {name: value for name, value in first.items() if name not in ("id", "version", "createdAt", "createdBy")}
        assert (await adam.post(f"/{kind}/{first['id']}/versions", json=body)).status_code == 201
    assert (await adam.get("/calendars")).json()["data"][0]["timeZone"] == "Europe/Berlin"
    (category,) = (await adam.get("/categories")).json()["data"]
    assert (category["name"], category["isDefault"]) == ("general", True)


async def test_the_response_names_what_was_made(olga: httpx.AsyncClient, acme: Merchant) -> None:
    answer = await olga.post("/merchants", json=new(acme))
    made = answer.json()
    assert (made["slug"], made["timeZone"], made["locale"], made["closedAt"]) == (f"hooli-{acme.id}", "Europe/Berlin", "de", None)
    assert answer.headers["Location"].endswith(f"/merchants/{made['id']}")
    assert (await olga.get(f"/merchants/{made['id']}")).json() == made
    assert (await olga.get(f"/merchants/{made['id']}")).headers["ETag"] == answer.headers["ETag"] == '"1"'


async def test_a_slug_is_one_merchants(olga: httpx.AsyncClient, made: dict[str, Any], acme: Merchant) -> None:
    answer = await olga.post("/merchants", json=new(acme, name="Another"))
    assert (answer.status_code, answer.json()["code"]) == (409, "slug_taken")


async def test_the_same_request_twice_makes_one_merchant(olga: httpx.AsyncClient, acme: Merchant) -> None:
    first, second = [await olga.post("/merchants", json=new(acme), headers={"Idempotency-Key": str(acme.id)}) for _ in range(2)]
    assert (first.status_code, second.json()) == (201, first.json())
    assert second.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    "field",
    [
        {"slug": "Has Blanks"},
        {"slug": ""},
        {"slug": "-x"},
        {"timeZone": "Mars/Base"},
        {"locale": "?"},
        {"name": ""},
    ],
)
async def test_a_bad_field_is_named(field: dict[str, str], olga: httpx.AsyncClient, acme: Merchant) -> None:
    answer = await olga.post("/merchants", json=new(acme, **field))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/{next(iter(field))}")


async def test_an_operator_lists_all_merchants_page_by_page(olga: httpx.AsyncClient, acme: Merchant, globex: Merchant) -> None:
    seen, link = [], "/merchants?limit=100"
    while link:
        answer = await olga.get(link.removeprefix("/v1/api/helpdesk"))
        assert answer.status_code == 200, answer.text
        seen += [each["id"] for each in answer.json()["data"]]
        link = answer.links.get("next", {}).get("url", "")
    assert {str(acme.id), str(globex.id)} <= set(seen)
    assert len(seen) == len(set(seen))
    assert len((await olga.get("/merchants?limit=1")).json()["data"]) == 1


@pytest.mark.parametrize(("slug", "found"), [("acme-{0}", 1), ("acme", 0), ("%25", 0), ("", 422), ("%00", 422)])
async def test_the_merchant_with_a_slug_is_found_alone(slug: str, found: int, olga: httpx.AsyncClient, acme: Merchant) -> None:
    answer = await olga.get(f"/merchants?slug={slug.format(acme.id)}")
    said = [each["id"] for each in answer.json()["data"]] if answer.status_code == 200 else answer.status_code
    assert said == {0: [], 1: [str(acme.id)]}.get(found, found)


async def test_only_a_token_for_all_merchants_lists_or_makes_them(acme: Merchant, globex: Merchant) -> None:
    wanted = Wanted(sub="olga", merchant_ids=(str(acme.id), str(globex.id)), roles=(Role.OPERATOR,))
    of_two = acme.desk.client_with(acme.desk.identity.token(wanted))
    for each in (of_two, acme.client("olga", "operator"), acme.adam, acme.ana, acme.rita):
        assert (await each.get("/merchants")).status_code == 403
        assert (await each.post("/merchants", json=new(acme))).status_code == 403


async def test_the_directory_reads_merchants_and_no_other_row(desk: Desk, acme: Merchant) -> None:
    await acme.open(category="general")
    async with desk.database.reading(DIRECTORY) as session:
        for table in ("ticket", "agent", "merchant", "auditentry"):
            assert (await session.execute(sa.text(f"SELECT count(*) FROM {table}"))).scalar_one() == 0  # noqa: S608 - our own names
        assert (await session.execute(sa.text("SELECT count(*) FROM merchantdirectory"))).scalar_one() > 0
    async with desk.database.reading(acme.id) as session:
        assert (await session.execute(sa.text("SELECT count(*) FROM merchantdirectory"))).scalar_one() == 0
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with desk.database.reading(DIRECTORY) as session:
            await session.execute(sa.text("UPDATE merchantdirectory SET name = 'Mine'"))


async def test_a_closed_merchant_takes_no_new_ticket_and_its_tickets_go_on(desk: Desk, olga: httpx.AsyncClient, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    closed = await olga.post(f"/merchants/{acme.id}/close")
    assert (closed.status_code, closed.json()["closedAt"] is not None) == (200, True)
    assert (await olga.post(f"/merchants/{acme.id}/close")).json() == closed.json()
    body = {"subject": "The till", "description": "It is stuck."}
    refused = await acme.rita.post("/tickets", json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "merchant_closed")
    path = f"/tickets/{ticket['id']}"
    assert (await acme.ana.post(f"{path}/messages", json={"body": "Still here."})).status_code == 201
    assert (await acme.ana.post(f"{path}/close")).status_code == 200
    follow_up = await acme.rita.post(f"{path}/messages", json={"body": "Once more."})
    assert (follow_up.status_code, follow_up.json()["code"]) == (409, "merchant_closed")
    assert (await olga.post(f"/merchants/{acme.id}/reopen")).json()["closedAt"] is None
    assert (await acme.rita.post("/tickets", json=body)).status_code == 201


async def test_only_an_operator_closes_a_merchant(acme: Merchant) -> None:
    for each in (acme.adam, acme.lars, acme.rita):
        assert (await each.post(f"/merchants/{acme.id}/close")).status_code == 403
    assert (await acme.adam.get(f"/merchants/{acme.id}")).json()["closedAt"] is None


async def test_a_merchant_that_the_path_names_must_be_there(olga: httpx.AsyncClient) -> None:
    for path in ("/merchants/4999", "/merchants/x"):
        assert (await olga.get(path)).status_code == 404
        assert (await olga.post(f"{path}/close")).status_code == 404


async def test_every_change_of_a_merchant_is_in_its_audit(olga: httpx.AsyncClient, made: dict[str, Any], desk: Desk) -> None:
    adam, path = client(desk, made, "adam", "admin"), f"/merchants/{made['id']}"
    await adam.patch(path, json={"name": "Hooli XYZ"}, headers={"X-Request-Id": "rename-1", "If-Match": "*"})
    await adam.patch(path, json={"name": "Hooli XYZ"}, headers={"If-Match": "*"})
    await olga.post(f"{path}/close")
    entries = (await adam.get("/audit")).json()["data"]
    assert [each["kind"] for each in entries] == ["merchant.closed", "merchant.edited", "merchant.created"]
    assert entries[1]["changes"] == {"name": ["Hooli", "Hooli XYZ"]}
    assert entries[1]["requestId"] == "rename-1"
    assert [each["actor"]["name"] for each in entries] == ["Olga", "Adam", "Olga"]
