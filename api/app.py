"""The API, put together."""

from fastapi import FastAPI

from api import jobs, merchants, notifications, people, reports, surveys
from api.context import Context
from api.health import router as health
from api.http import problems
from api.http.middleware import Edge
from api.http.openapi import Described
from api.sla import calendar_preview, configuration, dry_runs, recalculations
from api.tickets import comments, history, merging, routes, transitions

BASE = "/v1/api/helpdesk"
ROUTES = (
    routes,
    comments,
    transitions,
    merging,
    history,
    notifications,
    people,
    merchants,
    surveys,
    configuration,
    calendar_preview,
    dry_runs,
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
