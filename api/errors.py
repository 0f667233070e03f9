"""Why a request is refused, with its status and its stable code.

ApiError
├── BadRequest 400             a header is missing or can't be read
├── Unauthenticated 401        no token, or a bad one
├── Forbidden 403              visible, but not for this role
├── Missing 404                nothing there, or nothing that this caller may see
├── Conflicting 409            not possible in this state
│   └── InProgress             the same Idempotency-Key is being worked on
├── Gone 410                   a survey that is over
├── PreconditionFailed 412     it has changed meanwhile; it comes along as ``current``
├── TooLarge 413
├── UnsupportedMedia 415
├── Unprocessable 422          with one entry for each thing that is wrong
├── PreconditionRequired 428   If-Match is missing
└── Unavailable 503            something that we need is away; Retry-After says when to come again
"""

from typing import Any


class ApiError(Exception):
    status = 500
    code = "internal_error"
    title = "Something went wrong on our side"

    def __init__(self, detail: str = "", *, code: str | None = None, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.code
        self.headers = headers or {}
        self.more = more


class BadRequest(ApiError):
    status, code, title = 400, "bad_request", "The request can't be read"


class Unauthenticated(ApiError):
    status, code, title = 401, "unauthenticated", "A valid token is needed"


class Forbidden(ApiError):
    status, code, title = 403, "forbidden", "Not for this role"


class Missing(ApiError):
    status, code, title = 404, "not_found", "Not found"


class Conflicting(ApiError):
    status, code, title = 409, "conflict", "Not possible in this state"


class InProgress(Conflicting):
    code, title = "idempotency_in_progress", "The same request is being worked on"


class Gone(ApiError):
    status, code, title = 410, "gone", "Over"


class PreconditionFailed(ApiError):
    status, code, title = 412, "stale_version", "It has changed meanwhile"


class TooLarge(ApiError):
    status, code, title = 413, "body_too_large", "The body is too large"


class UnsupportedMedia(ApiError):
    status, code, title = 415, "unsupported_media_type", "The body's type is not supported"


class Unprocessable(ApiError):
    status, code, title = 422, "invalid_request", "The request is not valid"


class PreconditionRequired(ApiError):
    status, code, title = 428, "precondition_required", "If-Match is needed"


class Unavailable(ApiError):
    status, code, title = 503, "unavailable", "Not available right now"
