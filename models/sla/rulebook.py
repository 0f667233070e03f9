"""A merchant's SLA configuration as it is in force: read once per ``rulebook_version``, then kept. What is older is read when asked for."""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlmodel import col

from models.cache import ByteCache
from models.db.prepared import Prepared
from models.db.session import TenantSession
from models.errors import Invalid, NotFound
from models.people.tables import Category, Merchant
from models.sla.calendar import Calendar
from models.sla.definitions import NOTHING, Definition, Key, definition, definitions, in_memory, may_keep
from models.sla.ladder import Ladder
from models.sla.order import Placed, Standing, first_match, in_order, position_of_new, standing
from models.sla.pinned import Pin, SlaConfiguration
from models.sla.policy import SlaPolicy, Traits
from models.sla.tables import ConfigurationKind, ConfigurationVersion
from models.tickets.tables import Ticket

PROPOSED = 2**63 - 1
"""The id of a policy that is only proposed: it is the newest of all."""
_KEPT_BYTES = 64 * 1024 * 1024
"""Of memory, by the current policies of all merchants."""
_FRAME_BYTES = 4096
"""What a rulebook takes besides."""
NAMED = 20
"""So many categories a refusal names."""


def no_such_category(known: Iterable[str], pointer: str) -> Invalid:
    """The refusal that names those that there are: the first 20 of them."""
    names = sorted(known)
    more = ", ..." if len(names) > NAMED else ""
    return Invalid("unknown_category", f"There is no such category. There are: {', '.join(names[:NAMED])}{more}.", pointer)


class Rulebook:
    """The current policies in their order, and the newest version of every configuration, as of ``merchant.rulebook_version``."""

    def __init__(
        self,
        merchant: Merchant,
        categories: dict[str, int],
        current: dict[int, int],
        policies: Mapping[int, SlaPolicy],
        proposed: Mapping[Key, Definition] = NOTHING,
    ) -> None:
        self.merchant = merchant
        self.categories = categories
        self._current = current
        self._policies = policies
        self._proposed = proposed
        self._ordered = in_order(Placed(id_, policy) for id_, policy in policies.items())

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
        """The current version of the policy that wins such a ticket."""
        chosen = first_match(self._ordered, traits)
        return None if chosen is None else self._pin(chosen.id, chosen.policy)

    def standing(self, traits: Traits, candidate_id: int | None = None) -> Standing:
        """Which policy wins such a ticket, and why the candidate does not."""
        return standing(self._ordered, traits, candidate_id)

    @property
    def ordered(self) -> tuple[Placed, ...]:
        """The current policies: a ticket gets the first that matches."""
        return self._ordered

    def position_for(self, policy_id: int) -> int:
        """Where a policy stands whose definition names no position: where it stood, or where a new one is put."""
        known = self._policies.get(policy_id)
        return position_of_new(self._ordered) if known is None else known.position or 0

    async def configuration(self, session: TenantSession, pin: Pin | None) -> SlaConfiguration:
        return await _configuration_at(session, pin, self._proposed)

    async def moved(
        self, session: TenantSession, pin: Pin | None, traits: Traits, kind: ConfigurationKind, configuration_id: int
    ) -> Pin | None:
        """Where a ticket is pinned once the newest version of one configuration holds for it; it keeps its versions of all others."""
        if kind is ConfigurationKind.POLICY:
            chosen = self.choose(traits)
            concerned = configuration_id in {each.policy_id for each in (pin, chosen) if each}
            return await self._keeping(session, pin, chosen) if concerned else pin
        if pin is None:
            return None
        policy = await self._policy(session, pin)
        if kind is ConfigurationKind.CALENDAR and policy.calendar_id == configuration_id:
            return pin._replace(calendar_version=self._current[configuration_id])
        if kind is ConfigurationKind.LADDER and policy.ladder_id == configuration_id:
            return pin._replace(ladder_version=self._current[configuration_id])
        return pin

    def current(self, configuration_id: int) -> int:
        """The newest version of a configuration."""
        return self._current[configuration_id]

    async def _keeping(self, session: TenantSession, pin: Pin | None, chosen: Pin | None) -> Pin | None:
        """The same calendar and the same ladder stay in the versions that they are pinned in."""
        if pin is None or chosen is None:
            return chosen
        was, now = await self._policy(session, pin), self._policies[chosen.policy_id]
        calendar = pin.calendar_version if was.calendar_id == now.calendar_id else chosen.calendar_version
        ladder = pin.ladder_version if was.ladder_id == now.ladder_id else chosen.ladder_version
        return chosen._replace(calendar_version=calendar, ladder_version=ladder)

    def proposing(self, configuration_id: int, proposed: Definition) -> "Rulebook":
        """This rulebook as it would be with one more version of a configuration, or with a new one."""
        version = self._current.get(configuration_id, 0) + 1
        policies = {**self._policies, configuration_id: proposed} if isinstance(proposed, SlaPolicy) else self._policies
        current = self._current | {configuration_id: version}
        return Rulebook(self.merchant, self.categories, current, policies, {Key(configuration_id, version): proposed})

    async def _policy(self, session: TenantSession, pin: Pin) -> SlaPolicy:
        return await definition(session, Key(pin.policy_id, pin.policy_version), SlaPolicy, self._proposed)

    def _pin(self, policy_id: int, policy: SlaPolicy) -> Pin:
        ladder = None if policy.ladder_id is None else self._current[policy.ladder_id]
        return Pin(policy_id, self._current[policy_id], self._current[policy.calendar_id], ladder)


_kept: ByteCache[int, Rulebook] = ByteCache(_KEPT_BYTES)


# As it stands now, also when it was read before a wait: a ticket may follow a version that was published meanwhile.
_MERCHANT = Prepared(sa.select(Merchant).execution_options(populate_existing=True))
_MERCHANT_AND_NUMBER = Prepared(sa.select(Merchant, sa.func.next_ticket_number()).execution_options(populate_existing=True))


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
    session.expunge(merchant)  # it outlives this transaction
    kept = _kept.get(merchant.id)
    if kept is None or kept.merchant.rulebook_version != merchant.rulebook_version:
        kept = await _read(session, merchant)
    kept.merchant = merchant
    return kept


async def configuration_of(session: TenantSession, ticket: Ticket) -> SlaConfiguration:
    """The configuration that ``ticket`` is pinned to.

    Raises:
        LookupError: a version that it is pinned to does not exist.
    """
    return await _configuration_at(session, pin_of(ticket))


async def _configuration_at(session: TenantSession, pin: Pin | None, proposed: Mapping[Key, Definition] = NOTHING) -> SlaConfiguration:
    if pin is None:
        return SlaConfiguration()
    policy = await definition(session, Key(pin.policy_id, pin.policy_version), SlaPolicy, proposed)
    calendar = await definition(session, Key(policy.calendar_id, pin.calendar_version), Calendar, proposed)
    if policy.ladder_id is None:
        return SlaConfiguration(policy, calendar)
    return SlaConfiguration(policy, calendar, await definition(session, Key(policy.ladder_id, pin.ladder_version or 0), Ladder, proposed))


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
    version = ConfigurationVersion
    categories = (
        await session.execute(
            sa.select(Category).where(col(Category.retired_at).is_(None)).order_by(col(Category.position), col(Category.id))
        )
    ).scalars()
    newest = sa.select(col(version.id), col(version.version), col(version.kind), col(version.size))
    newest = newest.ext(distinct_on(col(version.id))).order_by(col(version.id), col(version.version).desc())
    rows = (await session.execute(newest)).all()
    found = await definitions(session, [Key(row.id, row.version) for row in rows if row.kind is ConfigurationKind.POLICY])
    policies = {key.id: value for key, value in found.items() if isinstance(value, SlaPolicy)}
    current = {row.id: row.version for row in rows}
    book = Rulebook(merchant, {category.name: category.team_id for category in categories}, current, policies)
    if may_keep(session):
        _kept.keep(merchant.id, book, _FRAME_BYTES + sum(in_memory(row.size) for row in rows if row.id in policies))
    return book
