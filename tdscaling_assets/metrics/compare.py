"""The trajectories of two arms in, their figures at equal numbers kept and at equal numbers of model calls out. Pure.

Beside the diversity of what was kept stand the figures that answer the obvious objections: whether more modes are noise
(`..._chance`, `mode_as_planned`), rejects (`h_mode_generated`), padding (`unused_call_share`), or bought with validity
(`final_state_agreement`). The formulas are our own definition; docs/metrics.md writes them out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import polars as pl

from tdscaling_assets.metrics.context import MeasureContext
from tdscaling_assets.metrics.entropy import Floats, plugin_entropy
from tdscaling_assets.metrics.measure import measure
from tdscaling_assets.schema import Arm, Basis, StudyRow

ARMS: tuple[Arm, ...] = get_args(Arm)
STEERED = ("h_dom", "h_mode", "cac_mean")
MEASURED = (
    *STEERED,
    "h_mode_mm",
    "effective_domains",
    "effective_modes",
    "cac_p95",
    "unused_call_share",
    "acceptance_rate",
    "final_state_agreement",
)
SHUFFLES = 999
"""Random assignments of trajectories to arms."""


@dataclass(frozen=True)
class ArmRuns:
    """What one arm made, in the order in which it was made.

    `runs` has a row per trajectory generated: trajectory_id, mode (text), kept (bool), calls (model calls of the
    conversation), planned_mode (text), agrees (whether it ended in the blueprint's state, null where unknown). `kept`
    has those kept, as measure() reads them.
    """

    runs: pl.DataFrame
    kept: pl.DataFrame

    def first_kept(self, count: int) -> "ArmRuns":
        """Everything up to and with the kept trajectory of that number, all where there are fewer."""
        places = self.runs["kept"].arg_true()
        return self._first(self.runs.height if count > len(places) else int(places[count - 1]) + 1)

    def first_calls(self, calls: int) -> "ArmRuns":
        """Everything that the first `calls` model calls paid for."""
        return self._first(int((self.runs["calls"].cum_sum() <= calls).sum()))

    def _first(self, height: int) -> "ArmRuns":
        runs = self.runs.head(height)
        return ArmRuns(runs, self.kept.head(int(runs["kept"].sum())))

    @property
    def calls(self) -> int:
        """Model calls of all conversations, kept or not."""
        return int(self.runs["calls"].sum())


def compare_arms(arms: Mapping[Arm, ArmRuns], budgets: Sequence[int], seed: int, resamples: int) -> list[StudyRow]:
    """Figures of every arm at every budget on both bases; `resamples` is for the 95 % intervals."""
    rows: list[StudyRow] = []
    for budget in budgets:
        kept = {arm: runs.first_kept(budget) for arm, runs in arms.items()}
        paid = {arm: runs.first_calls(kept["quantity"].calls) for arm, runs in arms.items()}
        sets: dict[Basis, dict[Arm, ArmRuns]] = {"kept": kept, "calls": paid}
        for basis, chosen in sets.items():
            figures = [(arm, row) for arm, runs in chosen.items() for row in _figures(runs, seed, resamples)]
            if basis == "kept":
                figures += [("diversity", row) for row in _chances(kept, seed)]
            rows += [
                StudyRow(
                    seed=seed,
                    arm=arm,
                    basis=basis,
                    budget=budget,
                    metric=name,
                    value=value,
                    ci_low=low,
                    ci_high=high,
                    n=n,
                )
                for arm, (name, value, low, high, n) in figures
            ]
    return rows


Figure = tuple[str, float, float | None, float | None, int]


def _figures(arm: ArmRuns, seed: int, resamples: int) -> list[Figure]:
    """Metric, value, interval and number of trajectories; nothing of an arm that kept nothing."""
    if arm.kept.is_empty():
        return []
    runs, kept = arm.runs, arm.runs.filter("kept")
    known = runs["agrees"].drop_nulls()
    context = MeasureContext(
        batch="",
        scope="cumulative",
        resamples=resamples,
        seed=seed,
        generated=runs.height,
        kept=kept.height,
        checkable=known.len(),
        agreeing=int(known.sum()),
    )
    measured = [row for row in measure(arm.kept, context) if row.metric in MEASURED]
    as_planned = int((kept["mode"] == kept["planned_mode"]).sum())
    shares = [
        ("calls_per_kept", arm.calls / kept.height, kept.height),
        ("h_mode_generated", _entropy(runs["mode"]), runs.height),
        ("mode_as_planned", as_planned / kept.height, kept.height),
    ]
    return [
        *((row.metric, row.value, row.ci_low, row.ci_high, row.n) for row in measured),
        *((name, value, None, None, n) for name, value, n in shares),
    ]


def _chances(arms: Mapping[Arm, ArmRuns], seed: int) -> list[Figure]:
    """`<metric>_chance`: in which share of SHUFFLES + 1 assignments of all trajectories to the arms, the observed one
    among them, diversity is ahead of quantity by at least as much as observed; one-sided."""
    quantity, diversity = (arms[arm].kept for arm in ARMS)
    if quantity.is_empty() or diversity.is_empty():
        return []
    together = pl.concat([quantity, diversity], how="vertical_relaxed")
    size = quantity.height
    codes = {
        "h_dom": together["domain"].rank("dense").cast(pl.Int64).to_numpy() - 1,
        "h_mode": together["mode"].cast(pl.List(pl.String)).list.join(">").rank("dense").cast(pl.Int64).to_numpy() - 1,
    }
    cac = together["cac"].cast(pl.Float64).to_numpy()
    generator = np.random.default_rng(seed)
    observed = _differences(codes, cac, np.arange(together.height), size)
    as_large = np.zeros_like(observed)
    for _ in range(SHUFFLES):
        as_large += _differences(codes, cac, generator.permutation(together.height), size) >= observed
    chances = (1 + as_large) / (1 + SHUFFLES)
    return [
        (f"{name}_chance", float(chance), None, None, together.height)
        for name, chance in zip((*codes, "cac_mean"), chances, strict=True)
    ]


def _differences(codes: Mapping[str, np.ndarray], cac: Floats, order: np.ndarray, size: int) -> Floats:
    """Second arm − first arm, where `order` puts the first `size` trajectories into the first."""
    first, second = order[:size], order[size:]
    spread = [
        plugin_entropy(np.bincount(values[second])) - plugin_entropy(np.bincount(values[first]))
        for values in codes.values()
    ]
    return np.array([*spread, cac[second].mean() - cac[first].mean()])


def _entropy(values: pl.Series) -> float:
    return plugin_entropy(values.value_counts(name="n")["n"].to_list())
