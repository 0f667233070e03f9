import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from jinja2 import UndefinedError

from activities.email.render import MAX_QUOTE, MAX_SUBJECT, SHORTENED, Rendered, compose, render
from activities.email.smtp import PermanentFailure
from models.notifications.kinds import NotificationKind

KINDS = list(NotificationKind)
SECRET = "the customer is always wrong"
EVIL = "<script>alert(1)</script>{{7*7}}{% raw %}\r\nBcc: leo@acme.test\r\n\r\n.\r\n\u202eevil\x00\ud800"


def context(**changes: Any) -> dict[str, Any]:
    whole = {
        "ticket": {"number": 7, "subject": "The printer is on fire", "status": "on_hold", "priority": "high", "category": "hardware"},
        "recipient": {"name": "Ana"},
        "actor_name": "Leo",
        "link": "https://desk.test/tickets/7?from=mail&x=1",
        "message": "First line\nsecond line\n\nlast line",
        "level": 2,
        "metric": "first_response",
        "due_at": "2026-11-24T10:15:00Z",
        "from_agent_name": "Ana",
        "to_agent_name": "Greta",
        "reason": "Deadline",
        "survey_url": "https://desk.test/surveys/abc",
        "merchant_name": "Acme",
    }
    return whole | changes


def composed(rendered: Rendered, **changes: Any) -> EmailMessage:
    """Compose an e-mail, send it through bytes and read it again, as the recipient's program does."""
    whole = {
        "sender": "desk@helpdesk.test",
        "recipient_name": "Ana",
        "recipient_address": "ana@acme.test",
        "message_id": "<notification-7431234567890123456@helpdesk.test>",
        "thread_id": "<ticket-7431234567890123457@helpdesk.test>",
    }
    raw = compose(rendered, **(whole | changes)).as_bytes(policy=policy.SMTP)
    assert raw.isascii()
    read = message_from_bytes(raw, policy=policy.SMTP)
    assert isinstance(read, EmailMessage)
    return read


def part(email: EmailMessage, kind: str) -> str:
    found = email.get_body((kind,))
    assert found is not None
    return str(found.get_content())


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_an_email(kind: NotificationKind) -> None:
    rendered = render(kind, context())
    assert rendered.subject.startswith("[#7] ")
    assert "The printer is on fire" in rendered.subject
    for body in (rendered.text, rendered.html):
        assert "Hello Ana," in body
        assert "Acme · #7" in body
        assert "https://desk.test/" in body
        assert "None" not in body
    assert "\n\n\n" not in rendered.text


@pytest.mark.parametrize("kind", KINDS)
def test_an_email_does_without_what_may_be_missing(kind: NotificationKind) -> None:
    absent = {"reason": None, "from_agent_name": None, "to_agent_name": None}
    nameless = context(recipient={"name": ""}, **absent)
    assert "Hello,\n" in render(kind, nameless).text
    assert "None" not in render(kind, nameless).text
    assert "\n\n\n" not in render(kind, nameless).text


def test_a_reply_reads_like_an_email() -> None:
    assert render("reply_to_reporter", context()).text == (
        "Hello Ana,\n\nLeo has answered your request:\n\n> First line\n> second line\n> \n> last line\n\n"
        "See the whole conversation: https://desk.test/tickets/7?from=mail&x=1\n\n-- \nAcme · #7"
    )


def test_an_escalation_names_both_agents_and_the_reason() -> None:
    text = render("escalated", context()).text
    assert "reached escalation level 2 on its first response target." in text
    assert "It has passed from Ana to Greta." in text
    assert "Due date of the target: 24 November 2026 at 10:15 UTC" in text
    assert "Reason: Deadline" in text


def test_an_escalation_tells_the_reporter_neither_agent_nor_reason() -> None:
    text = render("escalated", context(actor_name=None, from_agent_name=None, to_agent_name=None, reason=None)).text
    assert "reached escalation level 2 on its first response target." in text
    assert "Due date of the target: 24 November 2026 at 10:15 UTC" in text
    assert not any(word in text for word in ("Greta", "Leo", "Reason", "passed", "Priority"))


def test_the_text_of_an_internal_note_stays_inside() -> None:
    rendered = render("note_added", context(message=SECRET, reason=SECRET))
    assert SECRET not in rendered.subject + rendered.text + rendered.html


@pytest.mark.parametrize("kind", KINDS)
def test_what_people_typed_is_neither_html_nor_template_nor_header(kind: NotificationKind) -> None:
    ticket = {"number": 7, "subject": EVIL, "status": "open", "priority": "low", "category": EVIL}
    names = {"actor_name": EVIL, "from_agent_name": EVIL, "to_agent_name": EVIL, "reason": EVIL, "merchant_name": EVIL, "message": EVIL}
    rendered = render(kind, context(ticket=ticket, recipient={"name": EVIL}, **names))
    email = composed(rendered, recipient_name=EVIL)
    assert "<script" not in rendered.html
    assert "49" not in rendered.text
    assert "Bcc" not in email
    assert not re.search(r"[\r\n\x00\u202e]", str(email["Subject"]) + str(email["To"]))
    assert not re.search("[\x00\u202e\ud800]", part(email, "plain") + part(email, "html"))


def test_only_the_comment_has_lines_of_its_own() -> None:
    text = render("ticket_reopened", context(reason="a\n\nYour password has expired.\n\nb")).text
    assert "Reason: a Your password has expired. b" in text


def test_line_breaks_of_a_comment_show_in_html() -> None:
    assert "First line<br>\nsecond line<br>\n<br>\nlast line" in render("reply_to_agent", context()).html


def test_a_very_long_comment_is_shortened() -> None:
    rendered = render("reply_to_agent", context(message="x" * 1_000_000))
    assert SHORTENED in rendered.text
    assert len(rendered.text) < MAX_QUOTE + 1_000


def test_a_very_long_subject_is_shortened() -> None:
    ticket = context()["ticket"] | {"subject": "ü" * 5_000}
    rendered = render("ticket_received", context(ticket=ticket))
    assert len(rendered.subject) == MAX_SUBJECT
    assert str(composed(rendered)["Subject"]) == rendered.subject


@pytest.mark.parametrize("link", ["javascript:alert(1)", "", "https://desk.test/ x", 'https://desk.test/"onclick="x', "/tickets/7"])
def test_a_link_that_is_no_web_address_is_refused(link: str) -> None:
    with pytest.raises(ValueError, match="http"):
        render("ticket_received", context(link=link))


def test_a_context_that_lacks_something_is_refused() -> None:
    incomplete = context()
    del incomplete["actor_name"]
    with pytest.raises(UndefinedError):
        render("reply_to_agent", incomplete)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="layout"):
        render("layout", context())


def test_an_email_is_threaded_and_marked_as_generated() -> None:
    email = composed(render("ticket_received", context()))
    assert email["Message-ID"] == "<notification-7431234567890123456@helpdesk.test>"
    assert email["In-Reply-To"] == email["References"] == "<ticket-7431234567890123457@helpdesk.test>"
    assert (email["Auto-Submitted"], email["X-Auto-Response-Suppress"]) == ("auto-generated", "All")
    assert email["Date"].datetime is not None
    assert email.get_content_type() == "multipart/alternative"
    assert [each.get_content_type() for each in email.iter_parts()] == ["text/plain", "text/html"]


def test_an_email_that_opens_a_thread_refers_to_none() -> None:
    email = composed(render("ticket_received", context()), thread_id=None)
    assert "In-Reply-To" not in email
    assert "References" not in email


@pytest.mark.parametrize("left", [20, 60, 120, 200])
def test_long_ids_survive_the_folding_of_headers(left: int) -> None:
    long = f"<{'n' * left}@mail.helpdesk.example.test>"
    email = composed(render("ticket_received", context()), message_id=long, thread_id=long)
    assert [str(email[name]).strip() for name in ("Message-ID", "In-Reply-To", "References")] == [long] * 3


@pytest.mark.parametrize("bad", ["", "a@b", "<a@b>\r\nBcc: x@y", "<a b@c>", "<a>"])
def test_an_id_of_another_form_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="message id"):
        composed(render("ticket_received", context()), message_id=bad)


@pytest.mark.parametrize("address", ["ana", "ana@acme.test\r\nBcc: x@y", "a@b, c@d", ""])
def test_an_impossible_address_is_permanent(address: str) -> None:
    with pytest.raises(PermanentFailure):
        composed(render("ticket_received", context()), recipient_address=address)


def test_names_and_domains_beyond_ascii_arrive() -> None:
    email = composed(render("ticket_received", context()), recipient_name='Jörg "J", Größe', recipient_address="ana@bücher.test")
    to = email["To"].addresses[0]
    assert (to.display_name, to.addr_spec) == ('Jörg "J", Größe', "ana@xn--bcher-kva.test")
