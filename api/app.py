"""The API, put together."""

from fastapi import FastAPI

from api import problems
from api.context import Context
from api.document import Described
from api.edge import Edge
from api.health import router as health
from api.routes import (
    calendar_preview,
    conversation,
    history,
    jobs,
    letters,
    merchants,
    merging,
    people,
    process,
    recalculations,
    reports,
    rules,
    surveys,
    tickets,
)

BASE = "/v1/api/helpdesk"
ROUTES = (
    tickets,
    conversation,
    process,
    merging,
    history,
    letters,
    people,
    merchants,
    surveys,
    rules,
    calendar_preview,
    recalculations,
    jobs,
    reports,
)


def create_app(context: Context) -> FastAPI:
    app = Described(
        title="Helpdesk",
        version="1",
        summary="Tickets that keep their promises",
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,
        redoc_url=None,
    )
    app.state.context = context
    for module in ROUTES:
        app.include_router(module.router, prefix=BASE)
    app.include_router(health)
    problems.install(app)
    app.add_middleware(Edge)
    return app
