"""Tickets go before letters, but not for ever."""

import asyncio

import pytest
from temporalio.testing import ActivityEnvironment

from activities import precedence
from activities.email.smtp import SmtpServer
from activities.notification import DeliveryActivities
from activities.precedence import Precedence
from activities.ticket import TicketActivities
from models.notifications.messages import DeliveryRef
from models.platform.settings import MailSecurity
from models.tickets.messages import At
from tests.support.desk import Desk, Merchant
from tests.support.frozen import NOON


@pytest.fixture
def long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody comes through because he waited long enough, nor because the machine halted for a moment."""
    monkeypatch.setattr(precedence, "LONGEST", 60.0)
    monkeypatch.setattr(precedence, "QUIET", 0.5)


async def seconds_waited(shared: Precedence) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(20):
        await shared.give_way()
    return loop.time() - began


async def test_a_letter_does_not_wait_when_there_is_nothing_else() -> None:
    async with asyncio.timeout(0):  # one real wait would end it
        await Precedence().give_way()


@pytest.mark.usefixtures("long_waits")
async def test_a_letter_waits_until_it_has_been_quiet_since_the_last_ticket() -> None:
    shared = Precedence()
    with shared.first():
        pass
    assert await seconds_waited(shared) >= precedence.QUIET


@pytest.mark.usefixtures("long_waits")
async def test_a_ticket_that_hangs_holds_up_no_letter() -> None:
    shared = Precedence()
    with shared.first():
        await seconds_waited(shared)  # ends within the guard


@pytest.mark.usefixtures("long_waits")
async def test_a_failure_is_an_end_too() -> None:
    shared = Precedence()

    async def fail() -> None:
        with shared.first():
            await seconds_waited(shared)
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await seconds_waited(shared) >= precedence.QUIET


async def test_however_many_tickets_there_are_some_letters_go_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precedence, "LONGEST", 0.3)
    shared = Precedence()

    async def tickets() -> None:
        while True:
            with shared.first():
                await asyncio.sleep(precedence.QUIET / 5)

    working = asyncio.create_task(tickets())
    await asyncio.sleep(0)
    assert await seconds_waited(shared) >= precedence.LONGEST
    working.cancel()


class Noted(Precedence):
    """What the activities of a worker ask of it."""

    def __init__(self) -> None:
        super().__init__()
        self.reporter_commented: list[str] = []

    def _stir(self) -> None:
        self.reporter_commented.append("ticket")

    async def give_way(self) -> None:
        self.reporter_commented.append("letter")


async def test_the_work_on_a_ticket_is_announced_and_a_letter_asks(desk: Desk, acme: Merchant) -> None:
    ticket, shared = await acme.opened_and_assigned(category="general"), Noted()
    tickets = TicketActivities(desk.database, desk.relay, shared)
    await ActivityEnvironment().run(tickets.run_due, At(merchant_id=acme.id, ticket_id=int(ticket["id"]), at=NOON))
    assert shared.reporter_commented == ["ticket", "ticket"]
    nowhere = SmtpServer(host="127.0.0.1", port=9, security=MailSecurity.NONE, timeout=1)
    letters = DeliveryActivities(desk.database, nowhere, shared, sender="a@desk.test", public_url="http://desk.test", signing_key="k" * 32)
    with pytest.raises(Exception, match="notification"):
        await ActivityEnvironment().run(letters.deliver, DeliveryRef(merchant_id=acme.id, notification_id=1))
    assert shared.reporter_commented == ["ticket", "ticket", "letter"]
