"""What a notification's e-mail is made of, and the e-mail as its recipient's program reads it."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from activities.email.compose import compose
from activities.email.render import Rendered
from models.notifications.kinds import NotificationKind

KINDS = [kind for kind in NotificationKind if kind is not NotificationKind.DIGEST]
"""Each is about one ticket."""
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
        "listed": [],
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
    raw = compose(rendered, **(whole | changes))
    assert raw.isascii()
    read = message_from_bytes(raw, policy=policy.SMTP)
    assert isinstance(read, EmailMessage)
    return read


def part(email: EmailMessage, kind: str) -> str:
    found = email.get_body((kind,))
    assert found is not None
    return str(found.get_content())
