"""Calendars by name, in the shape of API.md, for the tables and tests about business time."""

from typing import Any

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def shape(zone: str, hours: str, days: tuple[str, ...] = DAYS, **more: Any) -> dict[str, Any]:
    """`hours` as in `09:00-12:30 13:30-18:00`, the same on each of the days."""
    intervals = [interval.split("-") for interval in hours.split()]
    return {"name": f"{hours} {zone}", "timeZone": zone, "weekly": dict.fromkeys(days, intervals), **more}


def closed(date: str) -> dict[str, Any]:
    return {"date": date, "name": "closed"}


def only(date: str, *intervals: list[str]) -> dict[str, Any]:
    return {"date": date, "name": "hours of its own", "intervals": list(intervals)}


WORKDAYS = DAYS[:5]
BERLIN = "Europe/Berlin"

SHAPES: dict[str, dict[str, Any]] = {
    "always": shape("UTC", "00:00-24:00"),
    "always-berlin": shape(BERLIN, "00:00-24:00"),
    "office": shape(BERLIN, "09:00-17:00", WORKDAYS),
    "office-leap": shape(BERLIN, "09:00-17:00", WORKDAYS, holidays=[only("2028-02-29", ["09:00", "11:00"])]),
    "office-assumption": shape(BERLIN, "09:00-17:00", WORKDAYS, holidays=[closed("2026-08-15")]),
    "shop": shape(BERLIN, "10:00-18:00", holidays=[closed("2026-05-02")]),
    "split": shape(BERLIN, "09:00-12:30 13:30-18:00", WORKDAYS),
    "bavaria": shape(
        BERLIN,
        "09:00-17:00",
        WORKDAYS,
        holidayCountry="DE",
        holidaySubdivision="BY",
        holidays=[only("2026-11-28", ["10:00", "14:00"]), only("2026-12-24", ["09:00", "12:00"])],
    ),
    "us": shape("America/New_York", "09:00-17:00", WORKDAYS, holidayCountry="US"),
    "nights": shape(BERLIN, "22:00-06:00", holidays=[closed("2026-12-25")]),
    "small-hours": shape(BERLIN, "02:15-02:45"),
    "into-the-gap": shape(BERLIN, "01:30-02:30"),
    "out-of-the-gap": shape(BERLIN, "02:30-03:30"),
    "overlapping": {
        "name": "overlapping",
        "timeZone": "UTC",
        "weekly": {"sun": [["22:00", "10:00"]], "mon": [["09:00", "15:00"], ["12:00", "17:00"]]},
    },
    "round-the-clock-monday": shape("UTC", "09:00-09:00", ("mon",)),
    "kolkata": shape("Asia/Kolkata", "09:30-18:00", WORKDAYS),
    "lord-howe-nights": shape("Australia/Lord_Howe", "22:00-06:00"),
    "chatham-nights": shape("Pacific/Chatham", "22:00-06:00"),
    "st-johns-nights": shape("America/St_Johns", "22:00-06:00"),
    "beirut-evenings": shape("Asia/Beirut", "18:00-24:00"),
    "cairo-mornings": shape("Africa/Cairo", "00:00-08:00"),
}
