"""What was measured, beside its bound."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from models.value import Value


class Bound(StrEnum):
    AT_MOST = "<="
    AT_LEAST = ">="


class Budget(Value):
    """A figure of the README. ``unit`` is for reading only."""

    name: str
    bound: Bound
    limit: float
    unit: str


@dataclass(frozen=True)
class Row:
    """A measured figure; ``bare`` is the same kind of figure of bare Temporal or of the bare database on this machine, in this run."""

    budget: Budget
    measured: float
    bare: float | None = None
    also: str = ""

    @property
    def is_kept(self) -> bool:
        limit = self.budget.limit
        return self.measured <= limit if self.budget.bound is Bound.AT_MOST else self.measured >= limit


@dataclass(frozen=True)
class Ceiling:
    """A figure of the bare machine."""

    name: str
    measured: str


_Line = tuple[str, str, str, str, str, str]


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least ``share`` of all are not above (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(ceil(share * len(ordered)), 1) - 1]


def p50(values: Iterable[float]) -> float:
    return percentile(values, 0.50)


def p99(values: Iterable[float]) -> float:
    return percentile(values, 0.99)


def text_of(ceilings: Sequence[Ceiling], rows: Sequence[Row], notes: Sequence[str]) -> str:
    """The one table of the benchmark."""
    lines: list[_Line] = [(ceiling.name, "", ceiling.measured, "", "bare", "") for ceiling in ceilings]
    lines += [_line(row) for row in rows]
    head = ("what", "bound", "measured", "x bare", "verdict", "also")
    widths = [max(len(line[place]) for line in [head, *lines]) for place in range(len(head))]
    ruled: list[tuple[str, ...]] = [head, tuple("-" * width for width in widths), *lines]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in ruled]
    return "\n".join([*shown, "", *notes])


def _line(row: Row) -> _Line:
    budget = row.budget
    ratio = f"{row.measured / row.bare:.2f}" if row.bare else ""
    bound = f"{budget.bound} {budget.limit:g} {budget.unit}"
    return (budget.name, bound, f"{row.measured:.4g} {budget.unit}", ratio, "kept" if row.is_kept else "MISSED", row.also)
