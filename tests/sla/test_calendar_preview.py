"""The preview of a calendar: when an amount of business time has passed, and how much passes between two instants."""

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.sla import calendars
from models.sla.calendar import Calendar, HorizonExceeded, advance
from tests.sla.configuration_cast import DAYS, calendar, id_of, published, refused
from tests.support.desk import Desk, Merchant

MONDAY = "2026-03-02T08:00:00Z"  # 9:00 in Berlin
PREVIEW = "/calendars/preview"


@pytest.fixture(scope="module")
async def shop(whole_desk: Desk) -> Merchant:
    return await whole_desk.merchant("shop")


async def _previewed(merchant: Merchant, **body: Any) -> Any:
    response = await merchant.ana.post(PREVIEW, json={"calendar": calendar(), "start": MONDAY} | body)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize(
    ("seconds", "due_at"),
    [
        (0, MONDAY),
        (60, "2026-03-02T08:01:00Z"),
        (3 * 3600 + 1800, "2026-03-02T11:30:00Z"),
        (3 * 3600 + 1801, "2026-03-02T12:30:01Z"),
        (8 * 3600, "2026-03-02T17:00:00Z"),
        (8 * 3600 + 1, "2026-03-03T08:00:01Z"),
        (5 * 8 * 3600 + 3600, "2026-03-09T09:00:00Z"),
    ],
)
async def test_a_preview_tells_when_an_amount_of_business_time_has_passed(seconds: int, due_at: str, shop: Merchant) -> None:
    assert await _previewed(shop, seconds=seconds) == {"dueAt": due_at}


@pytest.mark.parametrize(
    ("end", "seconds"),
    [
        (MONDAY, 0),
        ("2026-03-02T08:00:00.999999Z", 0),
        ("2026-03-02T13:00:00+01:00", 3 * 3600 + 1800),
        ("2026-03-07T12:00:00Z", 5 * 8 * 3600),
        ("2028-03-02T08:00:00Z", 523 * 8 * 3600),
    ],
)
async def test_a_preview_tells_the_business_time_between_two_instants(end: str, seconds: int, shop: Merchant) -> None:
    assert await _previewed(shop, end=end) == {"elapsedSeconds": seconds}


async def test_a_published_calendar_is_previewed_in_its_current_version(acme: Merchant) -> None:
    made = await published(acme, "/calendars", calendar())
    body = {"calendarId": made["id"], "start": MONDAY, "seconds": 60}
    assert (await acme.ana.post(PREVIEW, json=body)).json() == {"dueAt": "2026-03-02T08:01:00Z"}
    await published(acme, f"/calendars/{made['id']}/versions", calendar(holidays=[{"date": "2026-03-02", "name": "Closed"}]))
    assert (await acme.ana.post(PREVIEW, json=body)).json() == {"dueAt": "2026-03-03T08:01:00Z"}


async def test_a_preview_publishes_nothing(shop: Merchant) -> None:
    before = (await shop.ana.get("/calendars")).json()
    await _previewed(shop, seconds=60)
    assert (await shop.ana.get("/calendars")).json() == before


async def test_a_calendar_of_another_merchant_can_not_be_previewed(shop: Merchant, globex: Merchant) -> None:
    theirs, body = await id_of(globex, "/calendars"), {"start": MONDAY, "seconds": 60}
    responses = [await shop.adam.post(PREVIEW, json=body | {"calendarId": id_}) for id_ in (theirs, "9")]
    assert all(refused(response, "/calendarId", "unknown_calendar") for response in responses)
    assert responses[0].json()["errors"] == responses[1].json()["errors"]


ONCE_A_WEEK = calendar(weekly={"mon": [["09:00", "09:01"]]})
REFUSED: list[tuple[dict[str, Any], str, str | None]] = [
    ({}, "", None),
    ({"seconds": 60, "end": MONDAY}, "", None),
    ({"seconds": 60, "calendarId": "9"}, "", None),
    ({"seconds": 60, "calendar": None}, "", None),
    ({"seconds": -1}, "/seconds", None),
    ({"seconds": 10**400}, "/seconds", None),
    ({"seconds": 366 * 86_400 + 1}, "/seconds", None),
    ({"seconds": 366 * 86_400}, "/seconds", "beyond_horizon"),
    ({"seconds": 6301, "calendar": ONCE_A_WEEK}, "/seconds", "beyond_horizon"),
    ({"seconds": 60, "start": "2026-03-02T08:00:00"}, "/start", None),
    ({"seconds": 60, "start": "2026-03-02"}, "/start", None),
    ({"seconds": 60, "start": "0001-01-01T00:00:00Z"}, "/start", None),
    ({"seconds": 60, "start": "9999-12-31T23:59:59Z"}, "/start", None),
    ({"seconds": 60, "start": None}, "/start", None),
    ({"seconds": 60, "calendarId": 7}, "/calendarId", None),
    ({"end": "2026-03-02T07:59:59Z"}, "/end", "end_before_start"),
    ({"end": "2026-03-02T08:00:01+02:00"}, "/end", "end_before_start"),
    ({"end": "2026-03-02T09:00:00"}, "/end", None),
    ({"end": "2028-03-04T08:00:00Z"}, "/end", "beyond_horizon"),
    ({"end": "9999-12-31T23:59:59Z"}, "/end", None),
    ({"seconds": 60, "calendar": calendar(weekly={})}, "/calendar/weekly", None),
    ({"seconds": 60, "calendar": calendar(weekly={"mon": [["09:00", "12:00"]] * 2})}, "/calendar/weekly/mon/1", "overlapping_interval"),
    ({"seconds": 60, "calendar": calendar(timeZone="x")}, "/calendar/timeZone", None),
]


@pytest.mark.parametrize(("body", "pointer", "code"), REFUSED, ids=[f"{pointer} {code}" for _, pointer, code in REFUSED])
async def test_a_preview_that_makes_no_sense_is_refused(body: dict[str, Any], pointer: str, code: str | None, shop: Merchant) -> None:
    assert refused(await shop.ana.post(PREVIEW, json={"calendar": calendar(), "start": MONDAY} | body), pointer, code)


@pytest.mark.parametrize("start", ["1970-01-01T00:00:00Z", "2199-12-31T23:59:59Z", "1969-12-31T23:00:00-01:00"])
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Apia", "Africa/Monrovia"])
async def test_the_first_and_the_last_instants_can_be_previewed(start: str, zone: str, shop: Merchant) -> None:
    assert (await _previewed(shop, start=start, seconds=60, calendar=calendar(timeZone=zone))).keys() == {"dueAt"}


async def test_other_requests_are_served_while_a_calendar_is_laid_out(shop: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    others_were_served = threading.Event()

    def slow(*args: Any, **more: Any) -> datetime:
        assert others_were_served.wait(10)
        return advance(*args, **more)

    monkeypatch.setattr(calendars, "advance", slow)
    preview = asyncio.create_task(_previewed(shop, seconds=60))
    assert (await shop.ana.get("/me")).status_code == 200
    others_were_served.set()
    assert await preview == {"dueAt": "2026-03-02T08:01:00Z"}


def test_the_slowest_calendar_takes_a_moment() -> None:
    """Twelve open minutes a day, searched to the end of a preview's range. It takes a tenth of a second."""
    minutes = tuple((f"{hour:02}:00", f"{hour:02}:01") for hour in range(12))
    body = calendar(timeZone="America/Godthab", weekly=dict.fromkeys(DAYS, minutes), holidayCountry="PT")
    start, began = datetime(2026, 3, 2, tzinfo=UTC), time.process_time()
    with pytest.raises(HorizonExceeded):
        advance(Calendar.model_validate(body), start, timedelta(days=366), within=calendars.RANGE)
    assert time.process_time() - began < 2
