"""The OpenAPI document as it was last announced, and as the API serves it. ``python -m tests.http.snapshot`` writes it anew."""

import json
from pathlib import Path
from typing import Any

from api.app import ROUTERS, create_app
from api.context import Context
from api.http import openapi
from api.http.transaction import TransactionRoute

FILE = Path(openapi.__file__).parents[1] / "openapi.json"


def routes() -> list[TransactionRoute]:
    """The signed-in routes, in the order of the document."""
    return [route for router in ROUTERS for route in router.routes if isinstance(route, TransactionRoute)]


def document() -> dict[str, Any]:
    """The document of the app as it is now; the routes need no parts to describe themselves."""
    nothing: Any = None
    return create_app(Context(**dict.fromkeys(Context.__annotations__, nothing))).openapi()


def written(document: dict[str, Any]) -> str:
    """One line for each leaf: a change reads well in a review."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(written(document()))
