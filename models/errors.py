"""Why something was refused: one tree, each error with its HTTP status and its stable code.

HelpdeskError 500                  a defect of ours; the log says which
├── BadRequest 400                 a header is missing or can't be read
├── Unauthenticated 401            no token, or a bad one
├── Forbidden 403                  visible, but not for this role
├── NotFound 404                   nothing there, or nothing that this caller may see
├── TimedOut 408                   the head of the request did not arrive in time
├── Conflict 409                   not possible in this state; ``code`` says why
│   ├── IllegalTransition          the lifecycle does not allow it; ``allowedTransitions`` names what it does
│   └── InProgress                 another request with the same Idempotency-Key is being worked on
├── Gone 410                       a survey that is over
├── PreconditionFailed 412         it has changed meanwhile; ``current`` is what it is now
├── TooLarge 413                   the body has more bytes than are read
├── UriTooLong 414                 the request line has more bytes than are read
├── UnsupportedMedia 415           the body's type or encoding is not supported
├── Invalid 422                    ``errors`` has an entry for each thing that is wrong
├── KeyReused 422                  the Idempotency-Key was used with another body
├── PreconditionRequired 428       If-Match is missing
├── RateLimited 429                more was asked than one subject, merchant or address may; ``Retry-After`` says when to come again
├── HeadersTooLarge 431            the headers have more bytes than are read
└── Unavailable 503                something that we need is away; ``Retry-After`` says when to come again
"""

from collections.abc import Mapping, Sequence
from typing import Any

from models.tickets.lifecycle import Status

MAX_LISTED = 50
"""So many things that are wrong are listed; of the others the number is told."""


_BY_NUMBER = " An id is long; a ticket is found by its number: GET /tickets?number=."


class HelpdeskError(Exception):
    """``code`` is for programs, ``detail`` for people. ``members`` are what the problem says besides (RFC 9457, section 3.2)."""

    status = 500
    code = "internal_error"
    title = "Something went wrong on our side"

    def __init__(self, detail: str = "", *, code: str | None = None, headers: Mapping[str, str] | None = None, **members: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.code
        self.headers = dict(headers or {})
        self.members = members


class BadRequest(HelpdeskError):
    status, code, title = 400, "bad_request", "The request can't be read"


class Unauthenticated(HelpdeskError):
    status, code, title = 401, "unauthenticated", "A valid token is needed"


class Forbidden(HelpdeskError):
    status, code, title = 403, "forbidden", "Not for this role"


class NotFound(HelpdeskError):
    status, code, title = 404, "not_found", "Not found"

    def __init__(self, what: str = "ticket") -> None:
        super().__init__(f"There is no such {what}.{_BY_NUMBER if what == 'ticket' else ''}")


class TimedOut(HelpdeskError):
    status, code, title = 408, "request_timeout", "The request did not arrive in time"


class Conflict(HelpdeskError):
    status, code, title = 409, "conflict", "Not possible in this state"

    def __init__(self, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any) -> None:
        super().__init__(detail, code=code, headers=headers, **members)


class IllegalTransition(Conflict):
    code = "illegal_move"

    def __init__(self, current: Status, wanted: str, allowed: Sequence[Status]) -> None:
        possible = ", ".join(status.value for status in allowed)
        detail = f"A ticket that is {current.value} can't be moved by '{wanted}'. It can become: {possible or 'nothing else'}."
        super().__init__(self.code, detail, allowedTransitions=list(allowed))


class InProgress(Conflict):
    code, title = "idempotency_in_progress", "The same request is being worked on"

    def __init__(self) -> None:
        detail = "Another request with this Idempotency-Key is being worked on: send the same one again after Retry-After seconds."
        super().__init__(self.code, detail, headers={"Retry-After": "1"})


class Gone(HelpdeskError):
    status, code, title = 410, "gone", "Over"

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail, code=code)


class PreconditionFailed(HelpdeskError):
    status, code, title = 412, "stale_version", "It has changed meanwhile"

    def __init__(self, **members: Any) -> None:
        super().__init__(
            "It has changed meanwhile: make the change on `current`, or read it again, and send its ETag as If-Match.", **members
        )


class TooLarge(HelpdeskError):
    status, code, title = 413, "body_too_large", "The body is too large"


class UriTooLong(HelpdeskError):
    status, code, title = 414, "uri_too_long", "The address is too long"


class UnsupportedMedia(HelpdeskError):
    status, code, title = 415, "unsupported_media_type", "The body's type is not supported"


class Invalid(HelpdeskError):
    """One thing that is wrong: ``code`` and ``detail`` are its entry's, ``pointer`` is its JSON pointer in the request (RFC 6901)."""

    status, code, title = 422, "invalid_request", "The request is not valid"

    def __init__(self, code: str, detail: str, pointer: str) -> None:
        super().__init__(detail, errors=[{"pointer": pointer, "code": code, "detail": detail}])

    @classmethod
    def of(cls, errors: Sequence[Mapping[str, str]], *, omitted: int = 0) -> "Invalid":
        """Several things that are wrong, each with pointer, code and detail. ``omitted`` are as many more."""
        several = cls("", "", "")
        several.members["errors"] = list(errors[:MAX_LISTED])
        omitted += len(errors[MAX_LISTED:])
        if omitted:
            several.members["errorsOmitted"] = omitted
        return several


class KeyReused(HelpdeskError):
    status, code, title = 422, "idempotency_key_reused", "The request is not valid"


class PreconditionRequired(HelpdeskError):
    status, code, title = 428, "precondition_required", "If-Match is needed"


class RateLimited(HelpdeskError):
    status, code, title = 429, "rate_limited", "Too many requests"


class HeadersTooLarge(HelpdeskError):
    status, code, title = 431, "headers_too_large", "The headers are too large"


class Unavailable(HelpdeskError):
    status, code, title = 503, "unavailable", "Not available right now"
