"""The experiment of the paper on this machine's own loop: volume against steered diversity, from the same seed.

*quantity* repeats round 1's plan; *diversity* starts a new round at each plateau. Each arm has a home of its own under
`study/` in the settings' home, so a study that was stopped goes on where it was, and each arm can be looked into.
"""

import math
import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor

import dagster as dg
import polars as pl
from rich.console import Console
from rich.table import Table

from tdscaling_assets.defs.automation import known_batches
from tdscaling_assets.defs.report import read_report
from tdscaling_assets.defs.run import Overrides, decide, run_batch, run_catalog
from tdscaling_assets.errors import ConfigError
from tdscaling_assets.evolution.keys import next_batch
from tdscaling_assets.evolution.plateau import NewRound
from tdscaling_assets.metrics.compare import ARMS, STEERED, ArmRuns, compare_arms
from tdscaling_assets.report.page import write_report
from tdscaling_assets.schema import Arm, Basis, StudyRow, digest
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.locks import file_lock
from tdscaling_assets.storage.queries import has_clusters
from tdscaling_assets.storage.rows import to_frame
from tdscaling_assets.storage.summaries import counts_per_batch, kept_measures, planned_runs

ENDLESS = 1_000_000
"""Rounds: the study's end is its budget."""
_NOT_THE_SAME = (
    "home",
    "catalog",
    "lake_data",
    "sources",
    "seed",
    "plan",
    "max_rounds",
    "ceiling_rounds",
    "concurrency",
)
OBJECTIONS = {
    "acceptance_rate": "kept of generated",
    "calls_per_kept": "model calls per kept trajectory",
    "h_mode_generated": "h_mode of everything generated, rejects too",
    "mode_as_planned": "kept whose mode is the blueprint's",
    "unused_call_share": "tool calls whose output nothing used",
    "final_state_agreement": "completed in the blueprint's final state",
    "h_dom_chance": "chance of such a difference of h_dom by shuffling",
    "h_mode_chance": "chance of such a difference of h_mode by shuffling",
    "cac_mean_chance": "chance of such a difference of CAC by shuffling",
}


def run_study(settings: Settings, budgets: Sequence[int], seeds: int, tell: Callable[[str], None]) -> list[StudyRow]:
    """Run both arms with each of `seeds` seeds, from the settings' seed on, as many at a time as there are cores;
    store their figures in the table `study`, and write the report. ConfigError when a batch keeps nothing."""
    tasks = [
        (_arm_settings(settings, arm, seed), arm, max(budgets))
        for seed in range(settings.seed, settings.seed + seeds)
        for arm in ARMS
    ]
    workers = min(len(tasks), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for (home, arm, _), batches in zip(tasks, pool.map(_run_arm, *zip(*tasks, strict=True)), strict=True):
            tell(f"{arm}, seed {home.seed}: {batches} batches, in {home.home}")
    rows: list[StudyRow] = []
    for seed in range(settings.seed, settings.seed + seeds):
        arms = {arm: _read_arm(_arm_settings(settings, arm, seed)) for arm in ARMS}
        rows += compare_arms(arms, budgets, seed, settings.bootstrap)
    with Lake.open(settings) as lake:
        lake.write({"study": to_frame("study", rows)}, batch=None, message="study")
        write_report(settings.home / "report" / "index.html", read_report(lake, settings))
    return rows


def print_study(rows: Sequence[StudyRow], console: Console) -> None:
    """What was kept at each budget, on both bases; then what the loop costs, and what answers the objections."""
    seeds = len({row.seed for row in rows})
    over = f"mean of {seeds} seeds, 95 % intervals from the lowest to the highest" if seeds > 1 else "95 % intervals"
    bases: dict[Basis, str] = {
        "kept": f"At equal numbers kept: {over}.",
        "calls": "At equal model calls: those that the quantity arm had made when it had kept so many.",
    }
    for basis, caption in bases.items():
        table = Table("kept", "metric", *ARMS, "difference", caption=caption)
        for budget in sorted({row.budget for row in rows}):
            for metric in STEERED:
                figures = [_figure(rows, arm, basis, budget, metric) for arm in ARMS]
                gain = _mean(rows, "diversity", basis, budget, metric) - _mean(rows, "quantity", basis, budget, metric)
                table.add_row(f"{budget:,}", metric, *figures, f"{gain:+.2f}")
        console.print(table)
    largest = max(row.budget for row in rows)
    table = Table(f"at {largest:,} kept", *ARMS)
    for metric, meaning in OBJECTIONS.items():
        table.add_row(meaning, *(_figure(rows, arm, "kept", largest, metric) for arm in ARMS))
    console.print(table)


def _arm_settings(settings: Settings, arm: Arm, seed: int) -> Settings:
    """Settings of one arm: a home that depends on all settings that its figures depend on, and on the sources."""
    same = settings.model_dump(mode="json", exclude=set(_NOT_THE_SAME))
    sources = settings.sources.read_text(encoding="utf-8")
    home = settings.home / "study" / digest(same, sources)[:8] / f"{arm}-{seed}"
    changes = {"home": home, "seed": seed, "catalog": "", "lake_data": "", "plan": None}
    return settings.model_copy(update={**changes, "max_rounds": ENDLESS, "ceiling_rounds": ENDLESS})


def _run_arm(settings: Settings, arm: Arm, wanted: int) -> int:
    """Batches of one arm until it has kept so many; their number. StorageError while another study is at it."""
    overrides: Overrides = {
        "home": str(settings.home),
        "catalog": settings.catalog,
        "lake_data": settings.lake_data,
        "seed": settings.seed,
        "batch_size": settings.batch_size,
        "compliance": settings.compliance,
    }
    os.environ.pop("TDS_PLAN", None)  # a person's plan is for their own rounds
    settings.home.mkdir(parents=True, exist_ok=True)
    with file_lock(settings.home / "study.lock", 0), dg.DagsterInstance.ephemeral() as instance:
        with Lake.open(settings) as lake:
            has_catalog = has_clusters(lake)
        if not has_catalog:
            run_catalog(instance, overrides, quiet=True)
        while _kept(settings) < wanted:
            keys = known_batches(instance, settings)
            decision = decide(instance, settings) if arm == "diversity" else None
            key = decision.key if isinstance(decision, NewRound) else next_batch(keys)
            run_batch(instance, key, overrides, quiet=True)
            if not _kept(settings, key):
                raise ConfigError(f"batch {key} of {settings.home} kept nothing, so {wanted:,} are out of reach")
            print(f"{arm}, seed {settings.seed}: {key}, {_kept(settings):,} of {wanted:,} kept", file=sys.stderr)
        return len(known_batches(instance, settings))


def _kept(settings: Settings, batch: str | None = None) -> int:
    """Kept trajectories of a batch, or of all."""
    with Lake.open(settings) as lake:
        counts = counts_per_batch(lake)
    chosen = counts if batch is None else counts.filter(pl.col("batch") == batch)
    return int(chosen["kept"].sum())


def _read_arm(settings: Settings) -> ArmRuns:
    with Lake.open(settings, read_only=True) as lake:
        return ArmRuns(planned_runs(lake), kept_measures(lake))


def _values(rows: Sequence[StudyRow], arm: Arm, basis: Basis, budget: int, metric: str) -> list[StudyRow]:
    return [row for row in rows if (row.arm, row.basis, row.budget, row.metric) == (arm, basis, budget, metric)]


def _mean(rows: Sequence[StudyRow], arm: Arm, basis: Basis, budget: int, metric: str) -> float:
    found = _values(rows, arm, basis, budget, metric)
    return sum(row.value for row in found) / len(found) if found else math.nan


def _figure(rows: Sequence[StudyRow], arm: Arm, basis: Basis, budget: int, metric: str) -> str:
    """`8.97 [8.90, 9.05]`, over all seeds; a dash where nothing is known."""
    found = _values(rows, arm, basis, budget, metric)
    if not found:
        return "-"
    digits = 3 if metric.endswith("_chance") else 2
    text = f"{_mean(rows, arm, basis, budget, metric):.{digits}f}"
    low = [row.ci_low for row in found if row.ci_low is not None]
    high = [row.ci_high for row in found if row.ci_high is not None]
    return f"{text} [{min(low):.2f}, {max(high):.2f}]" if low and high else text
