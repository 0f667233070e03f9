"""docs/permissions.md, made of the table in the code. ``python -m tests.people.permissions_page`` writes it anew."""

from collections import defaultdict
from pathlib import Path

from models.people.permissions import OF_SOME_ORGANIZERS, TABLE, Permission, Scope
from models.people.roles import Role
from tests.auth.table_of_routes import permissions

FILE = Path(__file__).parents[2] / "docs" / "permissions.md"
WORDS = {Scope.HIDDEN: "404", Scope.NONE: "403", Scope.SEEN: "403", Scope.OWN: "own", Scope.ANY: "any"}
_HEAD = """# Permissions

Made from `models/people/permissions.py` by `python -m tests.people.permissions_page`; a test fails when it is stale. `GET /me` tells the
permissions of a token.

| cell | meaning |
|---|---|
| any | on everything of the merchant that the token reaches: with `organizerIds` in it, on the tickets of those organizers only |
| own | on what is theirs: a reporter's tickets, an agent's availability; with `organizerIds`, what is about one of their tickets |
| 403 | refused. On a ticket that they may not see either, it is 404, as on one that does not exist |
| 404 | as if there were no such thing |

Of several roles in a token the one that reaches farthest counts. *Some organizers* is the most that is left to a token that names
organizers; where it is empty, nothing changes but which tickets are reached.

What a reporter may decide of a ticket that they open: subject, description, category, and a priority up to the merchant's
`reporterPriorityLimit`. Tags, custom fields, channel and an organizer that the token does not name are the staff's (403).

"""
INSIDE = {
    Permission.READ_DELETED: "`includeDeleted` of a list, a deleted ticket by its id",
    Permission.READ_WORKFLOW: "`links.workflow` of a single ticket",
    Permission.CHECK_ALL_MERCHANTS: "`allMerchants` of `POST /sla/checks`",
    Permission.STEER_JOB: "the same of a recalculation or a dry run; of a handover they take `hand_over`",
}
"""What is asked for inside of routes that have another permission."""


def page() -> str:
    routes: dict[Permission, list[str]] = defaultdict(list)
    for (method, path), permission in permissions().items():
        routes[permission].append(f"`{method} {path}`")
    roles = [role.value for role in Role]
    head = ["permission", *roles, "some organizers", "routes"]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for permission, cells in TABLE.items():
        narrowed = WORDS[OF_SOME_ORGANIZERS[permission]] if permission in OF_SOME_ORGANIZERS else ""
        row = [f"`{permission}`", *(WORDS[cell] for cell in cells), narrowed, ", ".join(routes[permission]) or INSIDE[permission]]
        lines.append(f"| {' | '.join(row)} |")
    return _HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(page())
