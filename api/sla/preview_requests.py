"""What is asked of a dry run: about which tickets, and under which definition."""

from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, PlainSerializer, model_validator

from api.sla.requests import Category, OurInstant, PolicyBody
from api.tickets.requests import Id, Tag, Tags
from models.sla.forecast import TicketSample
from models.tickets.filter import Filter
from models.tickets.lifecycle import Priority, Status
from models.value import Value

_T = TypeVar("_T", bound=BaseModel)


def _split(value: Any) -> Any:
    """``"open,pending"`` as in the query of a list."""
    return value.split(",") if isinstance(value, str) else value


_Several = BeforeValidator(_split)
_WrittenId = Annotated[Id, PlainSerializer(str, return_type=str)]


class FilterBody(Filter):
    """As in the list of tickets: of one filter any value may hold (of `tag` each must), of several all must."""

    status: Annotated[tuple[Status, ...], Field(max_length=50), _Several] = ()
    priority: Annotated[tuple[Priority, ...], Field(max_length=50), _Several] = ()
    category: Annotated[tuple[Category, ...], Field(max_length=50), _Several] = ()
    team_id: _WrittenId | None = None
    organizer_id: _WrittenId | None = None
    tag: Annotated[tuple[Tag, ...], Field(max_length=50), _Several] = ()


class SampleBody(TicketSample):
    """A ticket that is only thought of, opened at `createdAt` (now unless given)."""

    category: Category | None = None
    organizer_id: Id | None = None
    tags: Tags = ()
    created_at: OurInstant | None = None


class Preview(Value):
    """`filter` narrows the open tickets down that a job looks at; `ticketSample` is answered at once. Neither: all open tickets."""

    filter: FilterBody | None = None
    ticket_sample: SampleBody | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if self.filter is not None and self.ticket_sample is not None:
            raise ValueError("give filter or ticketSample")
        return self


class Proposal(Preview, Generic[_T]):
    """Without a definition the newest version itself is tried."""

    definition: _T | None = None


class ProposedPolicy(Preview):
    """A policy that is not there yet takes tickets by its position, behind the older ones of the same."""

    definition: PolicyBody
