"""How many teams, categories and agents a merchant may have, also of those that are retired; what was retired comes back."""

from typing import Any

import pytest

from models.people import agents, teams
from tests.support.desk import Merchant


@pytest.mark.parametrize(
    ("where", "most", "path", "named"),
    [
        (teams, "MAX_TEAMS", "/teams", {"name": "{0}"}),
        (teams, "MAX_CATEGORIES", "/categories", {"name": "{0}", "teamId": "{team}"}),
        (agents, "MAX_AGENTS", "/agents", {"sub": "{0}", "name": "{0}", "email": "{0}@x.example", "role": "agent", "teamId": "{team}"}),
    ],
)
async def test_the_number_is_limited_and_what_was_retired_comes_back(
    where: Any, most: str, path: str, named: dict[str, str], acme: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = (await acme.adam.get("/teams")).json()["data"][0]["id"]

    async def add(name: str) -> tuple[int, str | None]:
        answer = await acme.adam.post(path, json={key: value.format(name, team=team) for key, value in named.items()})
        return answer.status_code, answer.json().get("code")

    monkeypatch.setattr(where, most, len((await acme.adam.get(path)).json()["data"]) + 1)
    assert await add("one") == (201, None)
    assert await add("two") == (409, f"too_many{path.replace('/', '_')}")
    if path == "/teams":
        return
    one = (await acme.adam.get(path)).json()["data"][-1]
    assert (await acme.adam.delete(f"{path}/{one.get('id') or one['name']}")).status_code == 204
    assert await add("two") == (409, f"too_many{path.replace('/', '_')}")
    assert await add("one") == (201, None)
