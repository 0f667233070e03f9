"""An invalid definition is refused with the place of each error; no body gives a 500."""

import json
from typing import Any

import pytest

from tests.sla.configuration_cast import DAYS, PATHS, calendar, definition, id_of, ladder, policy, published, refused
from tests.support.desk import Desk, Merchant

LONG = "x" * 201
HOLIDAY = {"date": "2026-12-25", "name": "Christmas"}


@pytest.fixture(scope="module")
async def shop(whole_desk: Desk) -> Merchant:
    """A merchant for whom only invalid definitions are published."""
    return await whole_desk.merchant("shop")


def _week(**days: Any) -> dict[str, Any]:
    return calendar(weekly=days)


CALENDARS: list[tuple[dict[str, Any], str]] = [
    (_week(), "/weekly"),
    (_week(mon=[], tue=[]), "/weekly"),
    (_week(mon=[["9:00", "17:00"]]), "/weekly/mon/0/0"),
    (_week(mon=[["09:00", "12:00"], ["13:00", "24:01"]]), "/weekly/mon/1/1"),
    (_week(mon=[["24:00", "08:00"]]), "/weekly/mon/0/0"),
    (_week(mon=[["09:00"]]), "/weekly/mon/0/1"),
    (_week(mon=["09:00-17:00"]), "/weekly/mon/0"),
    (_week(mon="all day"), "/weekly/mon"),
    (_week(mon=[["00:00", "00:01"]] * 13), "/weekly/mon"),
    (_week(mon=[["09:00", "12:00"], ["11:59", "13:00"]]), "/weekly/mon/1"),
    (_week(mon=[["11:00", "13:00"], ["09:00", "12:00"]]), "/weekly/mon/0"),
    (_week(mon=[["09:00", "12:00"]] * 2), "/weekly/mon/1"),
    (_week(mon=[["22:00", "06:00"]], tue=[["08:00", "9:00"]]), "/weekly/tue/0/1"),
    (_week(mon=[["22:00", "06:00"]], tue=[["05:59", "09:00"]]), "/weekly/tue/0"),
    (_week(sun=[["22:00", "06:00"]], mon=[["12:00", "13:00"], ["05:00", "09:00"]]), "/weekly/mon/1"),
    (_week(sunday=[["09:00", "17:00"]]), "/weekly/sunday"),
    (_week(**{"a/b~c": 1}, mon=[["09:00", "17:00"]]), "/weekly/a~1b~0c"),
    (calendar(weekly=None), "/weekly"),
    (calendar(timeZone="Europe/Atlantis"), "/timeZone"),
    (calendar(timeZone="../../etc/passwd"), "/timeZone"),
    (calendar(timeZone=7), "/timeZone"),
    (calendar(holidayCountry="XX"), "/holidayCountry"),
    (calendar(holidayCountry="Registry"), "/holidayCountry"),
    (calendar(holidayCountry="DE", holidaySubdivision="ZZ"), "/holidaySubdivision"),
    (calendar(holidayCountry="DE", holidaySubdivision=""), "/holidaySubdivision"),
    (calendar(holidaySubdivision="BY"), "/holidaySubdivision"),
    (calendar(holidays=[HOLIDAY, {"date": "2027-02-29", "name": "Leap"}]), "/holidays/1/date"),
    (calendar(holidays=[HOLIDAY, {"date": "2027-01-01", "name": "New Year"}, HOLIDAY]), "/holidays/2/date"),
    (calendar(holidays=[{"date": 1_766_620_800, "name": "seconds"}]), "/holidays/0/date"),
    (calendar(holidays=[HOLIDAY | {"name": LONG}]), "/holidays/0/name"),
    (calendar(holidays=[HOLIDAY | {"name": "a\nb"}]), "/holidays/0/name"),
    (calendar(holidays=[HOLIDAY | {"intervals": [["09:00", "12:00"], ["10:00", "13:00"]]}]), "/holidays/0/intervals/1"),
    (calendar(holidays=[{"date": f"{year}-01-01", "name": "New Year"} for year in range(2000, 2501)]), "/holidays"),
    (calendar(holidays=[HOLIDAY | {"intervals": [[f"{hour:02}:00", f"{hour:02}:30"] for hour in range(5)]}]), "/holidays/0/intervals"),
    (calendar(name=""), "/name"),
    (calendar(name=" \t"), "/name"),
    (calendar(name=LONG), "/name"),
    (calendar(name="a\nb"), "/name"),
    (calendar(version=2), "/version"),
    (calendar(id="1"), "/id"),
    (calendar(createdBy={"kind": "system"}), "/createdBy"),
]


@pytest.mark.parametrize(("body", "pointer"), CALENDARS, ids=[pointer for _, pointer in CALENDARS])
async def test_an_invalid_calendar_is_refused_at_its_place(body: dict[str, Any], pointer: str, shop: Merchant) -> None:
    assert refused(await shop.adam.post("/calendars", json=body), pointer)
    versions = f"/calendars/{await id_of(shop, '/calendars')}/versions"
    assert refused(await shop.adam.post(versions, json=body), pointer)


@pytest.mark.parametrize(
    "weekly",
    [
        {"mon": [["09:00", "12:00"], ["12:00", "17:00"]]},
        {"mon": [["22:00", "06:00"]], "tue": [["06:00", "09:00"]]},
        {"sun": [["22:00", "06:00"]], "mon": [["06:00", "09:00"]]},
        dict.fromkeys(DAYS, (("00:00", "00:00"),)),
        dict.fromkeys(DAYS, (("17:00", "17:00"),)),
    ],
)
async def test_intervals_may_touch(weekly: dict[str, Any], shop: Merchant) -> None:
    assert (await shop.adam.post("/calendars", json=calendar(weekly=weekly))).status_code == 201


POLICIES: list[tuple[dict[str, Any], str]] = [
    ({"calendarId": "9"}, "/calendarId"),
    ({"calendarId": 9}, "/calendarId"),
    ({"calendarId": None}, "/calendarId"),
    ({"calendarId": "9" * 30}, "/calendarId"),
    ({"ladderId": "9"}, "/ladderId"),
    ({"match": {"categories": ["nope"]}}, "/match/categories/0"),
    ({"match": {"categories": ["general", "billing", "nope"]}}, "/match/categories/2"),
    ({"match": {"categories": ["general", "general"]}}, "/match/categories/1"),
    ({"match": {"categories": [""]}}, "/match/categories/0"),
    ({"match": {"categories": [f"{n}" for n in range(101)]}}, "/match/categories"),
    ({"match": {"priorities": ["critical"]}}, "/match/priorities/0"),
    ({"match": {"priorities": ["low", "low"]}}, "/match/priorities/1"),
    ({"match": {"organizerIds": [7]}}, "/match/organizerIds/0"),
    ({"match": {"tags": ["x" * 51]}}, "/match/tags/0"),
    ({"match": {"assigneeId": "1"}}, "/match/assigneeId"),
    ({"targets": None}, "/targets"),
    ({"targets": {"critical": {}}}, "/targets/critical"),
    ({"targets": {"high": {"resolutionSeconds": 0}}}, "/targets/high/resolutionSeconds"),
    ({"targets": {"high": {"resolutionSeconds": 366 * 86_400 + 1}}}, "/targets/high/resolutionSeconds"),
    ({"targets": {"high": {"resolutionSeconds": 10**400}}}, "/targets/high/resolutionSeconds"),
    ({"targets": {"high": {"resolution": 5}}}, "/targets/high/resolution"),
    ({"pauseOn": {"resolution": ["asleep"]}}, "/pauseOn/resolution/0"),
    ({"pauseOn": {"resolution": ["pending", "pending"]}}, "/pauseOn/resolution/1"),
    ({"warnAtFractions": [0.5, 0.75, 0.5]}, "/warnAtFractions/2"),
    ({"warnAtFractions": [1]}, "/warnAtFractions/0"),
    ({"warnAtFractions": [0]}, "/warnAtFractions/0"),
    ({"warnAtFractions": [0.75, 0.7500001]}, "/warnAtFractions/1"),
    ({"warnAtFractions": [n / 20 for n in range(1, 12)]}, "/warnAtFractions"),
    ({"onReopen": "never"}, "/onReopen"),
    ({"position": -1}, "/position"),
    ({"position": 10**20}, "/position"),
    ({"surveyAfterSeconds": 10**15}, "/surveyAfterSeconds"),
    ({"name": LONG}, "/name"),
]


@pytest.mark.parametrize(("changes", "pointer"), POLICIES, ids=[pointer for _, pointer in POLICIES])
async def test_an_invalid_policy_is_refused_at_its_place(changes: dict[str, Any], pointer: str, shop: Merchant) -> None:
    body = await policy(shop, **changes)
    assert refused(await shop.adam.post("/sla-policies", json=body), pointer)
    versions = f"/sla-policies/{await id_of(shop, '/sla-policies')}/versions"
    assert refused(await shop.adam.post(versions, json=body), pointer)


@pytest.mark.parametrize(("field", "path"), [("calendarId", "/calendars"), ("ladderId", "/escalation-ladders")])
async def test_a_policy_can_not_name_a_calendar_or_ladder_of_another_merchant(
    field: str, path: str, shop: Merchant, globex: Merchant
) -> None:
    theirs = await policy(shop, **{field: await id_of(globex, path)})
    unknown = await policy(shop, **{field: "9"})
    responses = [await shop.adam.post("/sla-policies", json=body) for body in (theirs, unknown)]
    assert all(refused(response, f"/{field}", f"unknown_{path[1:-1].removeprefix('escalation-')}") for response in responses)
    assert responses[0].json()["errors"] == responses[1].json()["errors"]


@pytest.mark.parametrize(
    ("field", "path"), [("calendarId", "/escalation-ladders"), ("ladderId", "/calendars"), ("calendarId", "/sla-policies")]
)
async def test_a_policy_can_not_name_a_definition_of_another_kind(field: str, path: str, shop: Merchant) -> None:
    assert refused(await shop.adam.post("/sla-policies", json=await policy(shop, **{field: await id_of(shop, path)})), f"/{field}")


HARDLY_EVER = calendar(weekly={"mon": [["03:00", "03:01"]]})


async def test_a_target_that_its_calendar_does_not_reach_is_refused(shop: Merchant) -> None:
    made = await published(shop, "/calendars", HARDLY_EVER)
    targets = {"low": {"firstResponseSeconds": 60}, "high": {"firstResponseSeconds": 60, "resolutionSeconds": 110 * 60}}
    body = await policy(shop, calendarId=made["id"], targets=targets)
    for path in ("/sla-policies", f"/sla-policies/{await id_of(shop, '/sla-policies')}/versions"):
        assert refused(await shop.adam.post(path, json=body), "/targets/high/resolutionSeconds", "target_out_of_reach")
    assert (await shop.adam.post("/sla-policies", json=body | {"targets": {"high": {"resolutionSeconds": 100 * 60}}})).status_code == 201


async def test_a_calendar_that_does_not_reach_the_targets_under_it_is_refused(shop: Merchant) -> None:
    made = await published(shop, "/calendars", calendar())
    strict = await published(
        shop, "/sla-policies", await policy(shop, calendarId=made["id"], targets={"low": {"resolutionSeconds": 36_000}})
    )
    versions = f"/calendars/{made['id']}/versions"
    assert refused(await shop.adam.post(versions, json=HARDLY_EVER), "/weekly", "target_out_of_reach")
    less = await policy(shop, calendarId=made["id"], targets={"low": {"resolutionSeconds": 60}})
    await published(shop, f"/sla-policies/{strict['id']}/versions", less)
    assert (await shop.adam.post(versions, json=HARDLY_EVER)).status_code == 201


def _rungs(*rungs: dict[str, Any]) -> dict[str, Any]:
    return ladder(rungs=[{"level": level} | rung for level, rung in enumerate(rungs, 1)])


LADDERS: list[tuple[dict[str, Any], str]] = [
    ({"name": "none"}, "/rungs"),
    (_rungs({"atFraction": 0.5}, {"atFraction": 0.4}), "/rungs/1"),
    (_rungs({"atFraction": 0.5}, {"atFraction": 0.5}), "/rungs/1"),
    (_rungs({"offsetSeconds": 60}, {"offsetSeconds": 0}), "/rungs/1"),
    (_rungs({"offsetSeconds": 60}, {"atFraction": 0.5}), "/rungs/1"),
    (_rungs({"atFraction": 1.25}, {"offsetSeconds": 0}), "/rungs/1"),
    (_rungs({"offsetSeconds": 60}, {"atFraction": 1.5}, {"atFraction": 1}), "/rungs/2"),
    (_rungs({"level": 2, "atFraction": 0.5}, {"level": 1, "atFraction": 0.75}), "/rungs/0"),
    (_rungs({"atFraction": 0.5}, {"level": 1, "atFraction": 0.75}), "/rungs/1/level"),
    (_rungs({"atFraction": 0.5, "offsetSeconds": 1}), "/rungs/0"),
    (_rungs({}), "/rungs/0"),
    (_rungs({"atFraction": 0}), "/rungs/0/atFraction"),
    (_rungs({"atFraction": 10}), "/rungs/0/atFraction"),
    (_rungs({"offsetSeconds": 10**400}), "/rungs/0/offsetSeconds"),
    (_rungs({"level": 4, "atFraction": 1}), "/rungs/0/level"),
    (_rungs({"atFraction": 1, "notify": ["everybody"]}), "/rungs/0/notify/0"),
    (_rungs({"atFraction": 1, "notify": ["lead", "team", "lead"]}), "/rungs/0/notify/2"),
    (_rungs({"atFraction": 1, "reassign": "team"}), "/rungs/0/reassign"),
    (_rungs({"atFraction": 1, "metric": "joy"}), "/rungs/0/metric"),
    (ladder(rungs=[{"level": 1, "atFraction": 1}] * 10), "/rungs"),
    (ladder(name=LONG), "/name"),
]


@pytest.mark.parametrize(("body", "pointer"), LADDERS, ids=[pointer for _, pointer in LADDERS])
async def test_an_invalid_ladder_is_refused_at_its_place(body: dict[str, Any], pointer: str, shop: Merchant) -> None:
    assert refused(await shop.adam.post("/escalation-ladders", json=body), pointer)


@pytest.mark.parametrize(
    "rungs",
    [
        ({"atFraction": 0.5}, {"atFraction": 0.5001}),
        ({"atFraction": 0.5}, {"atFraction": 0.5, "metric": "first_response"}),
        ({"atFraction": 0.99}, {"offsetSeconds": -60}),
        ({"offsetSeconds": -60}, {"atFraction": 0.5}),
        ({"offsetSeconds": -1}, {"atFraction": 1}, {"offsetSeconds": 1}),
        ({"level": 3, "atFraction": 2}, {"level": 1, "atFraction": 1}),
    ],
)
async def test_rungs_whose_order_depends_on_the_target_are_accepted(rungs: tuple[dict[str, Any], ...], shop: Merchant) -> None:
    assert (await shop.adam.post("/escalation-ladders", json=_rungs(*rungs))).status_code == 201


async def test_all_errors_are_reported_at_once(shop: Merchant) -> None:
    body = _week(mon=[["09:00", "12:00"], ["11:00", "13:00"]], tue=[["09:00", "12:00"], ["11:00", "13:00"]]) | {"timeZone": "x"}
    errors = (await shop.adam.post("/calendars", json=body)).json()["errors"]
    assert [(e["pointer"], e["code"]) for e in errors] == [
        ("/timeZone", "value_error"),
        ("/weekly/mon/1", "overlapping_interval"),
        ("/weekly/tue/1", "overlapping_interval"),
    ]


HOSTILE = [b"", b"[]", b"null", b"1", b'"x"', b"{}", b'{"name":"a\\u0000b"}', b'{"name":"\\ud83d"}', b"[" * 10_000, b'{"name":1,"name":2}']


@pytest.mark.parametrize("content", HOSTILE, ids=[content[:20].decode() for content in HOSTILE])
@pytest.mark.parametrize("path", [*PATHS, "/calendars/9/versions", "/calendars/preview", "/sla-policies/preview"])
async def test_a_body_that_is_no_definition_is_refused(path: str, content: bytes, shop: Merchant) -> None:
    response = await shop.adam.post(path, content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert response.json()["code"] == "invalid_request"


JUNK: list[Any] = [None, True, -1, 10**400, 1e308, "", "\u202e", "x" * 10_000, [], [[]], {}, {"a": {"b": 1}}, ["x"] * 600, "{{7*7}}"]


@pytest.mark.parametrize("junk", JUNK, ids=[f"{json.dumps(junk)[:20]}" for junk in JUNK])
@pytest.mark.parametrize("path", PATHS)
async def test_junk_in_any_field_is_accepted_or_refused(path: str, junk: Any, shop: Merchant) -> None:
    body = await definition(shop, path)
    for name in [*body, "holidays", "holidayCountry", "holidaySubdivision", "match", "pauseOn", "warnAtFractions", "surveyAfterSeconds"]:
        response = await shop.adam.post(path, json=body | {name: junk})
        assert response.status_code in (201, 409, 422), (name, response.text)


@pytest.mark.parametrize("path", PATHS)
async def test_a_caller_who_may_not_publish_learns_nothing_of_their_mistakes(path: str, shop: Merchant) -> None:
    for client in (shop.rita, shop.ana, shop.lars):
        responses = [await client.post(path, json={"name": 7}), await client.post(f"{path}/9/versions", json={"name": 7})]
        assert [response.status_code for response in responses] == [403, 403]
