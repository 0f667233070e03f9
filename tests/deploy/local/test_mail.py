from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest

from deploy.local.mail import MailCatcher, received
from deploy.local.temporal import free_port


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    port = free_port()
    catcher = MailCatcher(tmp_path / "mail", port)
    catcher.start()
    yield port
    catcher.stop()


def mail(subject: str, **headers: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Desk <desk@demo.local>", "ana@acme.example", subject
    message["Message-ID"] = f"<{len(subject)}@demo.local>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content("Guten Tag, Zoë")
    message.add_alternative("<p>Guten Tag, Zoë</p>", subtype="html")
    return message


async def test_what_was_sent_is_shown_newest_first_in_the_contracts_words(tmp_path: Path, port: int) -> None:
    await aiosmtplib.send(mail("first"), hostname="127.0.0.1", port=port)
    await aiosmtplib.send(mail("Größe", In_Reply_To="<5@demo.local>"), hostname="127.0.0.1", port=port)
    newest, oldest = received(tmp_path / "mail")
    assert (newest.subject, oldest.subject) == ("Größe", "first")
    assert newest.text.strip() == "Guten Tag, Zoë"
    shown = newest.model_dump(mode="json", by_alias=True)
    assert set(shown) == {"id", "from", "to", "subject", "messageId", "inReplyTo", "text", "html", "receivedAt"}
    assert (shown["inReplyTo"], oldest.in_reply_to) == ("<5@demo.local>", None)
    assert shown["from"] == "Desk <desk@demo.local>"
    assert "<p>Guten Tag" in shown["html"]


async def test_the_recipients_are_those_of_the_envelope(tmp_path: Path, port: int) -> None:
    await aiosmtplib.send(mail("hidden"), hostname="127.0.0.1", port=port, recipients=["leo@acme.example", "greta@globex.example"])
    assert received(tmp_path / "mail")[0].to == ("leo@acme.example", "greta@globex.example")


async def test_a_burst_loses_nothing_and_leaves_no_half_files(tmp_path: Path, port: int) -> None:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port) as smtp:
        for number in range(30):
            await smtp.send_message(mail(f"number {number:02}"))
    assert [mail.subject for mail in received(tmp_path / "mail")] == [f"number {n:02}" for n in reversed(range(30))]
    assert not list((tmp_path / "mail").glob(".*"))


def test_before_the_first_mail_there_is_none(tmp_path: Path) -> None:
    assert received(tmp_path / "nothing") == []
