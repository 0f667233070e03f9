"""The desk: what is due, late, escalated and told, over all merchants."""

from tests.deploy.grafana.panel import Panel, Rows, quantiles, rate

DESK: Rows = {
    "What is due and what is late": [
        Panel(
            "Overdue",
            "short",
            "Tickets whose deadline has passed without an act. It should be 0: runbook helpdeskQueueLag.",
            {"tickets": "max(helpdesk_deadlines_overdue)"},
            is_number=True,
        ),
        Panel(
            "Oldest overdue",
            "s",
            "For how long the oldest of these deadlines has been due.",
            {"age": "max(helpdesk_deadline_oldest_overdue_seconds)"},
            is_number=True,
        ),
        Panel(
            "Breached",
            "short",
            "Tickets at work whose worst clock has exceeded its target.",
            {"tickets": 'max(helpdesk_tickets_at_work{sla_status="breached"})'},
            is_number=True,
        ),
        Panel(
            "At risk",
            "short",
            "Tickets at work of which a warning was given and no target is exceeded yet.",
            {"tickets": 'max(helpdesk_tickets_at_work{sla_status="imminent"})'},
            is_number=True,
        ),
        Panel(
            "Tickets at work",
            "short",
            "By the status of the worst of their clocks; `none` has no clock.",
            {"{{sla_status}}": "max by (sla_status) (helpdesk_tickets_at_work)"},
        ),
        Panel(
            "Targets exceeded",
            "short",
            "In an hour, by metric. A spike wakes the lead: runbook helpdeskSlaBreachSpike.",
            {"{{metric}}": "sum by (metric) (increase(helpdesk_sla_breaches_total[1h]))"},
        ),
        Panel(
            "Lateness of deadlines",
            "s",
            "From the instant at which a deadline was due to the commit of the act. Usually below a second.",
            quantiles("helpdesk_deadline_lateness_seconds"),
        ),
        Panel(
            "Deadlines acted on",
            "ops",
            "A second, by kind.",
            {"{{kind}}": rate("helpdesk_deadline_lateness_seconds_count", "kind")},
        ),
        Panel(
            "Changes of clocks",
            "ops",
            "Rows of the ledger a second: started, paused, resumed, stopped and so on.",
            {"{{change}}": rate("helpdesk_sla_clock_changes_total", "change")},
        ),
    ],
    "Ladder": [
        Panel(
            "Rungs taken",
            "short",
            "In an hour, by level.",
            {"level {{level}}": "sum by (level) (increase(helpdesk_escalations_total[1h]))"},
        ),
        Panel(
            "How they ended",
            "short",
            "In an hour, by cause and outcome. `no_target`: nobody was available; `superseded`: a higher rung was due as well.",
            {"{{cause}}: {{outcome}}": "sum by (cause, outcome) (increase(helpdesk_escalations_total[1h]))"},
        ),
    ],
    "Queues": [
        Panel(
            "Waiting for an agent",
            "short",
            "Tickets at work in the queue of their team. They are assigned as soon as an agent is available with room for one more.",
            {"tickets": "max(helpdesk_tickets_queued)"},
        ),
        Panel(
            "Tickets and replies over HTTP",
            "ops",
            "Tickets opened and comments written a second, without those of e-mails and portals.",
            {
                "tickets": rate("helpdesk_http_requests_total", where='{method="POST",route="/tickets",status="201"}'),
                "comments": rate(
                    "helpdesk_http_requests_total", where='{method="POST",route="/tickets/{ticket_id}/messages",status="201"}'
                ),
            },
        ),
    ],
    "Notifications": [
        Panel(
            "Dead letters",
            "short",
            "Notifications that were given up and not replayed. Each needs a person: runbook helpdeskNotificationFail.",
            {"dead": 'max(helpdesk_notifications_open{status="dead"})'},
            is_number=True,
        ),
        Panel(
            "Pending",
            "short",
            "Notifications on their way, with those that wait for another attempt.",
            {"pending": 'max(helpdesk_notifications_open{status="pending"})'},
            is_number=True,
        ),
        Panel(
            "How deliveries end",
            "ops",
            "A second. `in_digest`: held back by the hourly limit of its address; `unknown`: the mail server was silent after DATA.",
            {"{{outcome}}": rate("helpdesk_notifications_total", "outcome")},
        ),
        Panel("What is told", "ops", "Notifications a second, by kind.", {"{{kind}}": rate("helpdesk_notifications_total", "kind")}),
        Panel(
            "Attempts",
            "ops",
            "Conversations with the mail server a second. After a `transient` one there is another.",
            {"{{outcome}}": rate("helpdesk_delivery_attempts_total", "outcome")},
        ),
        Panel(
            "How long an attempt takes",
            "s",
            "From the connection to the mail server's last response.",
            quantiles("helpdesk_delivery_attempt_duration_seconds"),
        ),
    ],
    "Jobs": [
        Panel("Running", "short", "Jobs that run now, by kind.", {"{{kind}}": "max by (kind) (helpdesk_jobs_running)"}),
        Panel(
            "Tickets looked at",
            "ops",
            "By jobs, a second; a failed one is in the job's report.",
            {"{{kind}}: {{outcome}}": rate("helpdesk_job_tickets_total", "kind", "outcome")},
        ),
    ],
}
