"""Finding tickets by their words: which are found, by whom, and from which index."""

import pytest
import sqlalchemy as sa

from models.tickets import search
from tests.support.desk import Desk, Merchant


async def found(merchant: Merchant, text: str) -> int:
    response = await merchant.lars.get("/tickets/count", params={"q": text})
    assert response.status_code == 200, response.text
    return int(response.json()["count"])


@pytest.mark.parametrize("rare", [0, search.RARE])
async def test_words_are_found_in_both_texts_however_many_tickets_have_them(
    acme: Merchant, rare: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "RARE", rare)
    await acme.open(subject="The till is stuck", description="It hums.")
    await acme.open(subject="Another till", description="Nothing moves.")
    asked = ["till", "hums", "till hums", "till -hums", '"another till"', "hums or moves", "zebra", "!"]
    assert [await found(acme, text) for text in asked] == [2, 1, 1, 1, 1, 2, 0, 0]


async def test_a_changed_subject_is_found_by_its_new_words_alone(acme: Merchant) -> None:
    ticket = await acme.open(subject="The till is stuck")
    changed = await acme.ana.patch(f"/tickets/{ticket['id']}", json={"subject": "A scanner"}, headers={"If-Match": '"1"'})
    assert changed.status_code == 200, changed.text
    assert [await found(acme, text) for text in ("till", "scanner")] == [0, 1]


@pytest.mark.parametrize("rare", [0, search.RARE])
async def test_words_of_another_merchant_are_not_found(
    acme: Merchant, globex: Merchant, rare: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "RARE", rare)
    await globex.open(subject="The till is stuck")
    assert [await found(each, "till") for each in (acme, globex)] == [0, 1]


async def test_the_function_looks_at_the_transactions_merchant_alone(desk: Desk, acme: Merchant) -> None:
    await acme.open(subject="The till is stuck")
    asked = sa.text("SELECT cardinality(tickets_with('till', 10))")
    async with desk.database.reading(acme.id) as session:
        assert (await session.execute(asked)).scalar_one() == 1
    async with desk.database.engine.connect() as connection:
        assert (await connection.execute(asked)).scalar_one() == 0
