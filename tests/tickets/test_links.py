"""Leads and above find the ticket's workflow in the Temporal UI by a link; nobody else hears of it."""

from typing import Any

import pytest

from tests.support.desk import Merchant


async def test_a_lead_finds_the_workflow_in_whatever_shows_a_single_ticket(ticket: dict[str, Any], resting: Merchant) -> None:
    links = {"workflow": f"http://temporal.test/namespaces/default/workflows/ticket-{ticket['id']}"}
    path = f"/tickets/{ticket['id']}"
    assert (await resting.lars.get(path)).json()["links"] == links
    assert (await resting.lars.post(f"{path}/hold")).json()["links"] == links


@pytest.mark.parametrize("who", ["rita", "ana"])
async def test_others_see_no_link(who: str, ticket: dict[str, Any], resting: Merchant) -> None:
    assert "links" not in (await getattr(resting, who).get(f"/tickets/{ticket['id']}")).json()


async def test_a_list_has_no_links(ticket: dict[str, Any], resting: Merchant) -> None:
    listed = (await resting.lars.get("/tickets")).json()["data"]
    assert ticket["id"] in {each["id"] for each in listed}
    assert not any("links" in each for each in listed)


async def test_without_a_known_ui_there_is_no_link(ticket: dict[str, Any], resting: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(resting.desk.app.state.context), "workflows_url", None)
    assert "links" not in (await resting.lars.get(f"/tickets/{ticket['id']}")).json()
