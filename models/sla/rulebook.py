"""A merchant's SLA configuration, all of it: read once per ``rulebook_version``, then kept. A version never changes."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from pydantic import BaseModel
from sqlmodel import col

from models.db.session import TenantSession
from models.errors import Invalid, NotFound
from models.people.tables import Category, Merchant
from models.sla.calendar import Calendar
from models.sla.ladder import Ladder
from models.sla.pinned import Pin, SlaConfiguration
from models.sla.policy import SlaPolicy, Traits
from models.sla.tables import ConfigurationKind, ConfigurationVersion
from models.tickets.tables import Ticket

PROPOSED = 2**63 - 1
"""The id of a policy that is only proposed: it comes after all others of its position, as a new one does."""
NAMED = 20
"""So many categories a refusal names."""
_KEPT_MERCHANTS = 500
_T = TypeVar("_T", bound=BaseModel)
_Key = tuple[int, int]


def no_such_category(known: Iterable[str], pointer: str) -> Invalid:
    """The refusal that names those that there are: the first 20 of them."""
    names = sorted(known)
    more = ", ..." if len(names) > NAMED else ""
    return Invalid("unknown_category", f"There is no such category. There are: {', '.join(names[:NAMED])}{more}.", pointer)


class Rulebook:
    """Every version of every calendar, policy and ladder of a merchant, as of ``merchant.rulebook_version``."""

    def __init__(self, merchant: Merchant, categories: dict[str, int], versions: list[ConfigurationVersion]) -> None:
        self.merchant = merchant
        self.categories = categories
        self._versions = versions
        self._policies = _definitions(versions, ConfigurationKind.POLICY, SlaPolicy)
        self._calendars = _definitions(versions, ConfigurationKind.CALENDAR, Calendar)
        self._ladders = _definitions(versions, ConfigurationKind.LADDER, Ladder)
        self._current = {each.id: each.version for each in sorted(versions, key=lambda each: each.version)}
        current = [(key, self._policies[key]) for key in self._policies if self._current[key[0]] == key[1]]
        self._in_order = sorted(current, key=lambda item: (item[1].position, item[0]))

    def category(self, wanted: str | None, pointer: str) -> str | None:
        """The category that a ticket gets: the merchant's first, if none is wanted. ``pointer`` is where a request names it.

        Raises:
            Invalid: the merchant has no such category.
        """
        category = wanted or next(iter(self.categories), None)
        if category is not None and category not in self.categories:
            raise no_such_category(self.categories, pointer)
        return category

    def choose(self, traits: Traits) -> Pin | None:
        """The current version of the first policy, by position, whose conditions all hold."""
        return next((self._pin(*key, policy) for key, policy in self._in_order if policy.match.holds(traits)), None)

    def configuration(self, pin: Pin | None) -> SlaConfiguration:
        if pin is None:
            return SlaConfiguration()
        policy = self._policies[pin.policy_id, pin.policy_version]
        ladder = None if policy.ladder_id is None else self._ladders[policy.ladder_id, pin.ladder_version or 0]
        return SlaConfiguration(policy, self._calendars[policy.calendar_id, pin.calendar_version], ladder)

    def moved(self, pin: Pin | None, traits: Traits, kind: ConfigurationKind, configuration_id: int) -> Pin | None:
        """Where a ticket is pinned once the newest version of one configuration holds for it; it keeps its versions of all others."""
        if kind is ConfigurationKind.POLICY:
            chosen = self.choose(traits)
            return self._keeping(pin, chosen) if configuration_id in {each.policy_id for each in (pin, chosen) if each} else pin
        if pin is None:
            return None
        policy = self._policies[pin.policy_id, pin.policy_version]
        if kind is ConfigurationKind.CALENDAR and policy.calendar_id == configuration_id:
            return pin._replace(calendar_version=self._current[configuration_id])
        if kind is ConfigurationKind.LADDER and policy.ladder_id == configuration_id:
            return pin._replace(ladder_version=self._current[configuration_id])
        return pin

    def current(self, configuration_id: int) -> int:
        """The newest version of a configuration."""
        return self._current[configuration_id]

    def _keeping(self, pin: Pin | None, chosen: Pin | None) -> Pin | None:
        """The same calendar and the same ladder stay in the versions that they are pinned in."""
        if pin is None or chosen is None:
            return chosen
        was, now = self._policies[pin.policy_id, pin.policy_version], self._policies[chosen.policy_id, chosen.policy_version]
        calendar = pin.calendar_version if was.calendar_id == now.calendar_id else chosen.calendar_version
        ladder = pin.ladder_version if was.ladder_id == now.ladder_id else chosen.ladder_version
        return chosen._replace(calendar_version=calendar, ladder_version=ladder)

    def proposing(self, kind: ConfigurationKind, configuration_id: int, definition: dict[str, Any]) -> "Rulebook":
        """This rulebook as it would be with one more version of a configuration, or with a new one."""
        version = self._current.get(configuration_id, 0) + 1
        new = ConfigurationVersion(merchant_id=self.merchant.id, id=configuration_id, kind=kind, version=version, definition=definition)
        return Rulebook(self.merchant, self.categories, [*self._versions, new])

    def knows(self, pin: Pin) -> bool:
        policy = self._policies.get((pin.policy_id, pin.policy_version))
        if policy is None or (policy.calendar_id, pin.calendar_version) not in self._calendars:
            return False
        return policy.ladder_id is None or (policy.ladder_id, pin.ladder_version or 0) in self._ladders

    def _pin(self, policy_id: int, version: int, policy: SlaPolicy) -> Pin:
        ladder = None if policy.ladder_id is None else self._current[policy.ladder_id]
        return Pin(policy_id, version, self._current[policy.calendar_id], ladder)


class Definitions(Mapping[_Key, _T], Generic[_T]):
    """By id and version; each is parsed when it is first asked for: a merchant has many versions, and tickets use few."""

    def __init__(self, value: type[_T], definitions: dict[_Key, dict[str, Any]]) -> None:
        self._value = value
        self._definitions = definitions
        self._parsed: dict[_Key, _T] = {}

    def __getitem__(self, key: _Key) -> _T:
        if key not in self._parsed:
            self._parsed[key] = self._value.model_validate(self._definitions[key])
        return self._parsed[key]

    def __contains__(self, key: object) -> bool:
        return key in self._definitions

    def __iter__(self) -> Iterator[_Key]:
        return iter(self._definitions)

    def __len__(self) -> int:
        return len(self._definitions)


def _definitions(versions: list[ConfigurationVersion], kind: ConfigurationKind, value: type[_T]) -> Definitions[_T]:
    return Definitions(value, {(each.id, each.version): each.definition for each in versions if each.kind is kind})


_kept: OrderedDict[int, Rulebook] = OrderedDict()


# As it stands now, also when it was read before a wait: a ticket may follow a version that was published meanwhile.
_MERCHANT = sa.select(Merchant).execution_options(populate_existing=True)
_MERCHANT_AND_NUMBER = sa.select(Merchant, sa.func.next_ticket_number()).execution_options(populate_existing=True)


async def rulebook(session: TenantSession) -> Rulebook:
    """The rulebook as it stands now: one row is read to know whether the kept one still holds."""
    return await _of((await session.execute(_MERCHANT)).scalar_one_or_none(), session)


async def rulebook_and_number(session: TenantSession) -> tuple[Rulebook, int]:
    """The rulebook and the number for a new ticket, in one round trip."""
    merchant, number = (await session.execute(_MERCHANT_AND_NUMBER)).one_or_none() or (None, 0)
    return await _of(merchant, session), number


async def _of(merchant: Merchant | None, session: TenantSession) -> Rulebook:
    if merchant is None:
        raise NotFound("merchant")
    session.expunge(merchant)  # it outlives this transaction: a rollback would empty a row that is still attached
    kept = _kept.get(merchant.id)
    if kept is None or kept.merchant.rulebook_version != merchant.rulebook_version:
        kept = await _read(session, merchant)
    kept.merchant = merchant
    return kept


async def configuration_of(session: TenantSession, ticket: Ticket) -> SlaConfiguration:
    """The configuration that ``ticket`` is pinned to."""
    pin = pin_of(ticket)
    if pin is None:
        return SlaConfiguration()
    kept = _kept.get(ticket.merchant_id)
    if kept is None or not kept.knows(pin):
        kept = await rulebook(session)
    return kept.configuration(pin)


def pin_of(ticket: Ticket) -> Pin | None:
    if ticket.policy_id is None:
        return None
    assert ticket.policy_version is not None  # noqa: S101 - set together
    assert ticket.calendar_version is not None  # noqa: S101
    return Pin(ticket.policy_id, ticket.policy_version, ticket.calendar_version, ticket.ladder_version)


def pin(ticket: Ticket, chosen: Pin | None) -> None:
    ticket.policy_id = chosen.policy_id if chosen else None
    ticket.policy_version = chosen.policy_version if chosen else None
    ticket.calendar_version = chosen.calendar_version if chosen else None
    ticket.ladder_version = chosen.ladder_version if chosen else None


def traits_of(ticket: Ticket) -> Traits:
    return Traits(priority=ticket.priority, category=ticket.category, organizer_id=ticket.organizer_id, tags=frozenset(ticket.tags))


async def _read(session: TenantSession, merchant: Merchant) -> Rulebook:
    categories = (await session.execute(sa.select(Category).order_by(col(Category.position), col(Category.id)))).scalars()
    versions = (await session.execute(sa.select(ConfigurationVersion))).scalars().all()
    for version in versions:
        session.expunge(version)  # as the merchant: a proposal is made of them long after this transaction
    book = Rulebook(merchant, {category.name: category.team_id for category in categories}, list(versions))
    _kept[merchant.id] = book
    _kept.move_to_end(merchant.id)
    while len(_kept) > _KEPT_MERCHANTS:
        _kept.popitem(last=False)
    return book
