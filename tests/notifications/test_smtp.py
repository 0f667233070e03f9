import asyncio
from collections.abc import AsyncIterator

import pytest

from activities.email.smtp import (
    AmbiguousFailure,
    DeliveryFailed,
    PermanentFailure,
    Receipt,
    TransientFailure,
    on_the_wire,
)
from tests.notifications.conversations import ANA, SENDER, SHORT, Attempts, converse, email, fail
from tests.support.mail_server import (
    Mailbox,
    Trick,
    drop,
    go_ahead_and_drop,
    go_ahead_and_refuse,
    go_ahead_and_stall,
    say,
    serving,
    stall,
)

BEYOND_EVERY_BUFFER = ("x" * 900 + "\n") * 20_000


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with serving() as mailbox:
        yield mailbox


@pytest.fixture
def attempts(mailbox: Mailbox) -> Attempts:
    return Attempts(mailbox)


async def test_an_email_arrives_whole_and_is_receipted(mailbox: Mailbox, attempts: Attempts) -> None:
    receipt = await converse(mailbox.address(), email(), SENDER, ANA, before_data=attempts)
    assert receipt == Receipt(250, "OK queued as 4Xyz for <address>")
    assert (mailbox.emails[0].mail_from, mailbox.emails[0].rcpt_tos) == (SENDER, [ANA])
    content = mailbox.emails[0].content
    assert isinstance(content, bytes)
    assert content.endswith(b"Hello\r\n.dot\r\nbye\r\n")
    assert mailbox.commands == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]


async def test_the_attempt_is_committed_between_the_recipient_and_the_text(mailbox: Mailbox, attempts: Attempts) -> None:
    await converse(mailbox.address(), email(), SENDER, ANA, before_data=attempts)
    assert attempts.seen == ["RCPT"]


async def test_an_attempt_that_cannot_be_committed_sends_nothing(mailbox: Mailbox) -> None:
    async def refuse() -> None:
        raise LookupError("the database is gone")

    with pytest.raises(LookupError):
        await converse(mailbox.address(), email(), SENDER, ANA, before_data=refuse)
    assert "DATA" not in mailbox.commands


async def test_a_commit_that_hangs_is_bounded(mailbox: Mailbox) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    with pytest.raises(TransientFailure):
        await converse(mailbox.address(timeout=SHORT), email(), SENDER, ANA, before_data=hang)
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
async def test_a_5xx_is_permanent_when_it_is_about_the_email(
    mailbox: Mailbox, attempts: Attempts, step: str, kind: type[DeliveryFailed]
) -> None:
    mailbox.tricks[step] = say("550 5.1.1 nobody called ana here")
    failed = await fail(mailbox.address(), attempts)
    assert (type(failed), failed.code) == (kind, 550)
    assert "nobody called <address> here" in failed.text


async def test_a_link_that_a_filter_quotes_is_not_kept(mailbox: Mailbox, attempts: Attempts) -> None:
    mailbox.tricks["DOT"] = say(
        "554 5.7.1 blocked:http://desk.test/portal/tickets/W1s.x-_1, (HTTPS://desk.test/console/tickets/7) see rule 9"
    )
    failed = await fail(mailbox.address(), attempts)
    assert failed.text == "DATA: 554 5.7.1 blocked:<link> (<link> see rule 9"


@pytest.mark.parametrize("trick", [stall, drop], ids=["stall", "drop"])
@pytest.mark.parametrize("step", ["GREETING", "EHLO", "MAIL", "RCPT"])
async def test_silence_before_data_is_transient(mailbox: Mailbox, attempts: Attempts, step: str, trick: Trick) -> None:
    mailbox.tricks[step] = trick
    failed = await fail(mailbox.address(timeout=SHORT), attempts)
    assert (type(failed), failed.code) == (TransientFailure, None)
    assert attempts.seen == []


async def test_a_connection_lost_while_the_attempt_is_committed_is_transient(mailbox: Mailbox) -> None:
    async def lose() -> None:
        await drop(mailbox.protocols[0])
        await asyncio.sleep(0.1)

    with pytest.raises(TransientFailure):
        await converse(mailbox.address(), email(), SENDER, ANA, before_data=lose)


@pytest.mark.parametrize("trick", [stall, drop, say("what?"), say("250 OK")], ids=["stall", "drop", "garbage", "2xx"])
async def test_silence_in_reply_to_data_is_ambiguous(mailbox: Mailbox, attempts: Attempts, trick: Trick) -> None:
    mailbox.tricks["DATA"] = trick
    failed = await fail(mailbox.address(timeout=SHORT), attempts)
    assert (type(failed), failed.code) == (AmbiguousFailure, None)
    assert attempts.seen == ["RCPT"]


@pytest.mark.parametrize("trick", [stall, drop, say("what?"), say("354 more")], ids=["stall", "drop", "garbage", "3xx"])
async def test_silence_after_the_final_dot_is_ambiguous(mailbox: Mailbox, attempts: Attempts, trick: Trick) -> None:
    mailbox.tricks["DOT"] = trick
    failed = await fail(mailbox.address(timeout=SHORT), attempts)
    assert (type(failed), failed.code) == (AmbiguousFailure, None)
    assert len(mailbox.emails) == 1


async def test_a_text_that_the_server_does_not_read_is_ambiguous(mailbox: Mailbox, attempts: Attempts) -> None:
    mailbox.tricks["DATA"] = go_ahead_and_stall
    assert type(await fail(mailbox.address(timeout=SHORT), attempts, BEYOND_EVERY_BUFFER)) is AmbiguousFailure
    assert mailbox.emails == []


async def test_a_text_is_not_sent_on_after_the_attempt_has_ended(mailbox: Mailbox, attempts: Attempts) -> None:
    mailbox.tricks["DATA"] = go_ahead_and_stall
    await fail(mailbox.address(timeout=SHORT), attempts, BEYOND_EVERY_BUFFER)
    mailbox.released.set()
    async with asyncio.timeout(10):
        await mailbox.ended.wait()
    assert mailbox.received < len(BEYOND_EVERY_BUFFER)


@pytest.mark.parametrize("text", ["Hello", BEYOND_EVERY_BUFFER], ids=["small", "large"])
async def test_a_loss_while_the_text_is_sent_is_ambiguous(mailbox: Mailbox, attempts: Attempts, text: str) -> None:
    mailbox.tricks["DATA"] = go_ahead_and_drop
    assert type(await fail(mailbox.address(), attempts, text)) is AmbiguousFailure
    assert mailbox.emails == []


async def test_a_refusal_in_the_middle_of_the_text_is_heard(mailbox: Mailbox, attempts: Attempts) -> None:
    mailbox.tricks["DATA"] = go_ahead_and_refuse
    failed = await fail(mailbox.address(), attempts, BEYOND_EVERY_BUFFER)
    assert (type(failed), failed.code) == (PermanentFailure, 552)


async def test_a_server_that_is_late_at_every_step_uses_up_a_try(
    mailbox: Mailbox, attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.email.conversations.INTRODUCTION_SECONDS", SHORT)
    mailbox.tricks["MAIL"] = stall
    failed = await fail(mailbox.address(), attempts)
    assert (type(failed), failed.text) == (TransientFailure, "introduction: timed out")


async def test_an_attempt_ends_in_time_however_long_its_waits(
    mailbox: Mailbox, attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.email.smtp.ANSWER_SECONDS", SHORT)
    mailbox.tricks["DOT"] = stall
    failed = await fail(mailbox.address(), attempts)
    assert (type(failed), failed.text) == (AmbiguousFailure, "DATA: timed out")


@pytest.mark.parametrize(("step", "kind"), [("mail", TransientFailure), ("data", AmbiguousFailure)])
async def test_a_defect_of_the_client_is_silence(
    mailbox: Mailbox, attempts: Attempts, monkeypatch: pytest.MonkeyPatch, step: str, kind: type[DeliveryFailed]
) -> None:
    async def fall(*_: object, **__: object) -> None:
        raise UnicodeEncodeError("ascii", "ana@acme.test", 0, 1, "?")

    monkeypatch.setattr(f"aiosmtplib.SMTP.{step}", fall)
    failed = await fail(mailbox.address(), attempts)
    assert (type(failed), "UnicodeEncodeError" in failed.text) == (kind, True)


async def test_a_server_that_is_not_there_is_transient(mailbox: Mailbox, attempts: Attempts) -> None:
    await mailbox.stop()
    assert type(await fail(mailbox.address(), attempts)) is TransientFailure


async def test_a_receipt_stands_when_the_server_stalls_at_quit(mailbox: Mailbox, attempts: Attempts) -> None:
    mailbox.tricks["QUIT"] = stall
    assert (await converse(mailbox.address(timeout=SHORT), email(), SENDER, ANA, before_data=attempts)).code == 250


@pytest.mark.parametrize("response", ["hello there", "999 what", "250-" + "x" * 9000, "220"])
async def test_a_response_that_cannot_be_read_is_transient_before_data(mailbox: Mailbox, attempts: Attempts, response: str) -> None:
    mailbox.tricks["MAIL"] = say(response)
    assert type(await fail(mailbox.address(timeout=SHORT), attempts)) is TransientFailure


async def test_a_local_part_beyond_ascii_needs_the_server_to_offer_it(mailbox: Mailbox, attempts: Attempts) -> None:
    failed = await fail(mailbox.address(), attempts, to="jörg@acme.test")
    assert type(failed) is PermanentFailure
    assert "SMTPUTF8" in failed.text


async def test_a_local_part_beyond_ascii_arrives_where_it_is_offered() -> None:
    async with serving(enable_SMTPUTF8=True) as mailbox:
        await converse(mailbox.address(), email(), SENDER, "jörg@acme.test", before_data=Attempts(mailbox))
        assert mailbox.emails[0].rcpt_tos == ["jörg@acme.test"]


async def test_a_domain_beyond_ascii_needs_nothing(mailbox: Mailbox, attempts: Attempts) -> None:
    await converse(mailbox.address(), email(), SENDER, "ana@bücher.test", before_data=attempts)
    assert mailbox.emails[0].rcpt_tos == ["ana@xn--bcher-kva.test"]


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
        "ana@acme.invalid",
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
    talking = asyncio.create_task(converse(mailbox.address(), email(), SENDER, ANA, before_data=attempts))
    async with asyncio.timeout(5):
        while not mailbox.emails:  # noqa: ASYNC110 - the server's side has no event for it
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
        ("helpdesk@localhost", "helpdesk@localhost"),
        ("o'brien+desk@Acme.test", "o'brien+desk@acme.test"),
        ("jörg@bücher.test", "jörg@xn--bcher-kva.test"),
    ],
)
def test_a_domain_travels_in_ascii(address: str, form: str) -> None:
    assert on_the_wire(address) == form
