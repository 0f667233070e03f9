"""Whatever a person typed, an e-mail has exactly the headers that we wrote."""

import re
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import Message

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from activities.email.compose import compose, require_head
from activities.email.render import MAX_NAME, MAX_SUBJECT, Rendered, line, render
from activities.email.smtp import PermanentFailure
from models.notifications.kinds import NotificationKind
from tests.notifications.emails import EVIL, KINDS, composed, context, part

WRITTEN = ["From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted", "X-Auto-Response-Suppress"]
ENCODED_BCC = "=?utf-8?q?hi=0d=0aBcc=3A_evil=40x.example?="
ENCODED_BODY = "=?utf-8?q?hi=0d=0a=0d=0aAnother_body?="
ENCODED_SURROGATE = "=?unicode_escape?q?=5Cud800?="
FRAGMENTS = [
    "=?",
    "?=",
    "=?utf-8?q?",
    "=?utf-8?b?",
    "=0d=0a",
    "\r\n",
    "\r",
    "\n ",
    "Bcc: evil@x.example",
    "\ud800",
    "\x00",
    '"',
    "\\",
    "<a@b>",
    ",",
    "ü",
    " ",
]
anything = st.text(st.characters(codec=None), max_size=300) | st.lists(st.sampled_from(FRAGMENTS), max_size=20).map("".join)


def on_the_wire(subject: str, name: str = "Ana", body: str = "") -> bytes:
    about = {"message_id": "<notification-7@helpdesk.test>", "thread_id": "<ticket-7@helpdesk.test>"}
    addresses = {"sender": "desk@helpdesk.test", "recipient_name": name, "recipient_address": "ana@acme.test"}
    return compose(Rendered(subject, body, body), **addresses, **about)


def read(raw: bytes) -> Message:
    """By a reader who decodes no header."""
    return message_from_bytes(raw, policy=policy.compat32)


@given(anything, anything, anything)
@example(ENCODED_BCC, ENCODED_BCC, ENCODED_BCC)
@example(ENCODED_BODY, ENCODED_BODY, ENCODED_BODY)
@example(ENCODED_SURROGATE, ENCODED_SURROGATE, ENCODED_SURROGATE)
def test_whatever_a_person_typed_an_email_has_our_headers_once_each(subject: str, name: str, body: str) -> None:
    raw = on_the_wire(subject, name, body)
    assert sorted(read(raw).keys()) == sorted([*WRITTEN, "MIME-Version", "Content-Type"])
    assert raw.isascii()
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", raw)
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert [each.get_content_type() for each in read(raw).walk()] == ["multipart/alternative", "text/plain", "text/html"]


@given(anything)
@example(ENCODED_BCC)
def test_a_subject_arrives_as_the_one_line_that_was_typed(subject: str) -> None:
    unfolded = str(read(on_the_wire(subject))["Subject"]).replace("\r\n", "")
    assert str(make_header(decode_header(unfolded))) == line(subject, MAX_SUBJECT)


@given(anything)
@example(ENCODED_BCC)
def test_a_name_arrives_as_the_one_line_that_was_typed(name: str) -> None:
    phrase = str(read(on_the_wire("Till", name))["To"]).replace("\r\n", "").removesuffix("<ana@acme.test>").removesuffix(" ")
    assert "=?" not in phrase or phrase.startswith("=?utf-8?b?"), "a reader might take it for an encoded word"
    typed = re.sub(r"\\(.)", r"\1", phrase[1:-1]) if phrase.startswith('"') else str(make_header(decode_header(phrase)))
    assert typed == line(name, MAX_NAME) or phrase == "ana@acme.test"


@pytest.mark.parametrize(
    "head",
    [
        b"Subject: a\r\nBcc: b\r\n",
        b"Subject: a\r\nSubject: b\r\n",
        b"From: a\r\n",
        b"Subject: a\nBcc: b\r\n",
        b"Subject: a\rBcc: b\r\n",
        b"Subject: a\r\n\r\nBody\r\n",
        b"Subject: a\r\n \r\n",
        b"Subject a\r\n",
        b"",
    ],
)
def test_a_head_that_is_not_what_was_meant_is_permanent(head: bytes) -> None:
    with pytest.raises(PermanentFailure, match="head"):
        require_head(head + b"To: a\r\n\r\n", ["Subject", "To"])


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


def test_a_very_long_subject_is_shortened() -> None:
    ticket = context()["ticket"] | {"subject": "ü" * 5_000}
    rendered = render("ticket_received", context(ticket=ticket))
    assert len(rendered.subject) == MAX_SUBJECT
    assert str(composed(rendered)["Subject"]) == rendered.subject


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
    with pytest.raises(PermanentFailure, match="message id"):
        composed(render("ticket_received", context()), message_id=bad)


@pytest.mark.parametrize("address", ["ana", "ana@acme.test\r\nBcc: x@y", "a@b, c@d", ""])
def test_an_impossible_address_is_permanent(address: str) -> None:
    with pytest.raises(PermanentFailure):
        composed(render("ticket_received", context()), recipient_address=address)


def test_names_and_domains_beyond_ascii_arrive() -> None:
    email = composed(render("ticket_received", context()), recipient_name='Jörg "J", Größe', recipient_address="ana@bücher.test")
    to = email["To"].addresses[0]
    assert (to.display_name, to.addr_spec) == ('Jörg "J", Größe', "ana@xn--bcher-kva.test")
