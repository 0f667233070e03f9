"""The table of permissions: each row whole, and what is left of it to a token of some organizers."""

import pytest

from models.people.permissions import OF_SOME_ORGANIZERS, TABLE, Permission, Scope, may
from models.people.roles import Role
from tests.people.permissions_page import FILE, page
from tests.support.desk import Merchant


@pytest.mark.parametrize("permission", Permission)
def test_from_agent_on_each_role_may_what_the_role_before_it_may(permission: Permission) -> None:
    _, *staff = TABLE[permission]
    assert len(staff) == len(Role) - 1
    assert staff == sorted(staff)


@pytest.mark.parametrize("permission", OF_SOME_ORGANIZERS)
def test_what_decides_for_the_whole_merchant_takes_a_token_of_all_of_it(permission: Permission) -> None:
    assert may([Role.OPERATOR], permission) is Scope.ANY
    assert may([Role.ADMIN], permission, organizer_ids=[11]) is OF_SOME_ORGANIZERS[permission] < Scope.ANY


def test_a_token_of_no_organizer_decides_nothing_for_all() -> None:
    assert may([Role.ADMIN], Permission.EDIT_MERCHANT, organizer_ids=[]) is Scope.NONE


def test_of_several_roles_the_farthest_counts() -> None:
    assert may([Role.REPORTER, Role.AGENT], Permission.WRITE_NOTE) is Scope.ANY
    assert may([Role.REPORTER], Permission.WRITE_NOTE) is Scope.HIDDEN


def test_the_page_says_what_the_table_says() -> None:
    assert FILE.read_text() == page(), "write it anew: python -m tests.people.permissions_page"


async def test_me_tells_a_reporter_what_they_may_do(acme: Merchant) -> None:
    me = (await acme.rita.get("/me")).json()
    assert (me["isEmailVerified"], me["organizerIds"], me["agentId"]) == (True, None, None)
    assert {each["scope"] for each in me["permissions"]} == {"own"}
    assert [each["permission"] for each in me["permissions"]] == [
        "open_ticket", "read_tickets", "reply", "read_messages", "resolve", "reopen", "close", "read_self", "read_categories",
    ]  # fmt: skip


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.REPORTER])
@pytest.mark.parametrize("organizers", [None, ("77", "78")])
async def test_me_tells_what_the_table_gives_to_the_token(organizers: tuple[str, ...] | None, role: Role, acme: Merchant) -> None:
    me = (await acme.client("mara", role, organizer_ids=organizers).get("/me")).json()
    told = {each["permission"]: Scope[each["scope"].upper()] for each in me["permissions"]}
    assert me["organizerIds"] == (None if organizers is None else list(organizers))
    assert told == {each: scope for each in Permission if (scope := may([role], each, [77, 78] if organizers else None)) >= Scope.OWN}


async def test_a_lead_of_some_organizers_says_of_themselves_only_whether_they_are_there(acme: Merchant) -> None:
    """An agent works for all organizers of the merchant: whether they are there decides about the tickets of all."""
    narrow = acme.client("lars", "lead", organizer_ids=("77",))
    said = {
        name: (await narrow.put(f"/agents/{acme.agents[name]}/availability", json={"state": "away"})).status_code for name in acme.agents
    }
    assert said == {"ana": 403, "leo": 403, "sina": 403, "lars": 200}
