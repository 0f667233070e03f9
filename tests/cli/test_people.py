"""Merchants, teams, categories and agents, by the command line."""

from typing import Any
from uuid import uuid4

import pytest

from deploy.local.identity import Wanted
from models.people.roles import Role
from tests.support.command_line import CommandLine
from tests.support.desk import Desk, Merchant


async def test_a_merchant_is_added_listed_closed_and_reopened(anywhere: CommandLine) -> None:
    slug = f"new-{uuid4().hex[:8]}"
    made = await anywhere("merchants", "add", slug, "--name", "New", "--time-zone", "Europe/Berlin", "--json")
    assert (made.code, made.json["slug"], made.json["timeZone"]) == (0, slug, "Europe/Berlin")
    listed = await anywhere("merchants", "list")
    assert (listed.code, slug in listed.out) == (0, True)
    assert (await anywhere("merchants", "close", slug, "--json")).json["closedAt"] is not None
    assert (await anywhere("merchants", "reopen", made.json["id"], "--json")).json["closedAt"] is None
    assert (await anywhere("categories", "list", "--merchant", slug, "--json")).json[0]["name"] == "general"


async def test_a_merchant_that_is_named_wrongly_hides_no_merchants(anywhere: CommandLine) -> None:
    """``HELPDESK_MERCHANT`` may stay set from other work."""
    assert (await anywhere("merchants", "list", HELPDESK_MERCHANT="nowhere")).code == 0


async def test_a_slug_that_is_taken_is_refused_in_one_line(anywhere: CommandLine, acme: Merchant) -> None:
    ended = await anywhere("merchants", "add", f"acme-{acme.id}", "--name", "Acme")
    assert (ended.code, ended.out) == (5, "")
    assert ended.err == "Another merchant has this slug: choose another one. [slug_taken]\n"


async def test_a_team_a_category_and_an_agent(helpdesk: CommandLine) -> None:
    team = (await helpdesk("teams", "add", "Tills", "--json")).json
    category = await helpdesk("categories", "add", "tills", "--team", "Tills", "--default", "--json")
    assert (category.json["teamId"], category.json["isDefault"]) == (team["id"], True)
    words = ("--name", "Nora", "--email", "nora@desk.example", "--team", "Tills")
    agent = (await helpdesk("agents", "add", "nora", *words, "--json")).json
    assert (agent["role"], agent["teamId"]) == ("agent", team["id"])
    listed = await helpdesk("agents", "list", "--team", "Tills", "--json")
    assert [each["sub"] for each in listed.json] == ["nora"]
    away = await helpdesk("agents", "away", agent["id"], "--json")
    assert away.json["availability"] == "away"
    assert "available" in (await helpdesk("agents", "back", agent["id"])).out
    in_use = await helpdesk("teams", "retire", "Tills")
    assert (in_use.code, "[team_in_use]" in in_use.err) == (5, True)
    assert (await helpdesk("categories", "lead", "tills", "--team", "Support", "--json")).code == 0
    assert (await helpdesk("categories", "retire", "tills")).code == 0
    assert (await helpdesk("agents", "retire", agent["id"])).code == 0
    assert (await helpdesk("teams", "rename", "Tills", "Old tills", "--json")).json["name"] == "Old tills"
    assert (await helpdesk("teams", "retire", "Old tills")).out == "Old tills is retired\n"


async def test_what_is_called_like_markup_is_told_as_it_is_called(helpdesk: CommandLine) -> None:
    assert (await helpdesk("teams", "add", "[red]")).code == 0
    assert (await helpdesk("teams", "retire", "[red]")).out == "[red] is retired\n"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("teams", "retire", "Nowhere"), 3, "There are 0 teams of the name Nowhere"),
        (("categories", "retire", "none-such"), 3, "There is no such category."),
        (("agents", "retire", "9"), 3, "There is no such agent."),
        (("agents", "add", "x", "--name", "X", "--email", "no", "--team", "Support"), 5, "/email"),
        (("teams", "list", "--merchant", "nowhere"), 3, "There is no merchant nowhere"),
    ],
)
async def test_what_is_refused_has_a_line_and_a_code(words: tuple[str, ...], code: int, says: str, helpdesk: CommandLine) -> None:
    ended = await helpdesk(*words)
    assert (ended.code, says in ended.err, ended.err.count("\n"), ended.out) == (code, True, 1, ""), ended.err


async def test_without_a_merchant_it_says_how_to_name_one(anywhere: CommandLine) -> None:
    ended = await anywhere("teams", "list")
    assert (ended.code, "--merchant" in ended.err) == (5, True)


async def test_a_token_that_may_not_is_told_so(anywhere: CommandLine, desk: Desk, acme: Merchant) -> None:
    ana: dict[str, Any] = {"HELPDESK_TOKEN": desk.identity.token(Wanted(sub="ana", merchant_ids=(str(acme.id),), roles=(Role.AGENT,)))}
    assert (await anywhere("teams", "list", "--json", **ana)).json[0]["name"] == "Support"
    assert (await anywhere("teams", "add", "Mine", **ana)).code == 4
    assert (await anywhere("merchants", "list", **ana)).code == 4
    by_slug = await anywhere("teams", "list", "--merchant", f"acme-{acme.id}", **ana)
    assert (by_slug.code, "by its id" in by_slug.err) == (4, True)
    bad = await anywhere("teams", "list", HELPDESK_TOKEN="nonsense")
    assert (bad.code, "[unauthenticated]" in bad.err) == (4, True)


async def test_what_a_person_typed_does_not_command_the_terminal(helpdesk: CommandLine, acme: Merchant) -> None:
    await acme.adam.post("/teams", json={"name": "[red]x[/red] \u202ex"})
    listed = await helpdesk("teams", "list")
    assert "[red]x[/red] \N{REPLACEMENT CHARACTER}x" in listed.out
