"""The link in a reporter's e-mails: it opens one ticket, to be read and to be written on as its reporter, without signing in.

It ends after thirty days, and when a newer one was asked for: the ticket's ``link_generation`` says how often that was.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from models.platform.signed_links import read, sign

GOOD_FOR = timedelta(days=30)
_PURPOSE = "portal"


class PortalLink(NamedTuple):
    merchant_id: int
    ticket_id: int
    generation: int
    expires_at: datetime


def token_of(keys: tuple[str, ...], link: PortalLink) -> str:
    """The link as it stands in an address: about 110 characters."""
    return sign(keys, _PURPOSE, [*link[:3], int(link.expires_at.timestamp())])


def link_of(keys: tuple[str, ...], token: str) -> PortalLink | None:
    """The link that was signed, also one that has expired; None for what we did not sign."""
    content = read(keys, _PURPOSE, token)
    if content is None:
        return None
    merchant_id, ticket_id, generation, expires = (int(str(each)) for each in content)
    return PortalLink(merchant_id, ticket_id, generation, datetime.fromtimestamp(expires, UTC))
