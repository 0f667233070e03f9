"""The API, put together."""

from fastapi import FastAPI

from api import agents, audit, docs, jobs, merchants, notifications, people, reports, surveys, teams
from api.context import Context
from api.health import Readiness
from api.health import router as health
from api.http import problems
from api.http.middleware import Edge
from api.http.openapi import Described
from api.portal import console
from api.portal import routes as portal
from api.sla import calendars, ladders, policies
from api.tickets import comments, history, routes, transitions
from models.platform.addresses import BASE

ROUTERS = tuple(
    module.router
    for module in (
        routes,
        comments,
        transitions,
        history,
        notifications,
        people,
        agents,
        teams,
        merchants,
        audit,
        surveys,
        calendars,
        policies,
        ladders,
        jobs,
        reports,
    )
)


PROBES = ("/healthz", "/readyz")


def create_app(context: Context) -> FastAPI:
    app = Described(
        title="Helpdesk",
        version="1",
        summary="Tickets whose deadlines are kept",
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        telemetry={"metrics": False, "logs": False, "operation_spans": False, "exclude": lambda scope: scope["path"] in PROBES},
    )
    app.state.context = context
    app.state.readiness = Readiness(context)
    for router in ROUTERS:
        app.include_router(router, prefix=BASE)
    for pages in (health, portal.router, console.router):
        app.include_router(pages)
    docs.install(app)
    problems.install(app)
    app.add_middleware(Edge)
    return app
