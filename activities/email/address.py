"""The form in which an e-mail address travels."""

import re
from typing import Final

import idna

from activities.email.errors import PermanentFailure

_MAX: Final = 254  # RFC 5321, section 4.5.3.1.3, as corrected by erratum 1690
_ADDRESS: Final = re.compile(r"""[^@\s<>"(),:;\\\[\]\x00-\x20\x7f-\x9f]+@[^@\s<>"(),:;\\\[\]\x00-\x20\x7f-\x9f]+""")


def on_the_wire(address: str) -> str:
    """Return the address with its domain in ASCII (RFC 5891), so that only a local part beyond ASCII needs SMTPUTF8 of the server.

    Raises ``PermanentFailure`` for what is no address. Quoted local parts and address literals are not taken: nobody has one,
    and they are where injections live.
    """
    if not _ADDRESS.fullmatch(address) or len(address) > _MAX:
        raise PermanentFailure("the address is not valid")
    local, _, domain = address.rpartition("@")
    if domain.isascii():
        return address
    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode('ascii')}"
    except (idna.IDNAError, UnicodeError):
        raise PermanentFailure("the domain of the address is not valid") from None
