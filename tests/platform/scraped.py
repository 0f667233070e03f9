"""What a process says to Prometheus, read by the library's own parser."""

from collections.abc import Callable

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.desk import Desk

Scraped = dict[str, dict[tuple[str, ...], float]]
"""By the name of the series: values by the values of its labels, in the alphabetical order of the labels."""


def read(text: str) -> Scraped:
    found: Scraped = {}
    for family in text_string_to_metric_families(text):
        found.setdefault(family.name, {})
        for each in family.samples:
            found.setdefault(each.name, {})[tuple(each.labels[name] for name in sorted(each.labels))] = each.value
    return found


async def scrape(port: int) -> Scraped:
    async with httpx.AsyncClient(timeout=30) as client:
        response = await client.get(f"http://127.0.0.1:{port}/metrics")
    assert response.status_code == 200, response.text
    return read(response.text)


async def scraped_until(desk: Desk, port: int, is_so: Callable[[Scraped], bool]) -> Scraped:
    return await desk.until(lambda: scrape(port), is_so, seconds=60)
