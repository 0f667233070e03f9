"""All that this service measures, in one table: what Prometheus scrapes, what docs/metrics.md says, what an alert may name.

A label has few values, all known beforehand: never an id, an address, or a word of a caller's. What follows from a transaction is counted
once it is committed: see :meth:`models.db.session.TenantSession.once_committed`.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Final, NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from models.notifications.kinds import NotificationKind
from models.notifications.messages import NotificationStatus

disable_created_metrics()  # type: ignore[no-untyped-call] # a series for each series, which no alert and no panel asks for
REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)
API, WORKER, BOTH, SDK = "API", "worker", "API, worker", "Temporal's SDK in the worker"


class Described(NamedTuple):
    """``name`` is as it is scraped; a histogram's also with ``_bucket``, ``_sum`` and ``_count`` behind it."""

    name: str
    kind: str
    found_in: str
    meaning: str
    labels: Sequence[str]


TABLE: Final[list[Described]] = []


def _counter(found_in: str, name: str, meaning: str, *labels: str) -> Counter:
    TABLE.append(Described(name, "counter", found_in, meaning, labels))
    return Counter(name, meaning, labels, registry=REGISTRY)


def _gauge(found_in: str, name: str, meaning: str, *labels: str) -> Gauge:
    TABLE.append(Described(name, "gauge", found_in, meaning, labels))
    return Gauge(name, meaning, labels, registry=REGISTRY)


def _histogram(found_in: str, buckets: Sequence[float], name: str, meaning: str, *labels: str) -> Histogram:
    TABLE.append(Described(name, "histogram", found_in, meaning, labels))
    return Histogram(name, meaning, labels, registry=REGISTRY, buckets=buckets)


_REQUEST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_WAIT = (0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_LATE = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
# fmt: off
BUILD = _gauge(BOTH, "helpdesk_build_info", "Always 1: the service's code, and the node in every id that it makes.", "code", "node")
# Requests
REQUESTS = _counter(
    API, "helpdesk_http_requests_total",
    "Responses, by route template without the base path; status 499: the client did not wait; route `none`: none has that path.",
    "method", "route", "status")
REQUEST_SECONDS = _histogram(
    API, _REQUEST, "helpdesk_http_request_duration_seconds", "From a request's headers to the end of its response.", "method", "route")
RATE_LIMITED = _counter(API, "helpdesk_rate_limited_total", "Requests refused with 429, by what had asked for too much.", "quota")
JWKS_AGE = _gauge(API, "helpdesk_jwks_age_seconds", "Age of the identity service's keys; +Inf when none is known.")
JWKS_FETCHES = _counter(API, "helpdesk_jwks_fetches_total", "Fetches of the identity service's keys.", "outcome")
# Database
POOL_SIZE = _gauge(BOTH, "helpdesk_database_pool_size", "Connections that the application role's pool may have.")
POOL_IN_USE = _gauge(BOTH, "helpdesk_database_pool_in_use", "Connections of that pool that transactions have now.")
POOL_WAIT = _histogram(
    BOTH, _WAIT, "helpdesk_database_connection_wait_seconds",
    "From the begin of a transaction to its first statement: mostly the wait for a connection, or for the merchant's share of them.")
POOL_REFUSED = _counter(
    BOTH, "helpdesk_database_refused_total",
    "Transactions that got no connection in time: the `pool` was empty, or the merchant had its `share` of it.", "reason")
GAUGES_UP = _gauge(
    WORKER, "helpdesk_database_gauges_up",
    "1 when the gauges that are read from the database could be read; 0 when it did not answer within two seconds.")
# Outbox and Temporal
TEMPORAL_UP = _gauge(BOTH, "helpdesk_temporal_up", "1 when Temporal answers a health check, 0 when it does not within two seconds.")
OUTBOX_ROWS = _gauge(WORKER, "helpdesk_outbox_rows", "Rows that wait for the relay, counted up to 100,000.", "topic")
OUTBOX_AGE = _gauge(
    WORKER, "helpdesk_outbox_oldest_age_seconds", "Age of the oldest row that waits for the relay, of those counted.", "topic")
RELAYED = _counter(
    BOTH, "helpdesk_relay_rows_total",
    "Rows that a relay had in hand: `sent`; `not_sent`, to be tried again soon; `refused` by Temporal as they are.", "topic", "outcome")
RELAY_FAILURES = _counter(BOTH, "helpdesk_relay_failures_total", "Batches of a relay that failed as a whole: the database was away.")
HEALED = _counter(
    WORKER, "helpdesk_reconciliation_healed_total", "What was lost, and sent again by the reconciliation. It should stay 0.", "topic")
STUCK = _gauge(WORKER, "helpdesk_reconciliation_stuck", "What was sent again and is still not acted on, counted up to 10,000.")
# Deadlines, clocks and rungs
DEADLINE_LATENESS = _histogram(
    BOTH, _LATE, "helpdesk_deadline_lateness_seconds",
    "From the instant at which a deadline was due to the commit of the act. Its count is how many were acted on.", "kind")
DEADLINES_OVERDUE = _gauge(
    WORKER, "helpdesk_deadlines_overdue", "Tickets whose next deadline has passed without an act, counted up to 10,000.")
DEADLINE_OVERDUE_SECONDS = _gauge(
    WORKER, "helpdesk_deadline_oldest_overdue_seconds", "For how long the oldest of these deadlines has been due.")
TICKETS = _gauge(
    WORKER, "helpdesk_tickets_at_work",
    "Tickets neither resolved nor closed, by the status of the worst of their SLA clocks, counted up to 100,000.", "sla_status")
QUEUED = _gauge(WORKER, "helpdesk_tickets_queued", "Of these the tickets that wait for an agent of their team.")
CLOCK_CHANGES = _counter(
    BOTH, "helpdesk_sla_clock_changes_total",
    "SLA clocks started, paused, resumed, retimed, restarted, stopped, cancelled: the rows of the ledger.", "metric", "change")
BREACHES = _counter(BOTH, "helpdesk_sla_breaches_total", "Targets that were exceeded.", "metric")
RUNGS = _counter(
    BOTH, "helpdesk_escalations_total",
    "Rungs taken; by a `deadline` or `manual`; `reassigned`, `notified`, `no_target` or `superseded`.", "level", "cause", "outcome")
# Notifications
NOTIFICATIONS = _counter(
    WORKER, "helpdesk_notifications_total",
    "Notifications by how their delivery ended; `dead`: after five attempts, or after one that would always fail.",
    "kind", "channel", "outcome")
NOTIFICATIONS_OPEN = _gauge(
    WORKER, "helpdesk_notifications_open", "Notifications that are pending or dead now, each counted up to 10,000.", "status")
ATTEMPTS = _counter(
    WORKER, "helpdesk_delivery_attempts_total",
    "Attempts to deliver a notification; after a `transient` one there is another.", "channel", "outcome")
ATTEMPT_SECONDS = _histogram(
    WORKER, _REQUEST, "helpdesk_delivery_attempt_duration_seconds", "One conversation with the mail server.", "channel")
# Jobs
JOBS_RUNNING = _gauge(WORKER, "helpdesk_jobs_running", "Jobs that run now, counted up to 10,000.", "kind")
JOBS_DONE = _counter(WORKER, "helpdesk_jobs_done_total", "Jobs that have looked at all their tickets.", "kind")
JOB_TICKETS = _counter(
    WORKER, "helpdesk_job_tickets_total", "Tickets that jobs have looked at, and those that failed.", "kind", "outcome")
# fmt: on

# Of the many that Temporal's SDK measures, those that an alert, a runbook or a dashboard names.
TABLE.extend(
    (
        Described(
            "temporal_workflow_task_execution_failed_total",
            "counter",
            SDK,
            "Workflow tasks that failed: the workflow stands still. `NonDeterminismError`: its history is not what this release would do.",
            ("workflow_type", "failure_reason"),
        ),
        Described(
            "temporal_workflow_task_schedule_to_start_latency_seconds",
            "histogram",
            SDK,
            "How long workflow tasks waited for a worker.",
            ("task_queue",),
        ),
        Described(
            "temporal_worker_task_slots_available",
            "gauge",
            SDK,
            "How many more tasks of a kind the worker would take now.",
            ("task_queue", "worker_type"),
        ),
        Described(
            "temporal_worker_task_slots_used", "gauge", SDK, "How many tasks of a kind are under way.", ("task_queue", "worker_type")
        ),
        Described(
            "temporal_workflow_task_execution_latency_seconds",
            "histogram",
            SDK,
            "How long the worker's code took for a workflow task, with a replay if there was one.",
            ("task_queue", "workflow_type"),
        ),
        Described(
            "temporal_local_activity_execution_latency_seconds",
            "histogram",
            SDK,
            "How long an activity took on the worker that has its workflow: nearly all of ours are such.",
            ("task_queue", "workflow_type", "activity_type"),
        ),
        Described("temporal_sticky_cache_size", "gauge", SDK, "Workflows that the worker keeps in memory.", ("task_queue",)),
        Described("temporal_request_latency_seconds", "histogram", SDK, "Calls of the worker to Temporal.", ("operation",)),
    )
)

# Prometheus sees no increase in a series that begins with 1: where an alert waits for the first one, there is a 0 from the start.
_TOPICS = ("ticket", "job", "delivery")
_ENDINGS = (NotificationStatus.SENT, NotificationStatus.UNKNOWN, NotificationStatus.DEAD, NotificationStatus.IN_DIGEST)
_BEGUN: Final[Mapping[Counter, Iterable[Sequence[str]]]] = {
    RATE_LIMITED: product(("subject", "merchant", "address")),
    JWKS_FETCHES: product(("fetched", "failed")),
    POOL_REFUSED: product(("pool", "share")),
    RELAYED: product(_TOPICS, ("sent", "not_sent", "refused")),
    HEALED: product(_TOPICS),
    BREACHES: product(("first_response", "next_response", "resolution")),
    NOTIFICATIONS: product(NotificationKind, ("email",), _ENDINGS),
    ATTEMPTS: product(("email",), ("sent", "transient", "permanent", "unknown")),
}
for _counted, _series in _BEGUN.items():
    for _values in _series:
        _counted.labels(*_values)
