"""Nobody overwrites what he has not seen (RFC 9110, 13.1.1)."""

from typing import Any

import httpx
import pytest

from tests.support.desk import Merchant


async def _edit(merchant: Merchant, ticket: dict[str, Any], if_match: str | None) -> httpx.Response:
    headers = {} if if_match is None else {"If-Match": if_match}
    return await merchant.ana.patch(f"/tickets/{ticket['id']}", json={"subject": "Two tills"}, headers=headers)


async def test_the_tag_that_a_get_gave_is_good_for_one_edit(ticket: dict[str, Any], resting: Merchant) -> None:
    tag = (await resting.ana.get(f"/tickets/{ticket['id']}")).headers["ETag"]
    edited = await _edit(resting, ticket, tag)
    assert (edited.status_code, edited.headers["ETag"]) == (200, f'"{edited.json()["version"]}"')
    assert edited.headers["ETag"] != tag
    assert (await _edit(resting, ticket, tag)).status_code == 412


async def test_a_stale_tag_is_answered_with_the_current_ticket(ticket: dict[str, Any], resting: Merchant) -> None:
    response = await _edit(resting, ticket, '"0"')
    assert (response.status_code, response.json()["code"]) == (412, "stale_version")
    assert response.json()["current"] == (await resting.ana.get(f"/tickets/{ticket['id']}")).json()


async def test_the_current_ticket_of_a_lead_has_their_links(ticket: dict[str, Any], resting: Merchant) -> None:
    path = f"/tickets/{ticket['id']}"
    response = await resting.lars.post(f"{path}/resolve", headers={"If-Match": '"0"'})
    assert response.json()["current"] == (await resting.lars.get(path)).json()


async def test_an_edit_without_a_tag_is_asked_for_one(ticket: dict[str, Any], resting: Merchant) -> None:
    response = await _edit(resting, ticket, None)
    assert (response.status_code, response.json()["code"]) == (428, "precondition_required")


@pytest.mark.parametrize("pattern", ["*", '"{0}"', '"0", "{0}"', ' "{0}" ', '"0",*'])
async def test_any_of_the_tags_may_match(pattern: str, ticket: dict[str, Any], resting: Merchant) -> None:
    assert (await _edit(resting, ticket, pattern.format(ticket["version"]))).status_code == 200


@pytest.mark.parametrize("pattern", ['W/"{0}"', '""', '"*"', '"{0}0"'])
async def test_what_is_not_the_strong_tag_does_not_match(pattern: str, ticket: dict[str, Any], resting: Merchant) -> None:
    assert (await _edit(resting, ticket, pattern.format(ticket["version"]))).status_code == 412


@pytest.mark.parametrize("pattern", ["{0}", "", "'{0}'", '"{0}'])
async def test_what_is_no_tag_is_refused_and_shown_how_one_is_written(pattern: str, ticket: dict[str, Any], resting: Merchant) -> None:
    response = await _edit(resting, ticket, pattern.format(ticket["version"]))
    assert (response.status_code, response.json()["code"]) == (400, "if_match_invalid")
    assert 'If-Match: "7"' in response.json()["detail"]


@pytest.mark.parametrize("verb", ["hold", "resolve", "close", "claim", "unassign", "notes", "messages", "escalate"])
async def test_verbs_take_the_tag_as_well(verb: str, ticket: dict[str, Any], resting: Merchant) -> None:
    bodies = {"notes": {"body": "b"}, "messages": {"body": "b"}, "escalate": {"reason": "r"}}
    path, before = f"/tickets/{ticket['id']}", await resting.get(ticket["id"])
    response = await resting.ana.post(f"{path}/{verb}", json=bodies.get(verb), headers={"If-Match": '"0"'})
    assert (response.status_code, await resting.get(ticket["id"])) == (412, before)


async def test_a_delete_takes_the_tag_as_well(ticket: dict[str, Any], resting: Merchant) -> None:
    path = f"/tickets/{ticket['id']}"
    assert (await resting.lars.delete(path, headers={"If-Match": '"0"'})).status_code == 412
    assert (await resting.lars.delete(path, headers={"If-Match": f'"{ticket["version"]}"'})).status_code == 204


async def test_the_current_ticket_of_a_reporter_has_no_agents_fields(ticket: dict[str, Any], resting: Merchant) -> None:
    response = await resting.rita.post(f"/tickets/{ticket['id']}/resolve", headers={"If-Match": '"0"'})
    assert response.json()["current"] == ticket
