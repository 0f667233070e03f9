"""docs/metrics.md, made of the table in the code. ``python -m tests.platform.metrics_page`` writes it anew."""

from pathlib import Path

from models.platform.metrics import SDK, TABLE, Described

FILE = Path(__file__).parents[2] / "docs" / "metrics.md"
_HEAD = """# Metrics

Made from `models/platform/metrics.py` by `python -m tests.platform.metrics_page`; a test fails when it is stale.

Each process answers `GET /metrics` on a port of its own, in Prometheus' text format and without a token: keep these ports within your own
network. No label holds the id of a merchant, a ticket or a person.

| what | port | job |
|---|---|---|
| API | 9464, `APP_ENV_HTTP_METRICS_PORT` | `helpdesk-api` |
| worker | 9465, `APP_ENV_WORKER_METRICS_PORT` | `helpdesk-worker` |
| Temporal's SDK in the worker | 9466, `APP_ENV_TEMPORAL_METRICS_PORT` | `helpdesk-worker-sdk` |

```yaml
scrape_configs:
  - {job_name: helpdesk-api, static_configs: [{targets: ["api:9464"]}]}
  - {job_name: helpdesk-worker, static_configs: [{targets: ["worker:9465"]}]}
  - {job_name: helpdesk-worker-sdk, static_configs: [{targets: ["worker:9466"]}]}
rule_files: [deploy/prometheus/rules.yaml]
```

Several processes of a part on one host (`APP_ENV_HTTP_PROCESSES`, `APP_ENV_WORKER_PROCESSES`) are targets of their own: the second's ports
are ten above the first's, the third's twenty.

The alerts in [rules.yaml](../deploy/prometheus/rules.yaml) go by these jobs; each has its page in [runbooks](runbooks).
Grafana's dashboards are in [deploy/grafana](../deploy/grafana), the desk and the machine, with what tells Grafana of them and
of Prometheus. They are made by `python -m tests.deploy.grafana.dashboards`.

A counter counts what one process has done since it started, once it was committed: sum over the processes. Gauges of the outbox, of
tickets, notifications and jobs are read from the database, by one statement of at most two seconds and at most every five seconds, in each
worker: every worker tells the same, so take their `max`. Where the database does not answer they are `NaN`, and
`helpdesk_database_gauges_up` is 0.
What a process says is at most five seconds old. Beside these there are the usual `process_*` and `python_*`.

"""
_SDK = """
## Temporal's SDK

The SDK has [many more](https://docs.temporal.io/references/sdk-metrics), durations in seconds. Alerts, runbooks and dashboards name these:

"""


def page() -> str:
    ours = [row for row in TABLE if row.found_in != SDK]
    return _HEAD + _table(ours) + _SDK + _table([row for row in TABLE if row.found_in == SDK])


def _table(rows: list[Described]) -> str:
    lines = [f"| `{r.name}` | {r.kind} | {', '.join(f'`{label}`' for label in r.labels)} | {r.found_in} | {r.meaning} |" for r in rows]
    return "\n".join(["| name | kind | labels | in | meaning |", "|---|---|---|---|---|", *lines, ""])


if __name__ == "__main__":
    FILE.write_text(page())
