"""The form on the portal's page."""

import json
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import parse_qs

from pydantic import ValidationError

from api.http.idempotency import Once
from api.tickets.requests import MAX_TEXT, Reply
from models.portal.link import PortalLink


class ReplyForm(NamedTuple):
    """``text`` is what was written; ``once`` is the key of the page, by which a double click is known."""

    text: str
    once: str

    @classmethod
    def of(cls, body: bytes) -> "ReplyForm":
        """Browsers send line breaks as CRLF; none sends NUL, which no text can hold."""
        try:
            fields = parse_qs(body.decode(errors="replace"), max_num_fields=10)
        except ValueError:  # more fields than the form has
            fields = {}
        text, once = (fields.get(name, [""])[-1] for name in ("body", "once"))
        return cls(text.replace("\r\n", "\n").replace("\0", ""), once)

    @property
    def flaw(self) -> str:
        """What the person has to mend, if anything; the rules are those of the API."""
        try:
            Reply(body=self.text)
        except ValidationError:
            return f"Please write something, and at most {MAX_TEXT:,} characters. Nothing was sent."
        return ""

    def once_for(self, link: PortalLink) -> Once:
        scope = json.dumps(["portal", link.ticket_id, self.once, self.text])
        return Once(link.merchant_id, sha256(scope.encode()).hexdigest(), "")
