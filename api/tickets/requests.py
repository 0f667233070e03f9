"""What clients send. Unknown fields are refused; every text and list has its bounds."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    EmailStr,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError, to_json

from api.http.problems import explain
from api.http.responses import ID
from models.errors import Invalid
from models.tickets.lifecycle import Channel, Priority, Status
from models.value import AtMost, Value

_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_YEAR = re.compile(r"[0-9]{4}-", re.ASCII)
MAX_TEXT = 100_000
MAX_CUSTOM_FIELDS = 64 * 1024
"""Bytes of all custom fields of a ticket, as JSON."""
MAX_DIGITS = 40
"""Of a number in a custom field, written without an exponent."""


def _id(value: object) -> int:
    if not isinstance(value, str) or not _ID.fullmatch(value) or int(value) >= 2**63:
        raise ValueError("an id is a string of digits")
    return int(value)


def _in_utc(at: datetime) -> datetime:
    """The first and the last day there are leave no room for every time zone."""
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("an instant between the years 1 and 9999") from None


def _written(value: object) -> object:
    """Pydantic would also take a number of seconds, and turn a typing error into an instant of 1970."""
    if isinstance(value, datetime) or (isinstance(value, str) and _YEAR.match(value)):
        return value
    raise ValueError("write an instant as RFC 3339 does: 2026-03-02T08:00:00Z")


def _of_bounded_size(fields: dict[str, Any]) -> dict[str, Any]:
    """Measured as they are stored, and answered: PostgreSQL writes a number without an exponent, and ``1e308`` has 309 digits."""
    numbers = list(_numbers(fields))
    if not all(abs(number) < 10**MAX_DIGITS for number in numbers):  # a NaN is not less either
        raise _too_long()
    plain = {number: format(Decimal(repr(number)), "f") for number in numbers if isinstance(number, float)}
    if any(sum(map(str.isdigit, each)) > MAX_DIGITS for each in plain.values()):
        raise _too_long()
    longer = sum(len(plain[number]) - len(repr(number)) for number in numbers if isinstance(number, float))
    if len(to_json(fields)) + max(longer, 0) > MAX_CUSTOM_FIELDS:
        raise PydanticCustomError("too_large", "The custom fields have more than {limit} bytes of JSON", {"limit": MAX_CUSTOM_FIELDS})
    return fields


def _too_long() -> PydanticCustomError:
    detail = "A number has more than {limit} digits when it is written without an exponent: send it as a text"
    return PydanticCustomError("number_too_long", detail, {"limit": MAX_DIGITS})


def _numbers(value: Any) -> Iterator[int | float]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _numbers(inner)


Id = Annotated[int, BeforeValidator(_id, json_schema_input_type=Annotated[str, Field(json_schema_extra=ID)])]
Instant = Annotated[AwareDatetime, BeforeValidator(_written, json_schema_input_type=AwareDatetime), AfterValidator(_in_utc)]
Subject = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT, pattern=r"\S")]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50, pattern=r"^[^\x00-\x1f\x7f]*$")]
Tags = Annotated[tuple[Tag, ...], AtMost(50)]
Skill = Annotated[Tag, StringConstraints(to_lower=True)]
"""In lower case: a ticket would wait for ever for an agent who speaks `French` and not `french`."""
Skills = Annotated[tuple[Skill, ...], AtMost(50), AfterValidator(lambda skills: tuple(sorted(set(skills))))]
CustomFields = Annotated[
    dict[Annotated[str, StringConstraints(min_length=1, max_length=100)], Any],
    AtMost(100),
    AfterValidator(_of_bounded_size),
]
_CUSTOM_FIELDS: TypeAdapter[dict[str, Any]] = TypeAdapter(CustomFields)
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
CategoryName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f/]*$")]


_PATH = "/tickets/{id}"
VERBS: Final[Mapping[str, str]] = {
    "status": f"A status changes by its verb: POST {_PATH}/pending, /hold, /resume, /resolve, /reopen or /close.",
    "assigneeId": f"A ticket is assigned by POST {_PATH}/assign, /claim or /unassign.",
    "teamId": f'A ticket goes to a team by POST {_PATH}/assign with {{"teamId": "..."}}.',
    "escalationLevel": f"A ticket is escalated by POST {_PATH}/escalate.",
    "deletedAt": f"A ticket is deleted by DELETE {_PATH}, and brought back by POST {_PATH}/restore.",
    "mergedIntoId": f"A ticket is merged by POST {_PATH}/merge.",
    "description": f"What was written stays: add to it by POST {_PATH}/messages or /notes.",
    "reporter": "A ticket keeps its reporter: open another one for another person.",
    "nextDueAt": "A due time follows from the SLA policy: change the priority or the category, or snooze the ticket.",
    "slaStatus": "It follows from the SLA policy: change the priority or the category.",
    "version": "The version that you saw belongs into If-Match.",
}
"""What of a ticket no patch changes, and what does."""


class OnBehalfOf(Value):
    name: Name
    email: EmailStr


class OpenTicket(Value):
    subject: Subject
    description: Text
    priority: Priority = Priority.NORMAL
    category: Annotated[str, StringConstraints(max_length=100)] | None = None
    organizer_id: Id | None = None
    channel: Channel = Channel.API
    tags: Tags = ()
    custom_fields: CustomFields = Field(default_factory=dict)
    reporter: OnBehalfOf | None = None


class EditTicket(Value):
    """A JSON merge patch (RFC 7396): what is left out stays, null takes away what may be away."""

    INSTEAD: ClassVar[Mapping[str, str]] = VERBS

    subject: Subject = ""
    priority: Priority = Priority.NORMAL
    category: Annotated[str, StringConstraints(max_length=100)] = ""
    tags: Tags | None = None
    custom_fields: CustomFields | None = None
    organizer_id: Id | None = None

    def changes(self, current: dict[str, Any]) -> dict[str, Any]:
        """The columns to set; ``current`` are the custom fields so far.

        Raises:
            Invalid: with those of the patch there would be too many, or too large ones.
        """
        given: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        if "tags" in given:
            given["tags"] = sorted(set(given["tags"] or ()))
        if "custom_fields" in given:
            given["custom_fields"] = {} if self.custom_fields is None else _bounded(_merged(current, self.custom_fields))
        return given


class Reply(Value):
    body: Text
    status: Status | None = None


class Note(Value):
    body: Text


class Because(Value):
    reason: Reason | None = None


class Snooze(Value):
    until: Instant


class Merge(Value):
    into_ticket_id: Id


class Assign(Value):
    """Exactly one of the three."""

    agent_id: Id | None = None
    team_id: Id | None = None
    auto: bool = False

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        if [self.agent_id is not None, self.team_id is not None, self.auto].count(True) != 1:
            raise ValueError("give agentId, or teamId, or auto: true")
        return self


class Escalate(Value):
    reason: Reason
    level: Annotated[int, Field(ge=1, le=3)] | None = None


class Acknowledge(Value):
    level: Annotated[int, Field(ge=1, le=3)] | None = None


def _merged(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    merged = dict(target)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            inner = merged.get(name)
            merged[name] = _merged(inner if isinstance(inner, dict) else {}, value)
        else:
            merged[name] = value
    return merged


def _bounded(merged: dict[str, Any]) -> dict[str, Any]:
    """The bounds are the ticket's, however many patches it takes to reach them."""
    try:
        return _CUSTOM_FIELDS.validate_python(merged)
    except ValidationError as invalid:
        errors = [{**each, "loc": ("body", "customFields", *each["loc"])} for each in invalid.errors()]
        raise Invalid.of(explain(errors)) from None
