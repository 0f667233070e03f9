"""The life of a ticket, whole, over HTTP and through the real engine."""

from datetime import timedelta

from tests.desk import Desk, Merchant


async def test_a_plain_life_costs_at_most_thirty_events(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned()
    reply = await acme.ana.post(f"/tickets/{ticket['id']}/messages", json={"body": "We come at noon."})
    resolve = await acme.ana.post(f"/tickets/{ticket['id']}/resolve")
    assert (reply.status_code, resolve.status_code) == (201, 200)
    await desk.pass_time(ticket["id"], timedelta(seconds=3))
    await desk.until(lambda: acme.get(ticket["id"], "/events"), lambda page: page["data"][-1]["kind"] == "survey.sent")
    close = await acme.ana.post(f"/tickets/{ticket['id']}/close")
    assert close.status_code == 200
    await desk.client.get_workflow_handle(f"ticket-{ticket['id']}").result()

    events = await desk.history(f"ticket-{ticket['id']}")
    assert len(events) <= 30, events
