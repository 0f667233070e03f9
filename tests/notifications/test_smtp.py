import asyncio
import ssl
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from activities.email.address import on_the_wire
from activities.email.errors import AmbiguousFailure, DeliveryFailed, PermanentFailure, TransientFailure
from activities.email.smtp import Receipt, SmtpServer, converse
from models.platform.settings import MailSecurity
from tests.support.mail_server import (
    PASSWORD,
    Mailbox,
    Trick,
    drop,
    go_ahead_and_drop,
    go_ahead_and_read_nothing,
    go_ahead_and_refuse,
    say,
    self_made_certificate,
    serving,
    stall,
)

SENDER, ANA = "desk@helpdesk.test", "ana@acme.test"
SHORT = 0.3


def letter(text: str = "Hello\n.dot\nbye", to: str = ANA) -> EmailMessage:
    written = EmailMessage()
    written["From"], written["To"], written["Subject"] = SENDER, to, "[#7] Printer"
    written.set_content(text)
    return written


class Attempts:
    """Stands for the commit of an attempt: counts, and notes what had been said until then."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self.seen: list[str] = []

    async def __call__(self) -> None:
        self.seen.append(self._mailbox.commands[-1])


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with serving() as mailbox:
        yield mailbox


@pytest.fixture
def attempts(mailbox: Mailbox) -> Attempts:
    return Attempts(mailbox)


async def fail(server: SmtpServer, attempts: Attempts, text: str = "Hello", to: str = ANA) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as failed:
        async with asyncio.timeout(20):
            await converse(server, letter(text, to="ana@acme.test"), SENDER, to, before_data=attempts)
    assert "@" not in failed.value.text
    return failed.value


async def test_a_letter_arrives_whole_and_is_receipted(mailbox: Mailbox, attempts: Attempts) -> None:
    receipt = await converse(mailbox.address(), letter(), SENDER, ANA, before_data=attempts)
    assert receipt == Receipt(250, "OK queued as 4Xyz for <address>")
    assert (mailbox.letters[0].mail_from, mailbox.letters[0].rcpt_tos) == (SENDER, [ANA])
    content = mailbox.letters[0].content
    assert isinstance(content, bytes)
    assert content.endswith(b"Hello\r\n.dot\r\nbye\r\n")
    assert mailbox.commands == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]


async def test_the_attempt_is_committed_between_the_recipient_and_the_text(mailbox: Mailbox, attempts: Attempts) -> None:
    await converse(mailbox.address(), letter(), SENDER, ANA, before_data=attempts)
    assert attempts.seen == ["RCPT"]


async def test_an_attempt_that_cannot_be_committed_sends_nothing(mailbox: Mailbox) -> None:
    async def refuse() -> None:
        raise LookupError("the database is gone")

    with pytest.raises(LookupError):
        await converse(mailbox.address(), letter(), SENDER, ANA, before_data=refuse)
    assert "DATA" not in mailbox.commands


async def test_a_commit_that_hangs_is_bounded(mailbox: Mailbox) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    with pytest.raises(TransientFailure):
        await converse(mailbox.address(timeout=SHORT), letter(), SENDER, ANA, before_data=hang)
    assert "DATA" not in mailbox.commands


@pytest.mark.parametrize("step", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA", "DOT"])
@pytest.mark.parametrize("code", [421, 451])
async def test_a_4xx_is_transient_at_every_step(mailbox: Mailbox, attempts: Attempts, step: str, code: int) -> None:
    mailbox.tricks[step] = say(f"{code} 4.3.0 later, please, <ana@acme.test>")
    failed = await fail(mailbox.address(), attempts)
    assert (type(failed), failed.code) == (TransientFailure, code)


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ("GREETING", TransientFailure),
        ("EHLO", TransientFailure),
        ("MAIL", PermanentFailure),
        ("RCPT", PermanentFailure),
        ("DATA", PermanentFailure),
        ("DOT", PermanentFailure),
    ],
)
async def test_a_5xx_is_permanent_when_it_speaks_of_the_letter(
    mailbox: Mailbox, attempts: Attempts, step: str, kind: type[DeliveryFailed]
) -> None:
    mailbox.tricks[step] = say("550 5.1.1 nobody called ana here")
    failed = await fail(mailbox.address(), attempts)
    assert (type(failed), failed.code) == (kind, 550)
    assert "nobody called <address> here" in failed.text


@pytest.mark.parametrize("trick", [stall, drop], ids=["stall", "drop"])
@pytest.mark.parametrize("step", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_silence_before_the_text_is_transient(mailbox: Mailbox, attempts: Attempts, step: str, trick: Trick) -> None:
    mailbox.tricks[step] = trick
    failed = await fail(mailbox.address(timeout=SHORT), attempts)
    assert (type(failed), failed.code) == (TransientFailure, None)
    assert len(attempts.seen) == (1 if step == "DATA" else 0)


@pytest.mark.parametrize("trick", [stall, drop, say("what?"), say("354 more")], ids=["stall", "drop", "garbage", "3xx"])
async def test_silence_after_the_final_dot_is_ambiguous(mailbox: Mailbox, attempts: Attempts, trick: Trick) -> None:
    mailbox.tricks["DOT"] = trick
    failed = await fail(mailbox.address(timeout=SHORT), attempts)
    assert (type(failed), failed.code) == (AmbiguousFailure, None)
    assert len(mailbox.letters) == 1


async def test_a_text_that_the_server_does_not_read_is_transient(mailbox: Mailbox, attempts: Attempts) -> None:
    mailbox.tricks["DATA"] = go_ahead_and_read_nothing
    beyond_every_buffer = ("x" * 900 + "\n") * 20_000
    assert type(await fail(mailbox.address(timeout=SHORT), attempts, beyond_every_buffer)) is TransientFailure
    assert mailbox.letters == []


async def test_a_loss_while_the_text_is_sent_is_transient(mailbox: Mailbox, attempts: Attempts) -> None:
    mailbox.tricks["DATA"] = go_ahead_and_drop
    beyond_every_buffer = ("x" * 900 + "\n") * 20_000
    assert type(await fail(mailbox.address(), attempts, beyond_every_buffer)) is TransientFailure


async def test_a_loss_before_a_small_text_is_read_never_counts_as_sent(mailbox: Mailbox, attempts: Attempts) -> None:
    """A small text is on its way at once, dot and all; if the loss shows only then, that nobody knows is the truth on this side."""
    mailbox.tricks["DATA"] = go_ahead_and_drop
    assert type(await fail(mailbox.address(), attempts)) in {TransientFailure, AmbiguousFailure}
    assert mailbox.letters == []


async def test_a_refusal_in_the_middle_of_the_text_is_heard(mailbox: Mailbox, attempts: Attempts) -> None:
    mailbox.tricks["DATA"] = go_ahead_and_refuse
    failed = await fail(mailbox.address(), attempts, ("x" * 900 + "\n") * 20_000)
    assert (type(failed), failed.code) == (PermanentFailure, 552)


async def test_a_server_that_is_not_there_is_transient(mailbox: Mailbox, attempts: Attempts) -> None:
    await mailbox.stop()
    assert type(await fail(mailbox.address(), attempts)) is TransientFailure


async def test_a_receipt_outlives_a_server_that_stalls_at_the_farewell(mailbox: Mailbox, attempts: Attempts) -> None:
    mailbox.tricks["QUIT"] = stall
    assert (await converse(mailbox.address(timeout=SHORT), letter(), SENDER, ANA, before_data=attempts)).code == 250


@pytest.mark.parametrize("response", ["hello there", "999 what", "250-" + "x" * 9000, "220"])
async def test_an_answer_that_is_none_is_transient_before_the_dot(mailbox: Mailbox, attempts: Attempts, response: str) -> None:
    mailbox.tricks["MAIL"] = say(response)
    assert type(await fail(mailbox.address(timeout=SHORT), attempts)) is TransientFailure


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
async def test_a_server_that_wants_a_login_first_is_transient() -> None:
    async with serving(auth_required=True, auth_require_tls=False) as mailbox:
        failed = await fail(mailbox.address(), Attempts(mailbox))
        assert (type(failed), failed.code) == (TransientFailure, 530)


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize(("password", "arrives"), [(PASSWORD, True), ("wrong", False)])
async def test_a_login_opens_the_door_or_is_worth_another_try(password: str, arrives: bool) -> None:  # noqa: FBT001
    async with serving(auth_required=True, auth_require_tls=False) as mailbox:
        server = mailbox.address(username="desk", password=password)
        if arrives:
            assert (await converse(server, letter(), SENDER, ANA, before_data=Attempts(mailbox))).code == 250
        else:
            failed = await fail(server, Attempts(mailbox))
            assert (type(failed), failed.code) == (TransientFailure, 535)
        assert password not in repr(server)


async def test_starttls_with_a_trusted_certificate_carries_the_letter(tmp_path: Path) -> None:
    shown, trust = self_made_certificate(tmp_path)
    async with serving(tls_context=shown, require_starttls=True) as mailbox:
        server = mailbox.address(MailSecurity.STARTTLS, tls=trust)
        assert (await converse(server, letter(), SENDER, ANA, before_data=Attempts(mailbox))).code == 250


async def test_tls_from_the_first_byte_carries_the_letter(tmp_path: Path) -> None:
    shown, trust = self_made_certificate(tmp_path)
    async with serving(shown) as mailbox:
        server = mailbox.address(MailSecurity.TLS, tls=trust)
        assert (await converse(server, letter(), SENDER, ANA, before_data=Attempts(mailbox))).code == 250


@pytest.mark.parametrize("security", [MailSecurity.STARTTLS, MailSecurity.TLS])
async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path, security: MailSecurity) -> None:
    shown, _ = self_made_certificate(tmp_path)
    async with serving(shown if security is MailSecurity.TLS else None, tls_context=shown) as mailbox:
        failed = await fail(mailbox.address(security, tls=ssl.create_default_context()), Attempts(mailbox))
        assert type(failed) is TransientFailure
        assert "certificate is not trusted" in failed.text


async def test_nothing_is_sent_in_the_clear_when_starttls_is_not_offered(mailbox: Mailbox, attempts: Attempts) -> None:
    assert type(await fail(mailbox.address(MailSecurity.STARTTLS), attempts)) is TransientFailure
    assert "MAIL" not in mailbox.commands


@pytest.mark.parametrize("trick", [stall, drop, say("454 no"), say("501 no")], ids=["stall", "drop", "4xx", "5xx"])
async def test_a_starttls_that_fails_is_transient(tmp_path: Path, trick: Trick) -> None:
    shown, trust = self_made_certificate(tmp_path)
    async with serving(tricks={"STARTTLS": trick}, tls_context=shown) as mailbox:
        server = mailbox.address(MailSecurity.STARTTLS, tls=trust, timeout=SHORT)
        assert type(await fail(server, Attempts(mailbox))) is TransientFailure


async def test_a_local_part_beyond_ascii_needs_the_server_to_offer_it(mailbox: Mailbox, attempts: Attempts) -> None:
    failed = await fail(mailbox.address(), attempts, to="jörg@acme.test")
    assert type(failed) is PermanentFailure
    assert "SMTPUTF8" in failed.text


async def test_a_local_part_beyond_ascii_arrives_where_it_is_offered() -> None:
    async with serving(enable_SMTPUTF8=True) as mailbox:
        await converse(mailbox.address(), letter(), SENDER, "jörg@acme.test", before_data=Attempts(mailbox))
        assert mailbox.letters[0].rcpt_tos == ["jörg@acme.test"]


async def test_a_domain_beyond_ascii_needs_nothing(mailbox: Mailbox, attempts: Attempts) -> None:
    await converse(mailbox.address(), letter(), SENDER, "ana@bücher.test", before_data=attempts)
    assert mailbox.letters[0].rcpt_tos == ["ana@xn--bcher-kva.test"]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ana",
        "ana@",
        "@acme.test",
        "ana@acme.test\r\nRCPT TO:<leo@acme.test>",
        "a b@c.d",
        "a@b@c",
        "<a@b.c>",
        "a@" + "b" * 300,
        "a" * 251 + "@b.c",
        '"ana"@acme.test',
        '"a> SIZE=1"@acme.test',
        "ana@[127.0.0.1]",
        "ana@localhost",
        "ana\x00@acme.test",
        "ana@acme\u202e.test",
        "ana\ud800@acme.test",
    ],
    ids=lambda address: ascii(address)[:40],
)
async def test_what_is_no_address_is_permanent_and_opens_no_connection(mailbox: Mailbox, attempts: Attempts, address: str) -> None:
    assert type(await fail(mailbox.address(), attempts, to=address)) is PermanentFailure
    assert mailbox.commands == []


async def test_a_cancelled_conversation_leaves_at_once(mailbox: Mailbox, attempts: Attempts) -> None:
    mailbox.tricks["DOT"] = stall
    talking = asyncio.create_task(converse(mailbox.address(), letter(), SENDER, ANA, before_data=attempts))
    async with asyncio.timeout(5):
        while not mailbox.letters:  # noqa: ASYNC110 - the server's side has no event for it
            await asyncio.sleep(0.001)
    talking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await talking


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("ana@acme.test", "ana@acme.test"),
        ("helpdesk@demo.local", "helpdesk@demo.local"),
        ("rita@customer.example", "rita@customer.example"),
        ("ana@mailhost", "ana@mailhost"),
        ("o'brien+desk@Acme.test", "o'brien+desk@acme.test"),
        ("jörg@bücher.test", "jörg@xn--bcher-kva.test"),
    ],
)
def test_a_domain_travels_in_ascii(address: str, form: str) -> None:
    assert on_the_wire(address) == form
