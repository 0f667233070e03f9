"""The table of permissions: each row whole, and what is left of it to a token of some organizers."""

import pytest

from models.people.permissions import OF_SOME_ORGANIZERS, TABLE, Permission, Scope, may
from models.people.roles import Role


@pytest.mark.parametrize("permission", Permission)
def test_from_agent_on_each_role_may_what_the_role_before_it_may(permission: Permission) -> None:
    _, *staff = TABLE[permission]
    assert len(staff) == len(Role) - 1
    assert staff == sorted(staff)


@pytest.mark.parametrize("permission", OF_SOME_ORGANIZERS)
def test_what_decides_for_the_whole_merchant_takes_a_token_of_all_of_it(permission: Permission) -> None:
    assert may([Role.ADMIN], permission) is Scope.ANY
    assert may([Role.ADMIN], permission, organizer_ids=[11]) is OF_SOME_ORGANIZERS[permission] < Scope.ANY


def test_a_token_of_no_organizer_decides_nothing_for_all() -> None:
    assert may([Role.ADMIN], Permission.EDIT_MERCHANT, organizer_ids=[]) is Scope.NONE


def test_of_several_roles_the_farthest_counts() -> None:
    assert may([Role.REPORTER, Role.AGENT], Permission.WRITE_NOTE) is Scope.ANY
    assert may([Role.REPORTER], Permission.WRITE_NOTE) is Scope.HIDDEN
