"""What belongs to another merchant, or to another reporter, is not there: not one byte of it."""

from typing import Any, NamedTuple

import httpx
import pytest
from fastapi import APIRouter

from api.http.transaction import TransactionRoute
from deploy.local.identity import Wanted
from models.people.permissions import OF_ALL_MERCHANTS, TABLE, Permission
from models.people.roles import Role
from tests.auth.table_of_routes import NOWHERE, PUBLIC, ROLES, ROUTES, WITH_IDS, Route, by_hand, configuration_of, name_of, permissions
from tests.people.permissions_page import INSIDE
from tests.support.desk import BASE, Desk, Merchant
from tests.support.isolated import Isolated
from tests.system.jobs import over

STAFF = {name: role for name, role in ROLES.items() if role != "reporter"}
STAFFS = ("/agents", "/teams", "/categories", "/audit", "/merchants", "/calendars", "/sla-policies", "/escalation-ladders", "/jobs")


class Scene(NamedTuple):
    acme: Merchant
    globex: Merchant
    theirs: dict[str, str]


each_route = pytest.mark.parametrize("route", ROUTES, ids=name_of)
each_route_with_an_id = pytest.mark.parametrize("route", WITH_IDS, ids=name_of)


def test_every_route_has_its_line_in_the_table(desk: Desk) -> None:
    paths = {path.removeprefix(BASE): verbs for path, verbs in desk.app.openapi()["paths"].items() if path.startswith(BASE)}
    served = {(verb.upper(), path) for path, verbs in paths.items() for verb in verbs}
    assert served == {(route.method, route.path) for route in ROUTES} | PUBLIC


def test_every_route_has_a_permission_and_every_permission_its_row(desk: Desk) -> None:
    paths = {path.removeprefix(BASE): verbs for path, verbs in desk.app.openapi()["paths"].items()}
    served = {(verb.upper(), path) for path, verbs in paths.items() for verb in verbs}
    assert served - permissions().keys() == PUBLIC | {("GET", "/healthz"), ("GET", "/readyz")}
    assert set(TABLE) == set(Permission)
    assert set(Permission) - set(permissions().values()) == INSIDE.keys()


def test_the_table_of_permissions_gives_the_statuses_that_were_written_by_hand() -> None:
    """``statuses.txt`` is the second opinion: a permission that is given by mistake shows here, and nowhere in the code under test."""
    written = {route: {name: statuses[name] for name in ROLES} for route, statuses in by_hand().items()}
    assert {name_of(route): {name: route.status(name) for name in ROLES} for route in ROUTES} == written


def test_a_route_without_a_permission_is_not_made() -> None:
    with pytest.raises(TypeError, match="has no permission"):
        APIRouter(route_class=TransactionRoute).get("/nothing")(lambda: None)


@each_route
async def test_every_role_gets_from_every_route_what_it_may(route: Route, resting: Merchant) -> None:
    seen: dict[str, int] = {}
    configuration = await configuration_of(resting)
    for name, role in ROLES.items():
        if not seen or (route.method != "GET" and seen[[*seen][-1]] < 300):  # what was refused changed nothing
            ticket = await resting.open(category="general")
            await route.prepare(resting, ticket["id"])
        ids = {"ticket_id": ticket["id"], "agent_id": resting.agents["ana"], "merchant_id": resting.id}
        answer = await route.call(resting.client(name, role), **ids, **configuration)
        seen[name] = answer.status_code
        if answer.status_code == 202:  # of the same work there is one job at a time
            await over(resting.desk, resting, answer.json()["id"])
    assert seen == {name: route.status(name) for name in ROLES}


class Divided(NamedTuple):
    """A merchant with two organizers: its staff once more, each with a token of 77 only, and a ticket of 78."""

    merchant: Merchant
    staff: dict[str, httpx.AsyncClient]
    outside: str
    things: dict[str, int | str]


@pytest.fixture(scope="module")
async def divided(quiet: tuple[Isolated, Desk]) -> Divided:
    merchant = await quiet[1].merchant("acme")
    staff = {name: _of_organizer(merchant, name, role) for name, role in STAFF.items()}
    things: dict[str, int | str] = {"agent_id": merchant.agents["ana"], "merchant_id": merchant.id, **await configuration_of(merchant)}
    return Divided(merchant, staff, (await merchant.open(category="general", organizerId="78"))["id"], things)


def _of_organizer(merchant: Merchant, name: str, role: str) -> httpx.AsyncClient:
    wanted = Wanted(sub=f"{name}-{merchant.id}", merchant_ids=(str(merchant.id),), roles=(Role(role),), organizer_ids=("77",))
    return merchant.desk.client_with(merchant.desk.identity.token(wanted))


@each_route
async def test_every_role_gets_what_it_may_inside_its_organizers_and_outside(route: Route, divided: Divided) -> None:
    """And Rudi, a reporter, from a ticket of Rita's."""
    seen, rudi, things = {}, divided.merchant.client("rudi", "reporter"), divided.things
    seen["rudi"] = (await route.call(rudi, ticket_id=divided.outside, **things)).status_code
    inside = await _of_77(route, divided)
    for name, client in divided.staff.items():
        seen[f"{name}<78"] = (await route.call(client, organizer="78", ticket_id=divided.outside, **things)).status_code
        seen[f"{name}<77"] = (await route.call(client, organizer="77", ticket_id=inside, **things)).status_code
        if route.method != "GET" and seen[f"{name}<77"] < 300:  # what was refused changed nothing
            inside = await _of_77(route, divided)
    assert seen == {name: status for name, status in by_hand()[name_of(route)].items() if name not in ROLES}


async def _of_77(route: Route, divided: Divided) -> str:
    if "{ticket_id}" not in route.path:
        return NOWHERE
    ticket = await divided.merchant.open(category="general", organizerId="77")
    await route.prepare(divided.merchant, ticket["id"])
    return str(ticket["id"])


@pytest.fixture(scope="module")
async def scene(whole_desk: Desk) -> Scene:
    """Two merchants and a ticket of the first. Strangers change nothing, so the tests about them share it."""
    acme, globex = await whole_desk.merchant("acme"), await whole_desk.merchant("globex")
    ticket = await acme.open(category="general")
    theirs = {"ticket_id": ticket["id"], "agent_id": str(acme.agents["ana"]), "merchant_id": str(acme.id)}
    job = (await acme.lars.post("/sla/checks", json={"ticketId": ticket["id"]})).json()
    notifications = await whole_desk.until(lambda: acme.whole(ticket["id"], "/notifications"), bool)
    theirs |= {"job_id": job["id"], "notification_id": notifications[0]["id"]}
    return Scene(acme, globex, theirs | await configuration_of(acme))


@each_route_with_an_id
@pytest.mark.parametrize("role", ["admin", "operator", "lead", "reporter"])
async def test_another_merchants_things_are_as_if_they_were_not(route: Route, role: str, scene: Scene) -> None:
    is_for_the_role = route.status({role: name for name, role in ROLES.items()}[role]) != 403
    await _nothing_is_seen(route, scene.globex.client(f"greta-{role}", role), scene, {404} if is_for_the_role else {403, 404})


@each_route_with_an_id
async def test_another_reporters_tickets_are_as_if_they_were_not(route: Route, scene: Scene) -> None:
    is_only_for_staff = route.path.startswith(STAFFS) and route.permission is not Permission.READ_CATEGORIES
    is_only_for_staff |= route.path.endswith("/restore")
    await _nothing_is_seen(route, scene.acme.client("rudi", "reporter"), scene, {403} if is_only_for_staff else {404})


async def _nothing_is_seen(route: Route, stranger: httpx.AsyncClient, scene: Scene, statuses: set[int]) -> None:
    answer, of_nothing = await route.call(stranger, **scene.theirs), await route.call(stranger)
    assert answer.status_code in statuses, answer.text
    assert _but_for_its_name(answer) == _but_for_its_name(of_nothing)
    assert (await scene.acme.get(scene.theirs["ticket_id"]))["subject"] == "The till does not open"


def _but_for_its_name(answer: httpx.Response) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name not in ("requestId", "instance")}


@each_route
async def test_without_a_token_there_is_nothing(route: Route, desk: Desk) -> None:
    answer = await route.call(desk.client_with(None))
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("route", [route for route in ROUTES if route.permission not in OF_ALL_MERCHANTS], ids=name_of)
async def test_the_merchant_of_somebody_else_can_not_be_named(route: Route, scene: Scene) -> None:
    stranger = scene.globex.client("greta-abroad", "admin")
    stranger.headers["X-Merchant-Id"] = str(scene.acme.id)
    answer = await route.call(stranger, **scene.theirs)
    assert (answer.status_code, answer.json()["detail"]) == (404, "There is no such merchant.")


@pytest.mark.parametrize("named", ["0", "-1", "acme", "9" * 40, "1,2", "٣", " "])
async def test_a_merchant_that_is_none_is_not_found(named: str, acme: Merchant) -> None:
    answer = await acme.lars.get("/tickets", headers=[(b"X-Merchant-Id", named.encode())])
    assert answer.status_code == 404


async def test_a_token_of_several_merchants_has_to_name_one(desk: Desk, acme: Merchant, globex: Merchant) -> None:
    wanted = Wanted(sub="olga", merchant_ids=(str(acme.id), str(globex.id)), roles=(Role.OPERATOR,))
    olga, ticket = desk.client_with(desk.identity.token(wanted)), await acme.open(category="general")
    assert (await olga.get("/tickets")).json()["code"] == "merchant_required"
    path = f"/tickets/{ticket['id']}"
    assert (await olga.get(path, headers={"X-Merchant-Id": str(acme.id)})).status_code == 200
    assert (await olga.get(path, headers={"X-Merchant-Id": str(globex.id)})).status_code == 404


async def test_an_operator_of_everything_acts_for_the_merchant_that_he_names(desk: Desk, acme: Merchant) -> None:
    olga = desk.client_with(desk.identity.token(Wanted(sub="olga", merchant_ids=("*",), roles=(Role.OPERATOR,))))
    ticket = await acme.open(category="general")
    answer = await olga.get(f"/tickets/{ticket['id']}", headers={"X-Merchant-Id": str(acme.id)})
    assert answer.status_code == 200
    assert (await olga.get("/tickets")).json()["code"] == "merchant_required"


@pytest.mark.parametrize(("method", "path"), [("GET", "/tickets"), ("GET", "/me"), ("POST", "/tickets"), ("POST", "/sla/checks")])
@pytest.mark.parametrize("merchant_ids", [("*",), ("4999", "5999")])
async def test_a_merchant_that_does_not_exist_is_not_found(merchant_ids: tuple[str, ...], method: str, path: str, desk: Desk) -> None:
    olga = desk.client_with(desk.identity.token(Wanted(sub="olga", merchant_ids=merchant_ids, roles=(Role.OPERATOR,))))
    body = {"subject": "s", "description": "d"} if path == "/tickets" else None
    answer = await olga.request(method, path, headers={"X-Merchant-Id": "4999"}, json=body)
    assert (answer.status_code, answer.json()["detail"]) == (404, "There is no such merchant.")


@pytest.mark.parametrize("kind", ["agent", "team"])
async def test_a_ticket_can_not_be_given_to_another_merchants_people(kind: str, acme: Merchant, globex: Merchant) -> None:
    ticket = await acme.open()
    greta = (await globex.lars.get("/agents")).json()["data"][0]
    named = {"agentId": greta["id"]} if kind == "agent" else {"teamId": greta["teamId"]}
    answer = await acme.lars.post(f"/tickets/{ticket['id']}/assign", json=named)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, f"unknown_{kind}")


@pytest.mark.parametrize("name", ["assigneeId", "teamId", "reporterId"])
async def test_a_filter_by_another_merchants_id_finds_nothing(name: str, acme: Merchant, globex: Merchant) -> None:
    ticket = await acme.opened_and_assigned()
    theirs = {**ticket, "reporterId": ticket["reporter"]["id"]}[name]
    await globex.open()
    assert (await globex.lars.get("/tickets", params={name: theirs})).json()["data"] == []
    assert len((await acme.lars.get("/tickets", params={name: theirs})).json()["data"]) == 1


@pytest.mark.parametrize("path", ["/tickets", "/agents"])
async def test_a_cursor_is_good_for_nobody_else(path: str, acme: Merchant, globex: Merchant) -> None:
    for _ in range(2):
        await acme.open()
    after = (await acme.lars.get(path, params={"limit": 1})).json()["page"]["next"]
    assert after
    assert (await acme.lars.get(path, params={"after": after})).status_code == 200
    for stranger in (globex.lars, acme.ana):
        answer = await stranger.get(path, params={"after": after})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "invalid_cursor")


async def test_lists_hold_only_ones_own(acme: Merchant, globex: Merchant) -> None:
    await acme.open()
    for stranger in (globex.lars, globex.adam, globex.rita, acme.client("rudi", "reporter")):
        assert (await stranger.get("/tickets")).json()["data"] == []
        assert (await stranger.get("/tickets/count")).json()["count"] == 0


async def test_a_token_of_one_organizer_sees_no_other(acme: Merchant) -> None:
    ticket = await acme.open(organizerId="77")
    outside, inside = (acme.client(f"otto-{number}", "agent", organizer_ids=(number,)) for number in ("78", "77"))
    assert (await inside.get(f"/tickets/{ticket['id']}")).status_code == 200
    assert (await outside.get(f"/tickets/{ticket['id']}")).status_code == 404
    assert (await outside.get("/tickets", params={"organizerId": "77"})).json()["data"] == []
