"""The machine: how the API, the workers, the database and Temporal are."""

from tests.deploy.grafana.panel import Panel, Rows, quantile, quantiles, rate

MACHINE: Rows = {
    "Requests": [
        Panel(
            "Requests", "reqps", "By method and route.", {"{{method}} {{route}}": rate("helpdesk_http_requests_total", "method", "route")}
        ),
        Panel(
            "Failed",
            "percentunit",
            "The part of the responses that are 5xx; 503 where the database is away or full.",
            {
                "failed": '(sum(rate(helpdesk_http_requests_total{status=~"5.."}[$__rate_interval])) or vector(0))'
                " / sum(rate(helpdesk_http_requests_total[$__rate_interval]))"
            },
        ),
        Panel("Duration", "s", "Of all requests, to the end of the response.", quantiles("helpdesk_http_request_duration_seconds")),
        Panel(
            "Slowest routes",
            "s",
            "The ten with the longest 95th percentile.",
            {"{{method}} {{route}}": f"topk(10, {quantile(0.95, 'helpdesk_http_request_duration_seconds', 'method', 'route')})"},
        ),
        Panel(
            "Statuses",
            "reqps",
            "Responses by status; 499: the client did not wait.",
            {"{{status}}": rate("helpdesk_http_requests_total", "status")},
        ),
        Panel(
            "Refused with 429",
            "reqps",
            "By what had asked for too much: a subject, a merchant, an address.",
            {"{{quota}}": rate("helpdesk_rate_limited_total", "quota")},
        ),
        Panel(
            "Age of the keys",
            "s",
            "Of the identity service's, by API process. Fresh ones are fetched every five minutes: runbook helpdeskJwksStale.",
            {"{{instance}}": "helpdesk_jwks_age_seconds"},
        ),
        Panel("Fetches of the keys", "ops", "By outcome.", {"{{outcome}}": rate("helpdesk_jwks_fetches_total", "outcome")}),
    ],
    "Database": [
        Panel(
            "Connections in use",
            "percentunit",
            "Of each process's pool. At 1 requests wait: runbook helpdeskDatabasePoolExhausted.",
            {"{{instance}}": "helpdesk_database_pool_in_use / helpdesk_database_pool_size"},
        ),
        Panel(
            "Wait for a connection",
            "s",
            "From the begin of a transaction to its first statement.",
            quantiles("helpdesk_database_connection_wait_seconds"),
        ),
        Panel(
            "No connection in time",
            "ops",
            "Transactions refused: the `pool` was empty, or the merchant had its `share` of it.",
            {"{{reason}}": rate("helpdesk_database_refused_total", "reason")},
        ),
        Panel(
            "The database answers",
            "bool",
            "Whether the gauges could be read: runbook helpdeskDatabaseUnreachable.",
            {"{{instance}}": "helpdesk_database_gauges_up"},
        ),
    ],
    "Outbox": [
        Panel("Waiting rows", "short", "By topic. Near 0 while Temporal is there.", {"{{topic}}": "max by (topic) (helpdesk_outbox_rows)"}),
        Panel(
            "Oldest row",
            "s",
            "By topic: runbook helpdeskOutboxAge.",
            {"{{topic}}": "max by (topic) (helpdesk_outbox_oldest_age_seconds)"},
        ),
        Panel(
            "Relayed",
            "ops",
            "Rows a second. `refused`: Temporal can't take them as they are.",
            {"{{topic}}: {{outcome}}": rate("helpdesk_relay_rows_total", "topic", "outcome")},
        ),
        Panel(
            "Lost and found",
            "short",
            "What the reconciliation sent again in an hour, what of it is still not acted on, and batches of a relay that failed."
            " All should be 0: runbook helpdeskReconciliationHeals.",
            {
                "healed: {{topic}}": "sum by (topic) (increase(helpdesk_reconciliation_healed_total[1h]))",
                "stuck": "max(helpdesk_reconciliation_stuck)",
                "failed batches": "sum(increase(helpdesk_relay_failures_total[1h]))",
            },
        ),
    ],
    "Temporal": [
        Panel(
            "Temporal answers",
            "bool",
            "Each process's own view: runbook helpdeskTemporalUnreachable.",
            {"{{instance}}": "helpdesk_temporal_up"},
        ),
        Panel(
            "Schedule to start",
            "s",
            "How long a workflow task waits for a worker, 95th percentile. When it grows, add workers: runbook helpdeskQueueLag.",
            {"{{task_queue}}": quantile(0.95, "temporal_workflow_task_schedule_to_start_latency_seconds", "task_queue")},
        ),
        Panel(
            "Workflow tasks",
            "s",
            "How long the worker's code takes for one, 95th percentile. A replay of a long history is slow.",
            {"{{workflow_type}}": quantile(0.95, "temporal_workflow_task_execution_latency_seconds", "workflow_type")},
        ),
        Panel(
            "Failed workflow tasks",
            "short",
            "In ten minutes. The workflow stands still until the code is mended: runbook helpdeskWorkflowTaskFailures.",
            {
                "{{workflow_type}}: {{failure_reason}}": (
                    "sum by (workflow_type, failure_reason) (increase(temporal_workflow_task_execution_failed_total[10m]))"
                )
            },
        ),
        Panel(
            "Activities",
            "s",
            "How long one takes, 95th percentile: a change of a ticket, a delivery.",
            {"{{activity_type}}": quantile(0.95, "temporal_local_activity_execution_latency_seconds", "activity_type")},
        ),
        Panel(
            "Free slots",
            "short",
            "How many more tasks all workers together would take now. At 0 tasks wait in Temporal.",
            {"{{task_queue}} {{worker_type}}": "sum by (task_queue, worker_type) (temporal_worker_task_slots_available)"},
        ),
        Panel(
            "Slots in use",
            "short",
            "Tasks that are under way.",
            {"{{task_queue}} {{worker_type}}": "sum by (task_queue, worker_type) (temporal_worker_task_slots_used)"},
        ),
        Panel(
            "Sticky cache",
            "short",
            "Workflows kept in memory, by worker. One that is not kept is replayed when something happens to it.",
            {"{{instance}} {{task_queue}}": "temporal_sticky_cache_size"},
        ),
        Panel(
            "Calls to Temporal",
            "s",
            "Of the workers, 95th percentile by operation.",
            {"{{operation}}": quantile(0.95, "temporal_request_latency_seconds", "operation")},
        ),
    ],
    "Processes": [
        Panel(
            "Processor",
            "percentunit",
            "Each process has one core: near 1 it needs company.",
            {"{{job}} {{instance}}": 'rate(process_cpu_seconds_total{job=~"helpdesk-.*"}[$__rate_interval])'},
        ),
        Panel("Memory", "bytes", "Resident, by process.", {"{{job}} {{instance}}": 'process_resident_memory_bytes{job=~"helpdesk-.*"}'}),
        Panel(
            "Open files",
            "short",
            "By process: connections are files, too.",
            {"{{job}} {{instance}}": 'process_open_fds{job=~"helpdesk-.*"}'},
        ),
        Panel(
            "Release",
            "short",
            "Processes by the service's code and the node in their ids.",
            {"{{code}} node {{node}}": "count by (code, node) (helpdesk_build_info)"},
        ),
    ],
}
