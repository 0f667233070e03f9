"""Tickets go before letters, but not for ever."""

import asyncio

import pytest

from activities import precedence
from activities.precedence import Precedence


async def has_come_through(precedence: Precedence) -> float:
    """The seconds that a letter waited."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(20):
        await precedence.give_way()
    return loop.time() - began


async def test_a_letter_does_not_wait_when_there_is_nothing_else() -> None:
    async with asyncio.timeout(0):  # one real wait would end it
        await Precedence().give_way()


async def test_a_letter_waits_until_the_last_ticket_is_done_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precedence, "LONGEST", 15.0)
    shared = Precedence()
    with shared.first():
        with shared.first():
            letter = asyncio.create_task(has_come_through(shared))
        done, _ = await asyncio.wait({letter}, timeout=4 * precedence.QUIET)
        assert not done
    assert precedence.QUIET <= await letter < precedence.LONGEST


async def test_a_failure_is_an_end_too() -> None:
    shared = Precedence()
    with pytest.raises(LookupError), shared.first():
        raise LookupError
    assert await has_come_through(shared) < precedence.LONGEST


async def test_however_many_tickets_there_are_some_letters_go_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precedence, "LONGEST", 0.3)
    shared = Precedence()
    with shared.first():
        assert await has_come_through(shared) >= precedence.LONGEST
