"""The survey's link: works once, for its survey, for a browser as for a program."""

import asyncio
import re
from datetime import timedelta
from typing import Any, NamedTuple

import httpx
import pytest
import sqlalchemy as sa

from models.platform.signed_links import sign
from models.portal.link import PortalLink, token_of
from models.surveys.tables import Survey
from tests.http.cut import cut
from tests.support.desk import BASE, SIGNING_KEYS, Desk, Merchant

HTML = {"Accept": "text/html,application/xhtml+xml"}


class Asked(NamedTuple):
    client: httpx.AsyncClient
    path: str
    survey_id: str
    ticket_id: str


@pytest.fixture
async def asked(desk: Desk, acme: Merchant) -> Asked:
    """A survey that was sent two seconds after its ticket was resolved; the client has no token."""
    ticket = await acme.opened_and_assigned()
    await acme.ana.post(f"/tickets/{ticket['id']}/resolve")
    survey_id = await _sent(desk, acme, ticket["id"])
    return Asked(desk.client_with(None), f"/surveys/{desk.survey_token(acme.id, survey_id)}", survey_id, ticket["id"])


async def _sent(desk: Desk, acme: Merchant, ticket_id: str) -> str:
    await desk.pass_time(ticket_id, timedelta(seconds=3))
    events = await desk.until(lambda: acme.get(ticket_id, "/events"), lambda page: page["data"][-1]["kind"] == "survey.sent")
    return str(events["data"][-1]["changes"]["surveyId"])


async def test_a_survey_is_answered_once(asked: Asked) -> None:
    before, response = await asked.client.get(asked.path), await asked.client.post(asked.path, json={"score": 4, "comment": "Good."})
    again, after = await asked.client.post(asked.path, json={"score": 1}), await asked.client.get(asked.path)
    assert (before.json()["state"], response.status_code, response.json()["state"]) == ("open", 200, "answered")
    assert (again.status_code, again.json()["code"]) == (409, "survey_answered")
    assert (after.json()["score"], after.json()["comment"]) == (4, "Good.")


async def test_half_an_answer_is_not_stored(asked: Asked, desk: Desk) -> None:
    await cut(desk, asked.client, f"{BASE}{asked.path}", [b'{"score": 1}'])
    assert (await asked.client.get(asked.path)).json()["state"] == "open"


async def test_an_answer_is_in_the_audit_without_its_comment(asked: Asked, acme: Merchant) -> None:
    await asked.client.post(asked.path, json={"score": 2, "comment": "zq7x"})
    last = (await acme.get(asked.ticket_id, "/events"))["data"][-1]
    assert (last["kind"], last["actor"]["kind"], last["changes"]) == (
        "survey.answered",
        "reporter",
        {"surveyId": asked.survey_id, "score": 2},
    )


async def test_an_answer_has_a_score_from_1_to_5(asked: Asked) -> None:
    bodies: list[Any] = [{}, {"score": 0}, {"score": 6}, {"score": "x"}, {"score": 1, "by": "x"}, {"score": 1, "comment": "x" * 4001}, []]
    for body in bodies:
        response = await asked.client.post(asked.path, json=body)
        assert (response.status_code, response.json()["code"]) == (422, "invalid_request"), body
    assert (await asked.client.get(asked.path)).json()["state"] == "open"


async def test_a_browser_gets_a_page_and_posts_its_form(asked: Asked) -> None:
    page = await asked.client.get(asked.path, headers=HTML)
    response = await asked.client.post(asked.path, data={"score": "5", "comment": ""}, headers=HTML)
    assert (page.headers["Content-Type"], "<form method=" in page.text) == ("text/html; charset=utf-8", True)
    assert (response.status_code, "Thank you" in response.text, "<form" in response.text) == (200, True, False)
    assert (await asked.client.get(asked.path)).json()["score"] == 5


async def test_a_double_click_is_thanked_and_another_answer_is_refused(asked: Asked) -> None:
    async def click(score: str) -> tuple[int, bool]:
        response = await asked.client.post(asked.path, data={"score": score, "comment": "Good."}, headers=HTML)
        return response.status_code, "Thank you" in response.text

    assert await asyncio.gather(*(click("4") for _ in range(4))) == [(200, True)] * 4
    assert await click("4") == (200, True)
    assert await click("5") == (409, False)
    assert (await asked.client.get(asked.path)).json()["score"] == 4


async def test_a_line_break_of_a_browser_is_one_character(asked: Asked) -> None:
    response = await asked.client.post(asked.path, data={"score": "4", "comment": "x\r\n" * 2000}, headers=HTML)
    assert response.status_code == 200
    assert (await asked.client.get(asked.path)).json()["comment"] == "x\n" * 2000


async def test_the_page_runs_no_script_and_is_not_kept(asked: Asked) -> None:
    headers = (await asked.client.get(asked.path, headers=HTML)).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")


async def test_what_people_wrote_is_no_markup_on_the_page(desk: Desk) -> None:
    merchant = await desk.merchant()
    named = await merchant.adam.patch(f"/merchants/{merchant.id}", json={"name": "<script>alert(1)</script>"}, headers={"If-Match": "*"})
    assert named.is_success, named.text
    asked = await _asked_of(desk, merchant)
    page = await desk.client_with(None).get(f"/surveys/{desk.survey_token(merchant.id, asked)}", headers=HTML)
    assert "<script" not in page.text.lower()
    assert "&lt;script" in page.text.lower()


async def _asked_of(desk: Desk, merchant: Merchant) -> str:
    ticket = await merchant.opened_and_assigned()
    await merchant.ana.post(f"/tickets/{ticket['id']}/resolve")
    return await _sent(desk, merchant, ticket["id"])


@pytest.mark.parametrize("token", ["x", "1", "%00", "e30", "W10.AAAA", "x" * 501, "WzEsMV0.AAAAAAAAAAAAAAAAAAAAAAAAAAA"])
async def test_a_guessed_link_leads_nowhere(token: str, desk: Desk) -> None:
    client = desk.client_with(None)
    for response in (await client.get(f"/surveys/{token}"), await client.post(f"/surveys/{token}", json={"score": 1})):
        assert response.status_code in {404, 422}
        assert response.headers["Content-Type"] == "application/problem+json"


async def test_a_link_is_of_one_merchant_and_one_purpose(desk: Desk, asked: Asked, acme: Merchant, globex: Merchant) -> None:
    of_another = sign(SIGNING_KEYS, "survey", [globex.id, int(asked.survey_id)])
    of_another_purpose = sign(SIGNING_KEYS, "cursor/x", [acme.id, int(asked.survey_id)])
    with_another_key = sign(("another key, longer than 32 characters",), "survey", [acme.id, int(asked.survey_id)])
    for token in (of_another, of_another_purpose, with_another_key):
        assert (await asked.client.get(f"/surveys/{token}")).status_code == 404
        assert (await asked.client.post(f"/surveys/{token}", json={"score": 1})).status_code == 404


async def test_a_changed_letter_breaks_the_link(asked: Asked) -> None:
    for place in (12, len(asked.path) - 12):
        other = "A" if asked.path[place] != "A" else "B"
        assert (await asked.client.get(asked.path[:place] + other + asked.path[place + 1 :])).status_code == 404


async def test_reopening_withdraws_the_survey(asked: Asked, acme: Merchant) -> None:
    await acme.rita.post(f"/tickets/{asked.ticket_id}/reopen")
    response = await asked.client.post(asked.path, json={"score": 1})
    assert (response.status_code, response.json()["code"]) == (410, "survey_withdrawn")
    assert (await asked.client.get(asked.path)).json()["state"] == "over"
    assert "This survey is over" in (await asked.client.get(asked.path, headers=HTML)).text


async def test_after_its_time_a_survey_is_over(desk: Desk, asked: Asked) -> None:
    desk.clock.ahead += timedelta(days=31)
    response = await asked.client.post(asked.path, json={"score": 1})
    assert (response.status_code, response.json()["code"]) == (410, "survey_expired")


async def test_the_survey_of_a_deleted_ticket_is_gone(asked: Asked, acme: Merchant) -> None:
    await acme.lars.delete(f"/tickets/{asked.ticket_id}")
    assert (await asked.client.get(asked.path)).status_code == 404
    assert (await asked.client.post(asked.path, json={"score": 1})).status_code == 404


HOSTILE = (b'{"score":1,"comment":"\\u0000"}', b"score=1&comment=%00", b"\xff", b"", b"[[" * 9999, b"score=1&comment=%ED%A0%80")


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
async def test_hostile_answers_are_refused_or_made_harmless(kind: str, asked: Asked) -> None:
    for content in HOSTILE:
        response = await asked.client.post(asked.path, content=content, headers={"Content-Type": kind})
        assert response.status_code in {200, 422}, (content, response.text)


async def test_the_email_carries_the_link(desk: Desk, asked: Asked, acme: Merchant) -> None:
    await desk.until(lambda: acme.get(asked.ticket_id, "/notifications"), _is_survey_sent)
    assert len([email for email in desk.emails() if asked.path in email.text]) == 1


def _is_survey_sent(page: dict[str, Any]) -> bool:
    return [email["status"] for email in page["data"] if email["kind"] == "survey"] == ["sent"]


async def test_a_second_resolution_asks_again(desk: Desk, asked: Asked, acme: Merchant) -> None:
    await acme.rita.post(f"/tickets/{asked.ticket_id}/reopen")
    await acme.ana.post(f"/tickets/{asked.ticket_id}/resolve")
    await _sent(desk, acme, asked.ticket_id)
    async with desk.database.reading(acme.id) as session:
        surveys = (await session.execute(sa.select(Survey).order_by(Survey.cycle))).scalars().all()  # type: ignore[arg-type]
    assert [(survey.cycle, survey.cancelled_at is None) for survey in surveys] == [(1, False), (2, True)]


async def test_the_same_key_gives_the_same_answer(asked: Asked) -> None:
    key = {"Idempotency-Key": "s-1"}
    first, second = [await asked.client.post(asked.path, json={"score": 4}, headers=key) for _ in range(2)]
    assert (second.status_code, second.content, second.headers["Idempotent-Replayed"]) == (200, first.content, "true")
    assert ("Idempotent-Replayed" in first.headers, second.headers["Cache-Control"]) == (False, "no-store")
    assert (await asked.client.post(asked.path, json={"score": 4})).status_code == 409


async def test_the_same_key_is_not_good_for_another_answer(asked: Asked) -> None:
    key = {"Idempotency-Key": "s-2"}
    answers = [await asked.client.post(asked.path, json={"score": score}, headers=key) for score in (4, 5)]
    assert [response.status_code for response in answers] == [200, 422]
    assert answers[1].json()["code"] == "idempotency_key_reused"


async def test_a_browser_that_repeats_itself_gets_its_page_again(asked: Asked) -> None:
    headers = HTML | {"Idempotency-Key": "s-3"}
    first, second = [await asked.client.post(asked.path, data={"score": "5"}, headers=headers) for _ in range(2)]
    assert (second.text, second.headers["Content-Security-Policy"]) == (first.text, first.headers["Content-Security-Policy"])


async def test_a_refused_answer_is_not_kept(asked: Asked, acme: Merchant) -> None:
    key = {"Idempotency-Key": "s-4"}
    assert (await asked.client.post(asked.path, json={"score": 9}, headers=key)).status_code == 422
    assert (await asked.client.post(asked.path, json={"score": 3}, headers=key)).status_code == 200
    assert (await asked.client.post(asked.path, json={"score": 3}, headers={"Idempotency-Key": ""})).status_code == 400


async def test_at_once_with_the_same_key_it_is_answered_once(asked: Asked, acme: Merchant) -> None:
    posts = (asked.client.post(asked.path, json={"score": 4}, headers={"Idempotency-Key": "s-5"}) for _ in range(10))
    answers = await asyncio.gather(*posts)
    assert {response.json().get("code", response.json().get("score")) for response in answers} <= {4, "idempotency_in_progress"}
    kinds = [event["kind"] for event in (await acme.get(asked.ticket_id, "/events"))["data"]]
    assert kinds.count("survey.answered") == 1


async def test_in_json_a_score_is_a_number_and_nothing_that_passes_for_one(asked: Asked) -> None:
    for score in (True, "4", 4.0, [4], None):
        response = await asked.client.post(asked.path, json={"score": score})
        assert (response.status_code, response.json()["code"]) == (422, "invalid_request"), score
    assert (await asked.client.get(asked.path)).json()["state"] == "open"


async def test_a_token_is_good_in_one_spelling(asked: Asked) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spellings = {asked.path[:-1] + letter for letter in alphabet} | {
        f"{asked.path}{end}" for end in ("=", "==", "%0A", "%20", ".", "A", "é")
    }
    assert [each for each in spellings if (await asked.client.get(each)).status_code == 200] == [asked.path]


async def test_refusals_are_a_page_for_a_browser_and_a_problem_for_a_program(asked: Asked) -> None:
    await asked.client.post(asked.path, json={"score": 4})
    for path, status, words in (
        (asked.path, 409, "has been answered"),
        ("/surveys/x", 404, "The newest e-mail"),
        (f"/surveys/{'x' * 501}", 404, ""),
    ):
        page = await asked.client.post(path, data={"score": "5"}, headers=HTML)
        assert (page.status_code, page.headers["Content-Type"], words in page.text) == (status, "text/html; charset=utf-8", True)
        assert (page.headers["Cache-Control"], page.headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
        program = await asked.client.post(path, json={"score": 5})
        assert program.headers["Content-Type"] == "application/problem+json"


async def test_a_browser_is_told_on_a_page_that_a_survey_is_over(desk: Desk, asked: Asked) -> None:
    desk.clock.ahead += timedelta(days=31)
    response = await asked.client.post(asked.path, data={"score": "5"}, headers=HTML)
    assert (response.status_code, response.headers["Content-Type"]) == (410, "text/html; charset=utf-8")
    assert ("has expired" in response.text, "<form" in response.text) == (True, False)


async def test_five_buttons_are_one_click_each(asked: Asked) -> None:
    page = (await asked.client.get(asked.path, headers=HTML)).text
    assert [f'name="score" value="{score}"' in page for score in range(1, 6)] == [True] * 5
    assert (await asked.client.get(asked.path)).json()["state"] == "open"  # to look at it is no answer


async def test_a_resolved_ticket_is_rated_on_its_page_as_well(desk: Desk, asked: Asked, acme: Merchant) -> None:
    link = PortalLink(acme.id, int(asked.ticket_id), 0, desk.clock.now() + timedelta(days=30))
    client = desk.client_with(None, base="")
    page = await client.get(f"/portal/tickets/{token_of(SIGNING_KEYS, link)}")
    (action,) = re.findall(r'action="(\S+/surveys/\S+)"', page.text)
    response = await client.post(action, data={"score": "5"}, headers=HTML)
    assert (action, "Thank you" in response.text) == (f"{BASE}{asked.path}", True)
    assert "/surveys/" not in (await client.get(page.url.path)).text
