"""The table of permissions: each row whole, and what is left of it to a token of some organizers."""

import pytest

from models.people.permissions import OF_SOME_ORGANIZERS, TABLE, Permission, Scope, may
from models.people.roles import Role


@pytest.mark.parametrize("permission", Permission)
def test_an_action_reaches_as_far_for_a_higher_role(permission: Permission) -> None:
    row = TABLE[permission]
    assert len(row) == len(Role)
    assert all(row[-1] >= scope for scope in row)


@pytest.mark.parametrize("permission", OF_SOME_ORGANIZERS)
def test_what_decides_for_the_whole_merchant_takes_a_token_of_all_of_it(permission: Permission) -> None:
    assert may([Role.ADMIN], permission) is Scope.ANY
    assert may([Role.ADMIN], permission, organizer_ids=[11]) is OF_SOME_ORGANIZERS[permission] < Scope.ANY


def test_a_token_of_no_organizer_decides_nothing_for_all() -> None:
    assert may([Role.ADMIN], Permission.EDIT_MERCHANT, organizer_ids=[]) is Scope.NONE


def test_of_several_roles_the_farthest_counts() -> None:
    assert may([Role.REPORTER, Role.AGENT], Permission.WRITE_NOTE) is Scope.ANY
    assert may([Role.REPORTER], Permission.WRITE_NOTE) is Scope.HIDDEN
