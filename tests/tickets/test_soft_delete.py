"""A deleted ticket disappears for everybody but an admin, and can be brought back."""

from typing import Any

import pytest

from tests.support.auditor import is_running
from tests.support.desk import Desk, Merchant

PARTS = ("", "/messages", "/notes", "/events", "/sla", "/sla/timeline", "/escalations", "/notifications", "/context")


@pytest.fixture
async def deleted(ticket: dict[str, Any], resting: Merchant) -> str:
    path = f"/tickets/{ticket['id']}"
    assert (await resting.lars.delete(path)).status_code == 204
    return path


@pytest.mark.parametrize("name", ["rita", "ana", "sina"])
async def test_only_those_who_lead_delete(name: str, ticket: dict[str, Any], resting: Merchant) -> None:
    assert (await getattr(resting, name).delete(f"/tickets/{ticket['id']}")).status_code == 403
    assert (await resting.get(ticket["id"]))["deletedAt"] is None


async def test_afterwards_it_is_not_there(deleted: str, resting: Merchant) -> None:
    assert {(await resting.lars.get(deleted + part)).status_code for part in PARTS} == {404}
    assert (await resting.rita.get(deleted)).status_code == 404
    assert (await resting.lars.delete(deleted)).status_code == 404
    assert [(await resting.lars.post(f"{deleted}/{verb}")).status_code for verb in ("hold", "close", "claim")] == [404] * 3


async def test_an_admin_still_sees_it(deleted: str, resting: Merchant) -> None:
    assert (await resting.adam.get(deleted)).json()["deletedAt"].endswith("Z")
    assert (await resting.adam.get(f"{deleted}/events")).json()["data"][-1]["kind"] == "ticket.deleted"


async def test_lists_show_it_to_an_admin_who_asks(deleted: str, resting: Merchant) -> None:
    everything = {"includeDeleted": "true"}
    assert (await resting.adam.get("/tickets")).json()["data"] == []
    assert len((await resting.adam.get("/tickets", params=everything)).json()["data"]) == 1
    assert (await resting.adam.get("/tickets/count", params=everything)).json()["count"] == 1


@pytest.mark.parametrize("name", ["rita", "ana", "lars"])
async def test_nobody_else_may_ask_for_deleted_ones(name: str, acme: Merchant) -> None:
    for path in ("/tickets", "/tickets/count"):
        assert (await getattr(acme, name).get(path, params={"includeDeleted": "true"})).status_code == 403


async def test_a_restored_ticket_is_as_it_was_and_its_clocks_go_on(ticket: dict[str, Any], deleted: str, resting: Merchant) -> None:
    restored = await resting.adam.post(f"{deleted}/restore")
    assert (restored.status_code, restored.json()["deletedAt"], restored.json()["status"]) == (200, None, "new")
    assert {cycle["status"] for cycle in (await resting.get(ticket["id"], "/sla"))["data"] if cycle["dueAt"]} == {"running"}
    assert (await resting.rita.get(deleted)).json()["subject"] == ticket["subject"]


async def test_who_restores_may_say_which_version_he_saw(ticket: dict[str, Any], deleted: str, resting: Merchant) -> None:
    seen = (await resting.adam.get(deleted)).headers["ETag"]
    stale = await resting.adam.post(f"{deleted}/restore", headers={"If-Match": f'"{ticket["version"]}"'})
    assert (stale.status_code, stale.json()["current"]["id"]) == (412, ticket["id"])
    assert (await resting.adam.get(deleted)).json()["deletedAt"] is not None
    assert (await resting.adam.post(f"{deleted}/restore", headers={"If-Match": seen})).status_code == 200


async def test_what_is_not_deleted_is_not_restored(ticket: dict[str, Any], resting: Merchant) -> None:
    response = await resting.adam.post(f"/tickets/{ticket['id']}/restore")
    assert (response.status_code, response.json()["code"]) == (409, "not_deleted")


async def test_its_workflow_ends_and_a_restored_one_has_one_again(desk: Desk, deleted: str, resting: Merchant) -> None:
    ticket_id = deleted.rpartition("/")[2]
    await desk.until(lambda: is_running(desk, ticket_id), lambda running: not running)
    await resting.adam.post(f"{deleted}/restore")
    await desk.until(lambda: is_running(desk, ticket_id), bool)
