"""The form in which an e-mail address travels."""

from contextlib import suppress

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from activities.email.errors import PermanentFailure

# The one reserved name that real servers serve, on company networks and in the local stack. The list is a setting of the library.
with suppress(ValueError):
    SPECIAL_USE_DOMAIN_NAMES.remove("local")


def on_the_wire(address: str) -> str:
    """Return the address with its domain in ASCII (RFC 5891), so that only a local part beyond ASCII needs SMTPUTF8 of the server.

    Raises ``PermanentFailure`` for what is no address. Quoted local parts and address literals are refused: people have none, and
    injections live in them. Domains without a dot and those that end in ``.test`` or ``.local`` are for the mail server to judge.
    """
    try:
        valid = validate_email(address, check_deliverability=False, globally_deliverable=False, test_environment=True)
    except EmailNotValidError:
        raise PermanentFailure("the address is not valid") from None
    return f"{valid.local_part}@{valid.ascii_domain}"
