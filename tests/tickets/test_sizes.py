"""What is short when it is sent is short when it is stored, answered and worked on."""

import json
from decimal import Decimal

import httpx
import pytest

from tests.jobs.test_jobs import batch, recalculating
from tests.support.desk import Desk, Merchant
from tests.support.isolated import Isolated
from tests.support.statements import statements

JSON = {"Content-Type": "application/json"}
LONG = "Since this morning. " * 1000
PLAIN = ["1" * 40, "-" + "1" * 40, "1e39", "-1e39", "0.1", "1e-39", "1.5e10", "123456789012345678901234567890", "0", "-0.0"]
TOO_LONG = ["1" * 41, "1" * 4000, "1e40", "1e308", "-1e308", "1e-40", "1e-308", "5e-324", "1.7976931348623157e308"]


async def opened_with(merchant: Merchant, fields: str) -> httpx.Response:
    content = f'{{"subject":"s","description":"d","category":"general","customFields":{fields}}}'
    return await merchant.ana.post("/tickets", content=content, headers=JSON)


async def test_a_number_of_forty_digits_is_kept(resting: Merchant) -> None:
    opened = await opened_with(resting, f'{{"x":[{",".join(PLAIN)}]}}')
    assert opened.status_code == 201, opened.text
    kept = (await resting.get(opened.json()["id"]))["customFields"]["x"]
    assert [Decimal(str(number)) for number in kept] == [Decimal(number) for number in PLAIN]


@pytest.mark.parametrize("fields", ['{"x":?}', '{"x":[{"y":[1,?]}]}'])
async def test_a_number_that_is_longer_when_written_out_is_refused(fields: str, resting: Merchant) -> None:
    for number in TOO_LONG:
        refused = await opened_with(resting, fields.replace("?", number))
        assert refused.status_code == 422, number
        [error] = refused.json()["errors"]
        assert (error["pointer"], error["code"]) == ("/customFields", "number_too_long")
        assert "send it as a text" in error["detail"]


async def test_the_limit_of_custom_fields_is_of_what_is_stored(resting: Merchant) -> None:
    """3,000 numbers of 4 bytes are 120,000 digits."""
    refused = await opened_with(resting, json.dumps({"x": [1]}).replace("1", ",".join(["1e39"] * 3000)))
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "too_large")
    kept = await opened_with(resting, json.dumps({"x": [1]}).replace("1", ",".join(["1e39"] * 1500)))
    assert kept.status_code == 201
    assert len((await resting.ana.get(f"/tickets/{kept.json()['id']}")).content) < 64 * 1024


async def test_an_edit_of_custom_fields_writes_down_what_it_changed(resting: Merchant) -> None:
    ticket = await resting.open(category="general", customFields={"long": LONG, "deep": {"long": LONG, "n": 1}, "gone": 1, "same": 1})
    patch = {"customFields": {"deep": {"n": 2}, "gone": None, "new": 3, "same": True}}
    await resting.ana.patch(f"/tickets/{ticket['id']}", json=patch, headers={"If-Match": "*"})
    changes = (await resting.whole(ticket["id"], "/events"))[-1]["changes"]
    before, after = {"deep": {"n": 1}, "gone": 1, "same": 1}, {"deep": {"n": 2}, "new": 3, "same": True}
    assert json.dumps(changes, sort_keys=True) == json.dumps({"customFields": [before, after]}, sort_keys=True)


@pytest.mark.parametrize("who", ["rita", "ana"])
async def test_a_list_has_descriptions_when_they_are_asked_for(who: str, resting: Merchant) -> None:
    ticket = await resting.open(category="general", description=LONG)
    client: httpx.AsyncClient = getattr(resting, who)
    [without] = (await client.get("/tickets")).json()["data"]
    [whole] = (await client.get("/tickets", params={"include": "description"})).json()["data"]
    assert "description" not in without
    assert whole == without | {"description": LONG} == (await client.get(f"/tickets/{ticket['id']}")).json()


async def test_what_a_list_can_not_include_is_refused(resting: Merchant) -> None:
    refused = await resting.ana.get("/tickets", params={"include": "messages"})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/query/include/0")


async def test_a_list_reads_no_description(quiet: tuple[Isolated, Desk]) -> None:
    _, desk = quiet
    acme = await desk.merchant()
    await acme.open(category="general", description=LONG)
    with statements(desk) as said:
        await acme.ana.get("/tickets")
    assert [statement for statement, _ in said if "FROM ticket" in statement]
    assert not [statement for statement, _ in said if "ticket.description" in statement]


async def test_a_batch_of_a_job_reads_no_texts(quiet: tuple[Isolated, Desk]) -> None:
    _, desk = quiet
    acme, _policy, job_id = await recalculating(desk, 2)
    with statements(desk) as said:
        assert (await batch(desk, acme, job_id, 9)).done == 2
    assert [statement for statement, _ in said if "FROM ticket" in statement]
    assert not [
        statement for statement, _ in said if any(f"ticket.{name}" in statement for name in ("description", "custom_fields", "context"))
    ]
