"""Frames in, the rows of the page's tables out; plain values only. Columns as in data.py's ReportData."""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from tdscaling_assets.report.data import ReportData
from tdscaling_assets.report.rounds import Plan, first_plans, newest_rows, ordered, round_of

REASONS_SHOWN = 40


@dataclass(frozen=True)
class RoundRow:
    """One round, or `all`. Entropies in bits and CAC are over kept trajectories, tokens and USD over all;
    `usd` is null when no price is known, and `unpriced` counts trajectories without one. `new_domains` and `new_modes`
    count what no earlier round had kept; `cac_target` is the plan's, null where there is none."""

    name: str
    batches: int
    raw: int
    kept: int
    h_dom: float
    h_mode: float
    cac: float | None
    cac_target: float | None
    new_domains: int
    new_modes: int
    tokens: int
    usd: float | None
    unpriced: int

    @property
    def acceptance(self) -> float | None:
        """Share kept of all made; null when none was made."""
        return self.kept / self.raw if self.raw else None


@dataclass(frozen=True)
class PlanRow:
    """Why a round was started, and what it aims at."""

    name: str
    reason: str
    cac_target: float
    temperature: float


@dataclass(frozen=True)
class ReasonRow:
    """How many trajectories one rule rejected for one reason."""

    rule: str
    reason: str
    n: int


@dataclass(frozen=True)
class FigureRow:
    """One metric: its newest batch's own value and the cumulative one, as text with intervals."""

    metric: str
    batch: str
    cumulative: str


@dataclass(frozen=True)
class StudyFigure:
    """One metric of both arms at one budget, means over `seeds`; null where an arm lacks it."""

    basis: str
    metric: str
    budget: int
    quantity: float | None
    diversity: float | None
    seeds: int


def round_rows(data: ReportData) -> list[RoundRow]:
    """One row per round in order, then `all` when there is more than one."""
    counts = data.counts.with_columns(pl.col("batch").map_elements(round_of, return_dtype=pl.String).alias("round"))
    plans, rows = first_plans(data.plans), []
    earlier = data.outcomes.clear()
    for name in ordered(counts["round"]):
        own = data.outcomes.filter(pl.col("round") == name)
        rows.append(_round_row(name, counts.filter(pl.col("round") == name), own, earlier, plans.get(name)))
        earlier = pl.concat([earlier, own])
    whole = _round_row("all", counts, data.outcomes, data.outcomes.clear(), None)
    return [*rows, whole] if len(rows) > 1 else rows


def plan_rows(plans: pl.DataFrame) -> list[PlanRow]:
    """One row per round in order: the plan that its first batch ran under."""
    return [
        PlanRow(name, plan["reason"], plan["cac_target"], plan["temperature"])
        for name, plan in first_plans(plans).items()
    ]


_PARTICULARS = (  # what tells one rejection from another of its kind: answers, lists, texts, tools and paths in them
    r"(?s)\{.*\}",
    r"\[[^\]]*\]",
    r"'[^']*'",
    r"\b\w+__\w+(, \w+)*( \$\S*)?",
)


def reason_rows(rejections: pl.DataFrame) -> list[ReasonRow]:
    """Rejections by rule in funnel order, most frequent reason first; reasons that differ only in names, values or
    answers are one."""
    rules = {rule: position for position, rule in enumerate(rejections["rule"].unique(maintain_order=True))}
    reason = pl.col("reason")
    for particular in _PARTICULARS:
        reason = reason.str.replace_all(particular, "…")
    rows = rejections.group_by("rule", reason.alias("reason")).agg(pl.col("n").sum()).iter_rows()
    return sorted((ReasonRow(*row) for row in rows), key=lambda row: (rules[row.rule], -row.n, row.reason))


def figure_rows(metrics: pl.DataFrame) -> list[FigureRow]:
    """Every metric of the newest batch, by name."""
    texts = {
        (row["metric"], row["scope"]): _with_interval(row["value"], row["ci_low"], row["ci_high"])
        for row in newest_rows(metrics).iter_rows(named=True)
    }
    names = sorted({metric for metric, _ in texts})
    return [FigureRow(name, texts.get((name, "batch"), ""), texts.get((name, "cumulative"), "")) for name in names]


def study_rows(study: pl.DataFrame) -> list[StudyFigure]:
    """Each metric at the largest budget of its basis, as means over the seeds."""
    largest = study.filter(pl.col("budget") == pl.col("budget").max().over("basis", "metric"))
    means = largest.group_by("basis", "metric", "budget", "arm").agg(pl.col("value").mean(), pl.col("seed").n_unique())
    figures = []
    for (basis, metric, budget), own in means.group_by("basis", "metric", "budget"):
        values = dict(own.select("arm", "value").iter_rows())
        seeds = own["seed"].to_list()
        figures.append(
            StudyFigure(
                basis=str(basis),
                metric=str(metric),
                budget=int(str(budget)),
                quantity=values.get("quantity"),
                diversity=values.get("diversity"),
                seeds=max(seeds),
            )
        )
    return sorted(figures, key=lambda row: (row.basis != "kept", row.metric))


def plugin_entropy(values: pl.Series) -> float:
    """Plug-in Shannon entropy of the values' frequencies, in bits; 0 for none."""
    if values.is_empty():
        return 0.0
    bits = values.value_counts(name="n")["n"].cast(pl.Float64).entropy(base=2)
    return max(bits or 0.0, 0.0)


def _round_row(
    name: str, counts: pl.DataFrame, outcomes: pl.DataFrame, earlier: pl.DataFrame, plan: Plan | None
) -> RoundRow:
    known = earlier.filter("kept")
    kept = outcomes.filter("kept")
    prices = [price for price in outcomes["usd"] if price is not None]
    return RoundRow(
        name=name,
        batches=counts.height,
        raw=int(counts["raw"].sum()),
        kept=int(counts["kept"].sum()),
        h_dom=plugin_entropy(kept["domain"]),
        h_mode=plugin_entropy(kept["mode"]),
        cac=_mean(kept["cac"]),
        cac_target=plan["cac_target"] if plan else None,
        new_domains=len(set(kept["domain"]) - set(known["domain"])),
        new_modes=len(set(kept["mode"]) - set(known["mode"])),
        tokens=int(outcomes["tokens"].sum()),
        usd=sum(prices) if prices else None,
        unpriced=outcomes.height - len(prices),
    )


def _mean(values: Iterable[float]) -> float | None:
    numbers = list(values)
    return sum(numbers) / len(numbers) if numbers else None


def _with_interval(value: float, low: float | None, high: float | None) -> str:
    text = f"{value:,.4g}"
    return text if low is None or high is None else f"{text} ({low:,.4g} to {high:,.4g})"
