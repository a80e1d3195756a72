"""Every row of a measured set, recomputed by loops over plain lists that share no code with the package."""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from fractions import Fraction
from typing import NamedTuple

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdscaling_assets.metrics.context import MeasureContext
from tdscaling_assets.metrics.groups import group_rows
from tdscaling_assets.metrics.measure import measure
from tdscaling_assets.schema import LABELS, MetricRow

LEVELS = (200, 500, 1_000, 2_000, 5_000, 10_000)
TOOLS = ("get", "find", "pay", "ship", "cancel")
OPERATORS = ("deepen", "verify", "refuse")


class Run(NamedTuple):
    """One trajectory, kept or not."""

    domain: str
    labels: list[str]
    cac: float
    cluster_id: str
    calls: list[str]
    unused: int
    operators: list[str]
    kept: bool

    @property
    def mode(self) -> list[str]:
        """Labels in order of first occurrence."""
        return [label for place, label in enumerate(self.labels) if label not in self.labels[:place]]


RUNS = st.builds(
    Run,
    domain=st.sampled_from(["bank", "shop", "clinic", "farm"]),
    labels=st.lists(st.sampled_from(LABELS), max_size=6),
    cac=st.one_of(st.integers(0, 40).map(lambda halves: halves / 2), st.floats(0, 50)),
    cluster_id=st.sampled_from(["c1", "c2", "c3"]),
    calls=st.lists(st.sampled_from(TOOLS), max_size=5),
    unused=st.integers(0, 2),
    operators=st.lists(st.sampled_from(OPERATORS), max_size=4),
    kept=st.booleans(),
)
EDGES = st.lists(st.tuples(st.sampled_from(TOOLS), st.sampled_from(TOOLS)), max_size=6)
CONTEXTS = st.builds(
    MeasureContext,
    batch=st.just("r01-b01"),
    scope=st.just("batch"),
    rarefaction=st.integers(2, 12),
    resamples=st.just(20),
    cac_target=st.one_of(st.none(), st.floats(0, 20)),
    tools=st.frozensets(st.sampled_from([*TOOLS, "never"])),
    clusters=st.frozensets(st.sampled_from(["c1", "c2", "c9"])),
    near_duplicates=st.integers(0, 9),
    tokens=st.integers(0, 9_999),
    usd=st.one_of(st.none(), st.floats(0, 9)),
    checkable=st.integers(0, 9),
    agreeing=st.integers(0, 9),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(RUNS, max_size=40), EDGES, CONTEXTS, st.integers(1, 60))
def test_every_row_is_what_plain_loops_make_of_it(
    runs: list[Run], edges: list[tuple[str, str]], context: MeasureContext, copies: int
) -> None:
    """Some sets are many copies of a small one, so that levels are reached."""
    runs = runs * copies if len(runs) < 12 else runs
    kept = [run for run in runs if run.kept]
    context = context.model_copy(update={"generated": len(runs), "kept": len(kept)})
    rows = measure(kept_frame(kept), context, edge_frame(edges))
    check(rows, {**set_figures(kept, context), **catalog_figures(kept, edges, context), **rates(kept, context)})


@settings(max_examples=100, deadline=None)
@given(st.lists(RUNS, max_size=40), CONTEXTS)
def test_every_row_of_a_group_is_what_plain_loops_make_of_it(runs: list[Run], context: MeasureContext) -> None:
    context = context.model_copy(update={"kept": sum(run.kept for run in runs)})
    found = group_rows(runs_frame(runs), context)
    domains = {run.domain for run in runs}
    operators = {name for run in runs for name in run.operators}
    assert {(row.dimension, row.name) for row in found} == {
        *(("domain", name) for name in domains),
        *(("operator", name) for name in operators),
    }
    for dimension, name in {(row.dimension, row.name) for row in found}:
        members = [run for run in runs if (run.domain == name if dimension == "domain" else name in run.operators)]
        rows = [row for row in found if (row.dimension, row.name) == (dimension, name)]
        check([MetricRow(**row.model_dump(exclude={"dimension", "name"})) for row in rows], group(members, context))


def test_a_large_set_has_every_level() -> None:
    runs = [Run(f"d{i % 39}", ["act", LABELS[i % 7]], i % 9, "c1", ["get"], 0, [], True) for i in range(10_000)]
    found = {row.metric for row in measure(kept_frame(runs), MeasureContext(batch="r01-b01", scope="batch"))}
    assert {f"{name}_rarefied_{level}" for name in ("h_dom", "h_mode") for level in LEVELS} <= found


def check(rows: Sequence[MetricRow], expected: dict[str, tuple[float, int]]) -> None:
    assert {row.metric: row.n for row in rows} == {name: n for name, (_, n) in expected.items()}
    for row in rows:
        assert row.value == pytest.approx(expected[row.metric][0], rel=1e-9, abs=1e-9), row.metric
        assert row.ci_low is None or row.ci_low <= row.value <= (row.ci_high or 0.0) + 1e-12


# ── the set as frames ────────────────────────────────────────────────────────────────────────────────────────


def kept_frame(runs: list[Run]) -> pl.DataFrame:
    columns = {
        "trajectory_id": [str(place) for place in range(len(runs))],
        "domain": [run.domain for run in runs],
        "labels": [run.labels for run in runs],
        "mode": [run.mode for run in runs],
        "cac": [run.cac for run in runs],
        "cluster_id": [run.cluster_id for run in runs],
        "calls": [run.calls for run in runs],
        "unused_calls": [run.unused for run in runs],
    }
    texts = dict.fromkeys(("trajectory_id", "domain", "cluster_id"), pl.String)
    lists = {name: pl.List(pl.String) for name in ("labels", "mode", "calls")}
    return pl.DataFrame(columns, schema_overrides={**texts, **lists, "cac": pl.Float64, "unused_calls": pl.Int64})


def runs_frame(runs: list[Run]) -> pl.DataFrame:
    columns = {
        "domain": [run.domain for run in runs],
        "operators": [run.operators for run in runs],
        "mode": [">".join(run.mode) for run in runs],
        "cac": [run.cac for run in runs],
        "kept": [run.kept for run in runs],
    }
    types = {"domain": pl.String, "operators": pl.List(pl.String), "mode": pl.String, "cac": pl.Float64}
    return pl.DataFrame(columns, schema_overrides={**types, "kept": pl.Boolean})


def edge_frame(edges: list[tuple[str, str]]) -> pl.DataFrame:
    columns = {"producer_id": [edge[0] for edge in edges], "consumer_id": [edge[1] for edge in edges]}
    return pl.DataFrame(columns, schema={"producer_id": pl.String, "consumer_id": pl.String})


# ── the figures, metric → (value, n), by plain loops ─────────────────────────────────────────────────────────


def set_figures(kept: list[Run], context: MeasureContext) -> dict[str, tuple[float, int]]:
    domains: list[Hashable] = [run.domain for run in kept]
    modes: list[Hashable] = [tuple(run.mode) for run in kept]
    pairs: list[Hashable] = [pair for run in kept for pair in zip(run.labels, run.labels[1:], strict=False)]
    steps: list[Hashable] = [label for run in kept for label in run.labels]
    figures: dict[str, tuple[float, int]] = {}
    for name, items in (("h_dom", domains), ("h_mode", modes), ("h_transition", pairs), ("h_step", steps)):
        figures |= entropies(name, items, context.rarefaction)
    for short, plural, items in (("dom", "domains", domains), ("mode", "modes", modes)):
        for level in LEVELS:
            if items and level <= len(items):
                figures[f"h_{short}_rarefied_{level}"] = (rarefied(items, level), len(items))
        if items:
            seen = len(set(items))
            figures[f"effective_{plural}"] = (2 ** entropy(items), len(items))
            figures[f"evenness_{short}"] = (entropy(items) / math.log2(seen) if seen > 1 else 1.0, len(items))
    made = sum(len(run.calls) for run in kept)
    if made:
        figures["unused_call_share"] = (sum(run.unused for run in kept) / made, made)
    return figures | complexity([run.cac for run in kept], context.cac_target)


def entropies(name: str, items: list[Hashable], size: int) -> dict[str, tuple[float, int]]:
    n, seen = len(items), len(set(items))
    if not items:
        return {}
    return {
        name: (entropy(items), n),
        f"{name}_mm": (entropy(items) + (seen - 1) / (2 * n * math.log(2)), n),
        f"{name}_rarefied": (rarefied(items, size), n),
    }


def entropy(items: list[Hashable]) -> float:
    return math.fsum(-count / len(items) * math.log2(count / len(items)) for count in Counter(items).values())


def rarefied(items: list[Hashable], size: int) -> float:
    """Mean over all subsets of `size`, by exact fractions; of the whole set when it is smaller."""
    total = len(items)
    if total <= size:
        return entropy(items)
    mean = 0.0
    for count in Counter(items).values():
        for k in range(1, min(count, size) + 1):
            ways = Fraction(math.comb(count, k) * math.comb(total - count, size - k), math.comb(total, size))
            mean -= float(ways) * k / size * math.log2(k / size)
    return mean


def complexity(values: list[float], target: float | None) -> dict[str, tuple[float, int]]:
    n = len(values)
    if not n:
        return {}
    figures = {
        "cac_mean": (math.fsum(values) / n, n),
        "cac_p50": (quantile(values, 0.5), n),
        "cac_p95": (quantile(values, 0.95), n),
    }
    return figures if target is None else {**figures, "cac_above_target": (sum(v >= target for v in values) / n, n)}


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def catalog_figures(
    kept: list[Run], edges: list[tuple[str, str]], context: MeasureContext
) -> dict[str, tuple[float, int]]:
    called = {tool for run in kept for tool in run.calls}
    served = {run.cluster_id for run in kept}
    met = {
        (first, second)
        for run in kept
        for place, first in enumerate(run.calls)
        for second in run.calls[place + 1 :]
        if (first, second) in edges
    }
    return {
        **share("tool_coverage", sum(tool in called for tool in context.tools), len(context.tools)),
        **share("edge_coverage", len(met), len(set(edges))),
        **share("cluster_coverage", sum(name in served for name in context.clusters), len(context.clusters)),
    }


def rates(kept: list[Run], context: MeasureContext) -> dict[str, tuple[float, int]]:
    figures = {
        **share("acceptance_rate", context.kept, context.generated),
        **share("near_duplicate_rate", context.near_duplicates, context.generated),
        **share("final_state_agreement", context.agreeing, context.checkable),
        **share("tokens_per_kept", context.tokens, context.kept),
    }
    if context.usd is not None:
        figures |= share("usd_per_kept", context.usd, context.kept)
    bits = entropy([tuple(run.mode) for run in kept]) * len(kept)
    if bits > 0 and context.tokens:
        figures["tokens_per_bit"] = (context.tokens / bits, context.kept)
    if bits > 0 and context.usd is not None:
        figures["usd_per_bit"] = (context.usd / bits, context.kept)
    return figures


def group(members: list[Run], context: MeasureContext) -> dict[str, tuple[float, int]]:
    kept = [run for run in members if run.kept]
    figures: dict[str, tuple[float, int]] = {
        "n": (len(kept), len(kept)),
        **share("share", len(kept), context.kept),
        **share("acceptance_rate", len(kept), len(members)),
        **entropies("h_mode", [tuple(run.mode) for run in kept], context.rarefaction),
    }
    mean = {name: figure for name, figure in complexity([run.cac for run in kept], None).items() if name == "cac_mean"}
    return figures | mean


def share(name: str, part: float, whole: int) -> dict[str, tuple[float, int]]:
    return {name: (part / whole, whole)} if whole else {}
