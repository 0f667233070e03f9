"""A merchant's own windows, seen and set by its admins."""

from typing import Any

import pytest

from deploy.local.identity import Wanted
from models.people.roles import Role
from tests.support.desk import Desk, Merchant

YEAR = 365 * 86_400
ANY = {"If-Match": "*"}


def path(merchant: Merchant) -> str:
    return f"/merchants/{merchant.id}"


async def test_an_admin_sees_his_merchant(acme: Merchant) -> None:
    seen = (await acme.adam.get(path(acme))).json()
    assert seen.pop("createdAt")
    assert seen == {
        "id": str(acme.id),
        "slug": f"acme-{acme.id}",
        "name": "Acme",
        "surveyAfterSeconds": 3600,
        "autoCloseAfterSeconds": 7 * 86_400,
        "reopenWithinSeconds": 7 * 86_400,
        "reporterPriorityLimit": "high",
        "timeZone": "UTC",
        "locale": "en",
        "version": 1,
        "closedAt": None,
    }


async def test_an_edit_sets_what_it_names(acme: Merchant) -> None:
    before = (await acme.adam.get(path(acme))).json()
    edited = await acme.adam.patch(path(acme), json={"name": "Acme & Co", "reopenWithinSeconds": 0}, headers=ANY)
    assert edited.json() == before | {"name": "Acme & Co", "reopenWithinSeconds": 0, "version": 2}
    assert (await acme.adam.get(path(acme))).json() == edited.json()
    assert (await acme.adam.patch(path(acme), json={}, headers=ANY)).json() == edited.json()


@pytest.mark.parametrize("name", ["surveyAfterSeconds", "autoCloseAfterSeconds", "reopenWithinSeconds"])
async def test_a_window_is_at_most_a_year(name: str, acme: Merchant) -> None:
    for seconds in (0, YEAR):
        assert (await acme.adam.patch(path(acme), json={name: seconds}, headers=ANY)).json()[name] == seconds
    wrong: list[Any] = [-1, YEAR + 1, None, "60", 1.5, True, [], 10**30]
    for value in wrong:
        response = await acme.adam.patch(path(acme), json={name: value}, headers=ANY)
        assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, f"/{name}"), value


@pytest.mark.parametrize(
    "body", [{"name": ""}, {"name": None}, {"name": "a\nb"}, {"name": "x" * 201}, {"slug": "x"}, {"id": "1"}, [], None]
)
async def test_what_is_not_to_be_set_is_refused(body: Any, acme: Merchant) -> None:
    assert (await acme.adam.patch(path(acme), json=body, headers=ANY)).status_code == 422
    assert (await acme.adam.get(path(acme))).json()["name"] == "Acme"


async def test_the_tag_has_to_be_sent_and_to_match(acme: Merchant) -> None:
    assert (await acme.adam.patch(path(acme), json={"name": "A"})).status_code == 428
    tag = (await acme.adam.get(path(acme))).headers["ETag"]
    edited = await acme.adam.patch(path(acme), json={"name": "A"}, headers={"If-Match": tag})
    stale = await acme.adam.patch(path(acme), json={"name": "B"}, headers={"If-Match": tag})
    assert (edited.status_code, stale.status_code, stale.json()["current"]) == (200, 412, edited.json())
    assert (await acme.adam.patch(path(acme), json={"name": "C"}, headers={"If-Match": edited.headers["ETag"]})).status_code == 200


async def test_an_operator_edits_the_merchant_that_he_acts_for(desk: Desk, acme: Merchant, globex: Merchant) -> None:
    olga = desk.client_with(desk.identity.token(Wanted(sub="olga", merchant_ids=("*",), roles=(Role.OPERATOR,))))
    olga.headers["X-Merchant-Id"] = str(acme.id)
    assert (await olga.patch(path(acme), json={"surveyAfterSeconds": 1}, headers=ANY)).json()["surveyAfterSeconds"] == 1
    assert [(await olga.get(path(each))).status_code for each in (acme, globex)] == [200, 404]
    assert (await olga.patch(path(globex), json={"name": "Mine"}, headers=ANY)).status_code == 404
    assert (await globex.adam.get(path(globex))).json()["name"] == "Globex"


@pytest.mark.parametrize("named", ["0", "x", "9" * 30, "%00", "-1"])
async def test_what_can_not_be_an_id_is_no_merchant(named: str, acme: Merchant) -> None:
    assert (await acme.adam.get(f"/merchants/{named}")).status_code == 404


async def test_a_change_applies_to_what_is_resolved_from_then_on(ticket: dict[str, Any], resting: Merchant) -> None:
    before, after = ticket["id"], (await resting.open(category="general"))["id"]
    await resting.ana.post(f"/tickets/{before}/resolve")
    await resting.adam.patch(path(resting), json={"reopenWithinSeconds": 0}, headers=ANY)
    await resting.ana.post(f"/tickets/{after}/resolve")
    answers = [await resting.rita.post(f"/tickets/{each}/reopen") for each in (before, after)]
    assert [response.status_code for response in answers] == [200, 409]
    assert answers[1].json()["code"] == "reopen_window_over"


async def test_later_than_the_window_a_reply_opens_a_follow_up(ticket: dict[str, Any], resting: Merchant) -> None:
    await resting.adam.patch(path(resting), json={"reopenWithinSeconds": 0}, headers=ANY)
    await resting.ana.post(f"/tickets/{ticket['id']}/resolve")
    response = await resting.rita.post(f"/tickets/{ticket['id']}/messages", json={"body": "Again!"})
    follow_up = await resting.get(response.json()["ticketId"])
    assert (response.status_code, follow_up["followUpOfId"], follow_up["description"]) == (201, ticket["id"], "Again!")
    assert (await resting.get(ticket["id"]))["status"] == "resolved"


async def test_staff_reopens_and_writes_at_any_time(ticket: dict[str, Any], resting: Merchant) -> None:
    await resting.adam.patch(path(resting), json={"reopenWithinSeconds": 0}, headers=ANY)
    await resting.ana.post(f"/tickets/{ticket['id']}/resolve")
    assert (await resting.ana.post(f"/tickets/{ticket['id']}/messages", json={"body": "One more thing."})).status_code == 201
    assert (await resting.ana.post(f"/tickets/{ticket['id']}/reopen")).json()["status"] == "open"


async def test_an_admin_of_some_organizers_does_not_edit_the_merchant(acme: Merchant) -> None:
    narrow = acme.client("adam-narrow", "admin", organizer_ids=("11",))
    assert (await narrow.patch(path(acme), json={"name": "Mine"}, headers=ANY)).status_code == 403
    assert (await acme.adam.get(path(acme))).json()["name"] == "Acme"
