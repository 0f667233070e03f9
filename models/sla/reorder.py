"""The order of the policies is set as a whole: each that moves gets its next version, all in one transaction."""

from collections.abc import Sequence

from models.audit import Change
from models.db.session import TenantSession
from models.errors import Invalid
from models.sla.configuration import add_versions, hold_configuration
from models.sla.definitions import Key
from models.sla.order import Placed
from models.sla.rulebook import rulebook
from models.sla.tables import ConfigurationKind


async def reorder(session: TenantSession, ids: Sequence[int], change: Change) -> list[Placed]:
    """Bring the policies into the order of ``ids``: their positions are 1, 2, 3 and so on. One that stands right keeps its version.
    Return them in the new order.

    Raises:
        Invalid: it is not each policy once. Conflict: there are enough versions, or they take too much room.
    """
    await hold_configuration(session)
    book = await rulebook(session)
    _require_each_once(ids, book.ordered)
    policies = {each.id: each.policy for each in book.ordered}
    order = [Placed(id_, policies[id_].model_copy(update={"position": place})) for place, id_ in enumerate(ids, 1)]
    moved = [(Key(each.id, book.current(each.id) + 1), each.policy) for each in order if each.policy != policies[each.id]]
    if moved:
        await add_versions(session, ConfigurationKind.POLICY, moved, change)
    return order


def _require_each_once(ids: Sequence[int], ordered: Sequence[Placed]) -> None:
    known = {each.id for each in ordered}
    for place, id_ in enumerate(ids):
        if id_ not in known:
            raise Invalid("unknown_policy", "There is no such policy.", f"/ids/{place}")
    if missing := sorted(known - set(ids)):
        detail = f"Name each policy once: {', '.join(map(str, missing))} is missing. GET this path lists them in their present order."
        raise Invalid("policy_missing", detail, "/ids")
