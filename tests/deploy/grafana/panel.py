"""A panel of a dashboard, and the expressions that most of them ask."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Panel(NamedTuple):
    """``queries`` by their legend. ``unit`` is Grafana's. A ``is_number`` panel shows the last value alone, a third as wide."""

    title: str
    unit: str
    description: str
    queries: Mapping[str, str]
    is_number: bool = False


Rows = Mapping[str, Sequence[Panel]]


def rate(counter: str, *by: str, where: str = "") -> str:
    return f"sum by ({', '.join(by)}) (rate({counter}{where}[$__rate_interval]))"


def quantile(quantile: float, histogram: str, *by: str, where: str = "") -> str:
    return f"histogram_quantile({quantile}, sum by ({', '.join(('le', *by))}) (rate({histogram}_bucket{where}[$__rate_interval])))"


def quantiles(histogram: str, *by: str, where: str = "") -> dict[str, str]:
    label = " ".join(["", *(f"{{{{{name}}}}}" for name in by)])
    return {f"p{round(q * 100)}{label}": quantile(q, histogram, *by, where=where) for q in (0.5, 0.95, 0.99)}
