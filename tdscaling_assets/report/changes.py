"""ReportData in, what sets one round apart from another out: what was decided and why, and what came of it."""

import itertools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from statistics import fmean

import polars as pl

from tdscaling_assets.report.data import ReportData
from tdscaling_assets.report.rounds import (
    Plan,
    applied_shares,
    batch_order,
    first_plans,
    ordered,
    read_map,
    read_weights,
)
from tdscaling_assets.report.tables import plugin_entropy

SHIFTS_SHOWN = 6
NEW_SHOWN = 12
WEIGHTS = {
    "domain_weights": "Domains",
    "cluster_weights": "Clusters of a domain",
    "mode_weights": "Labels",
    "mode_targets": "Modes aimed at",
    "operator_weights": "Operators",
}
NUMBERS = {
    "cac_target": ("CAC target", "{:.1f}"),
    "temperature": ("Temperature", "{:.2f}"),
    "candidates": ("Blueprints drawn for each one chosen", "{:.1f}"),
}


@dataclass(frozen=True)
class Shift:
    """One named value in either round, as text; `rises` is null when it did not move."""

    name: str
    before: str
    after: str
    rises: bool | None = None


@dataclass(frozen=True)
class Decision:
    """One field of a plan: its biggest moves, how many more there are, and why (empty when the plan does not say)."""

    name: str
    shifts: tuple[Shift, ...]
    more: int
    why: str


@dataclass(frozen=True)
class New:
    """What no earlier round had kept, the most frequent first: (name, trajectories), and how many of either in all."""

    first: tuple[tuple[str, int], ...]
    kinds: int
    trajectories: int


@dataclass(frozen=True)
class Change:
    """How round `after` differs from round `before`; new is what was kept in no round up to and with `before`."""

    before: str
    after: str
    reason: str
    decisions: tuple[Decision, ...]
    figures: tuple[Shift, ...]
    operators: tuple[Shift, ...]
    modes: New
    domains: New


def round_changes(data: ReportData) -> list[Change]:
    """The last round against the first, where others lie between; then each against the one before it."""
    rounds = ordered(data.outcomes["round"])
    pairs = [(rounds[0], rounds[-1])] if len(rounds) > 2 else []
    return [compare_rounds(data, *pair) for pair in [*pairs, *itertools.pairwise(rounds)]]


def compare_rounds(data: ReportData, before: str, after: str) -> Change:
    """One round against any earlier one."""
    plans = first_plans(data.plans)
    one, other = (data.outcomes.filter(pl.col("round") == name) for name in (before, after))
    rounds = [name for name in ordered(data.outcomes["round"]) if batch_order(name) <= batch_order(before)]
    known = data.outcomes.filter(pl.col("kept") & pl.col("round").is_in(rounds))
    kept = other.filter("kept")
    return Change(
        before=before,
        after=after,
        reason=plans[after]["reason"] if after in plans else "",
        decisions=decisions(plans.get(before), plans.get(after), _cluster_names(data.clusters)),
        figures=tuple(
            _shift(name, measured(one), measured(other), text) for name, (measured, text) in _FIGURES.items()
        ),
        operators=tuple(_weight_shifts(applied_shares(one), applied_shares(other), "–")),
        modes=find_new(kept["mode"].to_list(), set(known["mode"])),
        domains=find_new(kept["domain"].to_list(), set(known["domain"])),
    )


def decisions(
    before: Plan | None, after: Plan | None, cluster_names: Mapping[str, str] | None = None
) -> tuple[Decision, ...]:
    """Every field of the plans that changed or that has a reason; none where either round has no plan."""
    if before is None or after is None:
        return ()
    why = read_map(after.get("reasons"))
    names = cluster_names or {}
    found: list[Decision] = []
    for field, title in WEIGHTS.items():
        own, other = (
            {names.get(name, name): weight for name, weight in read_weights(plan.get(field)).items()}
            for plan in (before, after)
        )
        shifts = _weight_shifts(own, other, "none" if field == "mode_targets" else "natural")
        found.append(
            Decision(title, tuple(shifts[:SHIFTS_SHOWN]), max(0, len(shifts) - SHIFTS_SHOWN), why.get(field, ""))
        )
    for field, (title, text) in NUMBERS.items():
        shift = _shift("", before.get(field), after.get(field), text)
        found.append(Decision(title, () if shift.rises is None else (shift,), 0, why.get(field, "")))
    return tuple(decision for decision in found if decision.shifts or decision.why)


def find_new(names: Collection[str], known: Collection[str]) -> New:
    """The names that are not known, with how often each occurs."""
    counts = pl.Series("name", [name for name in names if name not in known], dtype=pl.String).value_counts(name="n")
    rows = counts.sort(["n", "name"], descending=[True, False]).rows()
    return New(tuple(rows[:NEW_SHOWN]), len(rows), int(counts["n"].sum()))


def _weight_shifts(before: Mapping[str, float], after: Mapping[str, float], absent: str) -> list[Shift]:
    """Weights that moved by what reads as a tenth of a percent, the farthest first; `absent` stands for every weight of
    a round without any."""
    moves = {name: after.get(name, 0.0) - before.get(name, 0.0) for name in sorted({*before, *after})}

    def text(weights: Mapping[str, float], name: str) -> str:
        return f"{100 * weights.get(name, 0.0):.1f} %" if weights else absent

    shifts = [
        Shift(name, text(before, name), text(after, name), move > 0)
        for name, move in sorted(moves.items(), key=lambda item: (-abs(item[1]), item[0]))
    ]
    return [shift for shift in shifts if shift.before != shift.after]


def _shift(name: str, before: float | None, after: float | None, text: str) -> Shift:
    one, other = ("–" if value is None else text.format(value) for value in (before, after))
    moved = None if before is None or after is None or one == other else after > before
    return Shift(name, one, other, moved)


def _cluster_names(clusters: pl.DataFrame) -> dict[str, str]:
    return dict(clusters.select("cluster_id", pl.format("{} (rank {})", "name", "rank")).iter_rows())


def _mean(rows: pl.DataFrame) -> float | None:
    return fmean(rows["cac"]) if rows.height else None


def _of_kept(measured: Callable[[pl.DataFrame], float | None]) -> Callable[[pl.DataFrame], float | None]:
    return lambda outcomes: measured(outcomes.filter("kept"))


_FIGURES: dict[str, tuple[Callable[[pl.DataFrame], float | None], str]] = {
    "Kept": (_of_kept(lambda kept: kept.height), "{:,}"),
    "Acceptance": (lambda made: made.filter("kept").height / made.height if made.height else None, "{:.1%}"),
    "Domain entropy": (_of_kept(lambda kept: plugin_entropy(kept["domain"])), "{:.2f}"),
    "Domains kept": (_of_kept(lambda kept: kept["domain"].n_unique()), "{:,}"),
    "Mode entropy": (_of_kept(lambda kept: plugin_entropy(kept["mode"])), "{:.2f}"),
    "Modes kept": (_of_kept(lambda kept: kept["mode"].n_unique()), "{:,}"),
    "Mean CAC": (_of_kept(_mean), "{:.1f}"),
}
