"""Logins and TLS: what fails is tried again, and nothing is sent in the clear by mistake."""

import ssl
from pathlib import Path

import pytest

from activities.email.smtp import TransientFailure
from models.platform.settings import MailSecurity
from tests.notifications.conversations import ANA, SENDER, SHORT, Attempts, converse, email, fail
from tests.support.mail_server import (
    PASSWORD,
    Trick,
    drop,
    say,
    self_made_certificate,
    serving,
    stall,
)


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
async def test_a_server_that_wants_a_login_first_is_transient() -> None:
    async with serving(auth_required=True, auth_require_tls=False) as mailbox:
        failed = await fail(mailbox.address(), Attempts(mailbox))
        assert (type(failed), failed.code) == (TransientFailure, 530)


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize(("password", "arrives"), [(PASSWORD, True), ("wrong", False)])
async def test_a_login_is_accepted_or_is_transient(password: str, arrives: bool) -> None:  # noqa: FBT001
    async with serving(auth_required=True, auth_require_tls=False) as mailbox:
        server = mailbox.address(username="desk", password=password)
        if arrives:
            assert (await converse(server, email(), SENDER, ANA, before_data=Attempts(mailbox))).code == 250
        else:
            failed = await fail(server, Attempts(mailbox))
            assert (type(failed), failed.code) == (TransientFailure, 535)
        assert password not in repr(server)


async def test_an_email_arrives_by_starttls_with_a_trusted_certificate(tmp_path: Path) -> None:
    shown, trust = self_made_certificate(tmp_path)
    async with serving(tls_context=shown, require_starttls=True) as mailbox:
        server = mailbox.address(MailSecurity.STARTTLS, tls=trust)
        assert (await converse(server, email(), SENDER, ANA, before_data=Attempts(mailbox))).code == 250


async def test_an_email_arrives_by_tls_from_the_first_byte(tmp_path: Path) -> None:
    shown, trust = self_made_certificate(tmp_path)
    async with serving(shown) as mailbox:
        server = mailbox.address(MailSecurity.TLS, tls=trust)
        assert (await converse(server, email(), SENDER, ANA, before_data=Attempts(mailbox))).code == 250


@pytest.mark.parametrize("security", [MailSecurity.STARTTLS, MailSecurity.TLS])
async def test_an_untrusted_certificate_is_refused(tmp_path: Path, security: MailSecurity) -> None:
    shown, _ = self_made_certificate(tmp_path)
    async with serving(shown if security is MailSecurity.TLS else None, tls_context=shown) as mailbox:
        failed = await fail(mailbox.address(security, tls=ssl.create_default_context()), Attempts(mailbox))
        assert type(failed) is TransientFailure
        assert "certificate is not trusted" in failed.text


async def test_nothing_is_sent_in_the_clear_when_starttls_is_not_offered() -> None:
    async with serving() as mailbox:
        assert type(await fail(mailbox.address(MailSecurity.STARTTLS), Attempts(mailbox))) is TransientFailure
        assert "MAIL" not in mailbox.commands


@pytest.mark.parametrize("trick", [stall, drop, say("454 no"), say("501 no")], ids=["stall", "drop", "4xx", "5xx"])
async def test_a_starttls_that_fails_is_transient(tmp_path: Path, trick: Trick) -> None:
    shown, trust = self_made_certificate(tmp_path)
    async with serving(tricks={"STARTTLS": trick}, tls_context=shown) as mailbox:
        server = mailbox.address(MailSecurity.STARTTLS, tls=trust, timeout=SHORT)
        assert type(await fail(server, Attempts(mailbox))) is TransientFailure
