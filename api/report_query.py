"""What a report is asked for."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from api.auth.caller import Caller
from api.tickets.filters import split
from api.tickets.requests import Id, Instant
from models.errors import Invalid
from models.reports.sla import Dimension, Question
from models.sla.policy import Metric
from models.tickets.lifecycle import Priority

USUAL = timedelta(days=30)


def _dimensions(value: Any) -> Any:
    """An empty text asks for no dimension: one row for everything."""
    parts = split(value)
    return [] if parts == [""] else parts


_Ids = Annotated[list[Id], BeforeValidator(split), Field(max_length=50)]
_End = Annotated[Instant, Field(ge=datetime(1970, 1, 1, tzinfo=UTC))]


class SlaQuery(BaseModel):
    """Of one filter any value may hold, of several all must. They and the groups are of the ticket as it was when the cycle was decided."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True, frozen=True)

    from_: Annotated[_End | None, Field(alias="from", description="30 days before `to` unless given; belongs to the range")] = None
    to: Annotated[_End | None, Field(description="now unless given; does not belong to the range")] = None
    group_by: Annotated[list[Dimension], BeforeValidator(_dimensions), Field(max_length=len(Dimension))] = [Dimension.METRIC]
    metric: Annotated[list[Metric], BeforeValidator(split)] = []
    priority: Annotated[list[Priority], BeforeValidator(split)] = []
    team_id: _Ids = []
    agent_id: _Ids = []
    organizer_id: _Ids = []

    def question(self, caller: Caller, now: datetime) -> Question:
        """What to ask for this caller: he sees figures of his token's organizers only.

        Raises:
            Invalid: the range is empty.
        """
        until = self.to or now
        since = self.from_ or until - USUAL
        if since >= until:
            raise _wrong("from", "empty_range", "`from` has to be before `to`.")
        filters = self.model_dump(exclude={"from_", "to"})
        return Question(since=since, until=until, allowed_organizer_ids=caller.claims.organizer_ids, **filters)


def _wrong(name: str, code: str, detail: str) -> Invalid:
    return Invalid(code, detail, f"/query/{name}")
