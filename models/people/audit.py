"""The audit of what is changed outside tickets: people, SLA configuration, jobs. Append-only; the database grants nothing else."""

from collections.abc import Mapping
from typing import Any

from pydantic.alias_generators import to_camel
from pydantic_core import to_jsonable_python

from models.audit import Change
from models.db.session import TenantSession
from models.people.tables import Agent, AuditEntry, Category, Merchant, Team


def record(session: TenantSession, change: Change, kind: str, subject_id: int, **changes: Any) -> None:
    """Have an entry inserted by the next write. ``kind`` is of the form ``team.created``; a change is a pair of before and after."""
    entry = {"id": session.new_id(), "at": change.at, "actor": change.by.as_text, "request_id": change.request_id}
    session.append(AuditEntry, merchant_id=session.merchant_id, **entry, kind=kind, subject_id=subject_id, changes=changes)


async def edit(
    session: TenantSession, row: Merchant | Team | Category | Agent, wanted: Mapping[str, Any], change: Change, kind: str
) -> None:
    """Give a locked row the values that differ, a new version and an entry. Without a difference nothing happens."""
    changes = {name: [getattr(row, name), value] for name, value in wanted.items() if getattr(row, name) != value}
    if changes:
        row.sqlmodel_update({name: value for name, (_, value) in changes.items()})
        row.version += 1
        record(session, change, kind, row.id, **{to_camel(name): [_shown(name, each) for each in pair] for name, pair in changes.items()})
        await session.write()


def _shown(name: str, value: object) -> object:
    """As the API shows it: an id is a text, for JSON's numbers end at 2**53."""
    return str(value) if name.endswith("_id") and value is not None else to_jsonable_python(value)
