"""Who may do what: one row for each action, one column for each role. The API, the console and the tests read this table."""

from collections.abc import Iterable, Mapping
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final

from models.people.roles import Role


class Scope(IntEnum):
    """How far a permission reaches. Of several roles the one that reaches farthest counts."""

    HIDDEN = 0  # as if there were no such thing: 404
    NONE = 1  # refused: 403
    SEEN = 2  # refused on a ticket that the caller may see (403); another one is not there (404)
    OWN = 3  # on what is the caller's: their tickets, their availability; for a token of some organizers, what is about their tickets
    ANY = 4  # on everything of the merchant that the token reaches


class Permission(StrEnum):
    OPEN_TICKET = "open_ticket"
    READ_TICKETS = "read_tickets"
    READ_DELETED = "read_deleted"
    EDIT_TICKET = "edit_ticket"
    DELETE_TICKET = "delete_ticket"
    RESTORE_TICKET = "restore_ticket"
    REPLY = "reply"
    READ_MESSAGES = "read_messages"
    WRITE_NOTE = "write_note"
    READ_NOTES = "read_notes"
    ASSIGN = "assign"
    CLAIM = "claim"
    ESCALATE = "escalate"
    ACKNOWLEDGE = "acknowledge"
    PENDING = "pending"
    HOLD = "hold"
    RESUME = "resume"
    SNOOZE = "snooze"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    CLOSE = "close"
    MERGE = "merge"
    READ_HISTORY = "read_history"
    READ_SLA = "read_sla"
    READ_WORKFLOW = "read_workflow"
    READ_NOTIFICATIONS = "read_notifications"
    REPLAY_NOTIFICATION = "replay_notification"
    REPLAY_NOTIFICATIONS = "replay_notifications"
    READ_CONFIGURATION = "read_configuration"
    PUBLISH_CONFIGURATION = "publish_configuration"
    TRY_CONFIGURATION = "try_configuration"
    RECALCULATE = "recalculate"
    TRY_CALENDAR = "try_calendar"
    CHECK_SLA = "check_sla"
    CHECK_ALL_MERCHANTS = "check_all_merchants"
    LIST_JOBS = "list_jobs"
    READ_JOB = "read_job"
    STEER_CHECK = "steer_check"
    STEER_JOB = "steer_job"
    READ_SELF = "read_self"
    LIST_MERCHANTS = "list_merchants"
    CREATE_MERCHANT = "create_merchant"
    CLOSE_MERCHANT = "close_merchant"
    READ_MERCHANT = "read_merchant"
    EDIT_MERCHANT = "edit_merchant"
    READ_AGENTS = "read_agents"
    EDIT_AGENTS = "edit_agents"
    HAND_OVER = "hand_over"
    READ_TEAMS = "read_teams"
    EDIT_TEAMS = "edit_teams"
    READ_CATEGORIES = "read_categories"
    READ_AUDIT = "read_audit"
    SET_AVAILABILITY = "set_availability"
    READ_REPORTS = "read_reports"


_P = Permission
_HIDDEN, _NONE, _SEEN, _OWN, _ANY = Scope
_ROLES: Final = (Role.REPORTER, Role.AGENT, Role.SENIOR, Role.LEAD, Role.ADMIN, Role.OPERATOR)

# fmt: off
TABLE: Final[Mapping[Permission, tuple[Scope, ...]]] = MappingProxyType({
    #                         reporter  agent  senior lead   admin  operator
    _P.OPEN_TICKET:           (_OWN,    _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.READ_TICKETS:          (_OWN,    _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.READ_DELETED:          (_NONE,   _NONE, _NONE, _NONE, _ANY,  _ANY),
    _P.EDIT_TICKET:           (_SEEN,   _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.DELETE_TICKET:         (_SEEN,   _NONE, _NONE, _ANY,  _ANY,  _ANY),
    _P.RESTORE_TICKET:        (_NONE,   _NONE, _NONE, _NONE, _ANY,  _ANY),
    _P.REPLY:                 (_OWN,    _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.READ_MESSAGES:         (_OWN,    _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.WRITE_NOTE:            (_HIDDEN, _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.READ_NOTES:            (_HIDDEN, _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.ASSIGN:                (_SEEN,   _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.CLAIM:                 (_SEEN,   _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.ESCALATE:              (_SEEN,   _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.ACKNOWLEDGE:           (_SEEN,   _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.PENDING:               (_SEEN,   _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.HOLD:                  (_SEEN,   _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.RESUME:                (_SEEN,   _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.SNOOZE:                (_SEEN,   _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.RESOLVE:               (_OWN,    _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.REOPEN:                (_OWN,    _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.CLOSE:                 (_OWN,    _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.MERGE:                 (_SEEN,   _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.READ_HISTORY:          (_SEEN,   _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.READ_SLA:              (_SEEN,   _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.READ_WORKFLOW:         (_NONE,   _NONE, _NONE, _ANY,  _ANY,  _ANY),
    _P.READ_NOTIFICATIONS:    (_NONE,   _NONE, _NONE, _ANY,  _ANY,  _ANY),
    _P.REPLAY_NOTIFICATION:   (_HIDDEN, _NONE, _NONE, _ANY,  _ANY,  _ANY),
    _P.REPLAY_NOTIFICATIONS:  (_NONE,   _NONE, _NONE, _ANY,  _ANY,  _ANY),
    _P.READ_CONFIGURATION:    (_NONE,   _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.PUBLISH_CONFIGURATION: (_NONE,   _NONE, _NONE, _NONE, _ANY,  _ANY),
    _P.TRY_CONFIGURATION:     (_NONE,   _NONE, _NONE, _NONE, _ANY,  _ANY),
    _P.RECALCULATE:           (_NONE,   _NONE, _NONE, _NONE, _ANY,  _ANY),
    _P.TRY_CALENDAR:          (_NONE,   _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.CHECK_SLA:             (_NONE,   _NONE, _NONE, _ANY,  _ANY,  _ANY),
    _P.CHECK_ALL_MERCHANTS:   (_NONE,   _NONE, _NONE, _NONE, _NONE, _ANY),
    _P.LIST_JOBS:             (_NONE,   _NONE, _NONE, _ANY,  _ANY,  _ANY),
    _P.READ_JOB:              (_NONE,   _NONE, _NONE, _ANY,  _ANY,  _ANY),
    _P.STEER_CHECK:           (_NONE,   _NONE, _NONE, _ANY,  _ANY,  _ANY),
    _P.STEER_JOB:             (_NONE,   _NONE, _NONE, _NONE, _ANY,  _ANY),
    _P.READ_SELF:             (_OWN,    _OWN,  _OWN,  _OWN,  _OWN,  _OWN),
    _P.LIST_MERCHANTS:        (_NONE,   _NONE, _NONE, _NONE, _NONE, _ANY),
    _P.CREATE_MERCHANT:       (_NONE,   _NONE, _NONE, _NONE, _NONE, _ANY),
    _P.CLOSE_MERCHANT:        (_NONE,   _NONE, _NONE, _NONE, _NONE, _ANY),
    _P.READ_MERCHANT:         (_NONE,   _NONE, _NONE, _NONE, _ANY,  _ANY),
    _P.EDIT_MERCHANT:         (_NONE,   _NONE, _NONE, _NONE, _ANY,  _ANY),
    _P.READ_AGENTS:           (_NONE,   _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.EDIT_AGENTS:           (_NONE,   _NONE, _NONE, _NONE, _ANY,  _ANY),
    _P.HAND_OVER:             (_NONE,   _NONE, _NONE, _ANY,  _ANY,  _ANY),
    _P.READ_TEAMS:            (_NONE,   _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.EDIT_TEAMS:            (_NONE,   _NONE, _NONE, _NONE, _ANY,  _ANY),
    _P.READ_CATEGORIES:       (_OWN,    _ANY,  _ANY,  _ANY,  _ANY,  _ANY),
    _P.READ_AUDIT:            (_NONE,   _NONE, _NONE, _NONE, _ANY,  _ANY),
    _P.SET_AVAILABILITY:      (_NONE,   _OWN,  _OWN,  _ANY,  _ANY,  _ANY),
    _P.READ_REPORTS:          (_NONE,   _NONE, _NONE, _ANY,  _ANY,  _ANY),
}
)
# fmt: on

OF_ALL_MERCHANTS: Final = frozenset({_P.LIST_MERCHANTS, _P.CREATE_MERCHANT})
"""What a token for all merchants does without naming one."""

OF_ALL_OR_ONE: Final = frozenset({_P.CHECK_SLA, _P.LIST_JOBS, _P.READ_JOB, _P.STEER_CHECK, _P.READ_AUDIT})
"""What a token for all merchants does for the one that it names; naming none, for what belongs to no merchant."""

OF_SOME_ORGANIZERS: Final[Mapping[Permission, Scope]] = MappingProxyType(
    {
        _P.PUBLISH_CONFIGURATION: _NONE,
        _P.TRY_CONFIGURATION: _NONE,
        _P.RECALCULATE: _NONE,
        _P.REPLAY_NOTIFICATIONS: _NONE,
        _P.CHECK_ALL_MERCHANTS: _NONE,
        _P.LIST_JOBS: _NONE,
        _P.STEER_JOB: _NONE,
        _P.LIST_MERCHANTS: _NONE,
        _P.CREATE_MERCHANT: _NONE,
        _P.CLOSE_MERCHANT: _NONE,
        _P.EDIT_MERCHANT: _NONE,
        _P.EDIT_AGENTS: _NONE,
        _P.HAND_OVER: _NONE,
        _P.EDIT_TEAMS: _NONE,
        _P.READ_AUDIT: _NONE,
        _P.CHECK_SLA: _OWN,
        _P.READ_JOB: _OWN,
        _P.STEER_CHECK: _OWN,
        _P.SET_AVAILABILITY: _OWN,
    }
)
"""What decides for the whole merchant, and the most that is left of it to a token which is good for some organizers only."""

_CELLS: Final = {(role, permission): scope for permission, row in TABLE.items() for role, scope in zip(_ROLES, row, strict=True)}


def may(roles: Iterable[Role], permission: Permission, organizer_ids: Iterable[int] | None = None) -> Scope:
    """How far ``permission`` reaches for ``roles``. ``organizer_ids`` are those that the token names; None is all of the merchant."""
    scope = max(_CELLS[role, permission] for role in roles)
    return scope if organizer_ids is None else min(scope, OF_SOME_ORGANIZERS.get(permission, scope))


def granted(roles: Iterable[Role], organizer_ids: Iterable[int] | None = None) -> dict[Permission, Scope]:
    """What ``roles`` may do at all, and how far: on what is theirs, or on everything that their token reaches."""
    reach = {permission: may(roles, permission, organizer_ids) for permission in Permission}
    return {permission: scope for permission, scope in reach.items() if scope >= Scope.OWN}
