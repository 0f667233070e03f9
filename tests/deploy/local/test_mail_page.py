"""``/dev/mail`` in a browser; any other client gets the JSON of the contract."""

from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from deploy.local.api import routes

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
TEXT = "See http://desk.test/portal/tickets/abc, <script>alert(1)</script>"
FILE = "00000000000000000007"


@pytest.fixture
def client(tmp_path: Path) -> httpx.AsyncClient:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "desk@demo.local", "ana@acme.example", "<b>Till</b>"
    message.set_content(TEXT)
    message.add_alternative('<a href="http://desk.test/x">"open"</a><script>alert(1)</script>', subtype="html")
    (tmp_path / f"{FILE}.eml").write_bytes(b"X-Envelope-To: ana@acme.example\r\n" + bytes(message))
    unused: Any = None
    app = FastAPI()
    app.include_router(routes(unused, unused, tmp_path))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app, raise_app_exceptions=False), base_url="http://desk.test")


async def test_a_browser_gets_a_list_that_leads_to_each_email(client: httpx.AsyncClient) -> None:
    page = await client.get("/dev/mail", headers=HTML)
    assert page.headers["Content-Type"].startswith("text/html")
    assert f'<a href="/dev/mail/{FILE}">&lt;b&gt;Till&lt;/b&gt;</a>' in page.text


async def test_an_email_is_shown_with_working_links_and_without_its_scripts(client: httpx.AsyncClient) -> None:
    page = await client.get(f"/dev/mail/{FILE}", headers=HTML)
    assert '<a href="http://desk.test/portal/tickets/abc"' in page.text
    assert "<script" not in page.text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page.text
    assert 'srcdoc="&lt;base target=&#34;_blank&#34;&gt;&lt;a href=&#34;http://desk.test/x' in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")


async def test_a_program_gets_json(client: httpx.AsyncClient) -> None:
    (mail,) = (await client.get("/dev/mail")).json()
    assert (mail["subject"], mail["id"]) == ("<b>Till</b>", FILE)
    assert (await client.get(f"/dev/mail/{FILE}")).json() == mail


@pytest.mark.parametrize("mail_id", ["00000000000000000008", "..%2F..%2Fsecrets", "x"])
async def test_what_was_not_caught_is_not_shown(client: httpx.AsyncClient, mail_id: str) -> None:
    assert (await client.get(f"/dev/mail/{mail_id}", headers=HTML)).status_code in {404, 422, 500}
