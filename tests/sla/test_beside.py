"""Calendars that are tried take at most one thread's turns from the event loop."""

import asyncio
from threading import current_thread
from typing import Any

import pytest

from api.sla import calendars
from models.sla import configuration, forecast
from models.sla.beside import beside
from tests.sla.configuration_cast import calendar, id_of, policy
from tests.support.desk import Merchant


def thread() -> str:
    return current_thread().name


async def test_all_work_is_done_by_one_thread() -> None:
    threads = await asyncio.gather(*(beside(thread) for _ in range(50)))
    assert set(threads) == {threads[0]}
    assert threads[0] != thread()


@pytest.mark.parametrize("where", [(calendars, "_computed"), (configuration, "longest_out_of_reach"), (forecast, "_clocks")])
async def test_calendars_are_laid_out_by_that_thread(where: tuple[Any, str], acme: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    threads, work = set[str](), getattr(*where)

    def watched(*args: Any) -> Any:
        threads.add(thread())
        return work(*args)

    monkeypatch.setattr(*where, watched)
    tried = [
        ("/calendars/preview", {"calendar": calendar(), "start": "2026-03-02T08:00:00Z", "seconds": 60}),
        ("/calendars/preview", {"calendarId": await id_of(acme, "/calendars"), "start": "2026-03-02T08:00:00Z", "seconds": 60}),
        ("/sla-policies/preview", {"definition": await policy(acme), "ticketSample": {}}),
        (f"/calendars/{await id_of(acme, '/calendars')}/preview", {"definition": calendar(), "ticketSample": {}}),
    ]
    for path, body in tried:
        response = await acme.adam.post(path, json=body)
        assert response.status_code == 200, response.text
    assert threads == {await beside(thread)}
