"""A small, plausible history of two rounds of two batches, made without any other stage."""

import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import polars as pl
import pytest

from tdscaling_assets.report.data import ReportData
from tdscaling_assets.report.tables import plugin_entropy
from tdscaling_assets.report.toolgraph import ToolName
from tdscaling_assets.schema import (
    OPERATORS,
    Failure,
    GroupRow,
    Lineage,
    Message,
    MetricRow,
    RoundPlan,
    StudyRow,
    ToolCall,
    Trajectory,
    Usage,
    Verdict,
)

DOMAINS = ("retail", "travel", "banking", "health", "logistics", "utilities", "hr", "developer_tools")
MODES = (
    ("retrieve", "answer"),
    ("retrieve", "act", "answer"),
    ("clarify", "retrieve", "act", "answer"),
    ("retrieve", "confirm", "act", "verify", "answer"),
    ("parallel", "compute", "answer"),
    ("retrieve", "recover", "act", "answer"),
    ("clarify", "retrieve", "confirm", "act", "verify", "answer"),
    ("decline",),
    ("retrieve", "compute", "act", "answer"),
    ("parallel", "retrieve", "act", "verify", "answer"),
)
REJECTIONS = (
    ("sound", "the assistant reached the step limit"),
    ("schema", "a call's arguments do not fit its schema"),
    ("grounded", "an argument's value appears nowhere before the call"),
    ("truth", "the world's final state is not the expected one"),
    ("near_duplicate", "near-duplicate of an earlier trajectory"),
)
ARMS: tuple[Literal["quantity"], Literal["diversity"]] = ("quantity", "diversity")
BASES: tuple[Literal["kept"], Literal["calls"]] = ("kept", "calls")
_ENDS = {"ci_low": pl.Float64, "ci_high": pl.Float64}
BATCHES = ("r01-b01", "r01-b02", "r02-b01", "r02-b02")
MakeReport = Callable[..., ReportData]


def make_report(per_batch: int = 12, seed: int = 1, said: str = "Your order ships on Monday.") -> ReportData:
    """Batches of `per_batch` trajectories; the second round is more even over domains and modes than the first."""
    rng = random.Random(seed)
    pairs = [
        make_trajectory(rng, batch, f"t-{batch}-{number:04d}", said) for batch in BATCHES for number in range(per_batch)
    ]
    trajectories = [trajectory for trajectory, _ in pairs]
    verdicts = [verdict for _, own in pairs for verdict in own]
    rejected = {verdict.trajectory_id: verdict for verdict in verdicts if not verdict.keep}
    outcomes = pl.DataFrame(
        [
            {
                "round": row.round,
                "batch": row.batch,
                "domain": row.domain,
                "mode": ">".join(row.mode),
                "cac": row.cac,
                "kept": row.trajectory_id not in rejected,
                "operators": list(row.lineage.operators),
                "tokens": row.usage.prompt_tokens + row.usage.completion_tokens,
                "usd": row.usage.usd,
            }
            for row in trajectories
        ],
        schema_overrides={"usd": pl.Float64, "operators": pl.List(pl.String)},
    )
    return ReportData(
        metrics=make_metrics(outcomes),
        plans=make_plans(rng),
        counts=make_counts(outcomes, per_batch),
        rejections=make_rejections(rejected, trajectories),
        clusters=make_clusters(),
        outcomes=outcomes,
        groups=make_groups(),
        study=make_study(),
        trajectories=trajectories,
        verdicts=verdicts,
        models=("teacher/scripted",),
        simulated=True,
        snapshot=42,
        tool_names=dict(pair for rank in range(1, 41) for pair in names(rank)),
        total_tools=180,
        total_edges=640,
    )


def make_trajectory(rng: random.Random, batch: str, identity: str, said: str) -> tuple[Trajectory, list[Verdict]]:
    """One conversation of two calls, and the verdicts on it."""
    early = batch.startswith("r01")
    domain = rng.choices(DOMAINS, [9, 6, 3, 2, 1, 1, 0.5, 0.5] if early else [3, 3, 2, 2, 2, 2, 1.5, 2])[0]
    mode = rng.choices(MODES, [10, 6, 2, 2, 1, 1, 0, 1, 0, 0] if early else [4, 4, 3, 3, 2, 3, 2, 1, 2, 2])[0]
    fails = rng.random() < 0.22
    rule, reason = rng.choice(REJECTIONS)
    broken = fails and rule == "sound"
    code = ToolCall(id="c2", name="run_python", arguments='{"code": "rows = [3, 4]\\nprint(sum(rows))"}')
    look = ToolCall(id="c1", name="retail__get_order", arguments='{"order_id": "O-1009", "with_lines": true}')
    trajectory = Trajectory(
        trajectory_id=identity,
        round=batch[:3],
        batch=batch,
        blueprint_id=f"b-{identity}",
        cluster_id="c-1",
        domain=domain,
        tools=("retail__get_order", "run_python"),
        messages=(
            Message(role="system", content="You help customers of a shop. Use the tools; ask when a fact is missing."),
            Message(role="user", content="Where is my order O-1009, and what do both lines cost together?"),
            Message(role="assistant", content="Let me look it up.", tool_calls=(look,)),
            Message(
                role="tool",
                tool_call_id="c1",
                content='{"order_id": "O-1009", "status": "packed", "lines": [{"price": 3}, {"price": 4}]}',
                simulated=rng.random() < 0.3,
            ),
            Message(role="assistant", tool_calls=(code,)),
            Message(role="tool", tool_call_id="c2", content='{"exit_code": 0, "stdout": "7\\n", "stderr": ""}'),
            Message(role="assistant", content=f"Both lines cost 7 together. {said}"),
        ),
        labels=("retrieve", "compute", "answer"),
        mode=mode,
        cac=round(rng.gammavariate(6 if early else 9, 1.4), 2),
        outcome="failed" if broken else "completed",
        failure=Failure(kind="step_limit", detail="24 assistant messages") if broken else None,
        usage=Usage(prompt_tokens=rng.randint(2000, 6000), completion_tokens=rng.randint(200, 900), model="teacher"),
        lineage=Lineage(operators=tuple(rng.sample(OPERATORS, rng.randint(0, 2)))),
        seed=7,
    )
    verdict = Verdict(
        trajectory_id=identity, position=1, rule="sound", keep=not broken, reason=reason if broken else ""
    )
    if broken or not fails:
        return trajectory, [verdict]
    return trajectory, [
        verdict,
        Verdict(trajectory_id=identity, position=2, rule=rule, keep=False, reason=reason),
    ]


def make_metrics(outcomes: pl.DataFrame) -> pl.DataFrame:
    """Both entropies of every batch, alone and cumulative, with made-up intervals."""
    rows = []
    for batch in BATCHES:
        for scope, own in (
            ("batch", outcomes.filter(pl.col("batch") == batch)),
            ("cumulative", outcomes.filter(pl.col("batch") <= batch)),
        ):
            kept = own.filter("kept")
            for metric, column in (("h_dom", "domain"), ("h_mode", "mode")):
                bits = plugin_entropy(kept[column])
                half = 1.2 / max(kept.height, 1) ** 0.5
                rows.append(
                    MetricRow(
                        batch=batch,
                        scope="cumulative" if scope == "cumulative" else "batch",
                        metric=metric,
                        value=bits,
                        ci_low=bits - half,
                        ci_high=bits + half,
                        n=kept.height,
                    )
                )
    return pl.DataFrame([row.model_dump() for row in rows])


def make_plans(rng: random.Random) -> pl.DataFrame:
    """One plan per round, repeated for its batches."""
    reasons = {
        "r01": "First round: no history, so all domains and modes weigh the same.",
        "r02": "Mode entropy rose by 0.6 % over the last batch, below 2 %: rare domains hr and developer_tools and the "
        "modes recover and parallel get more weight, and the CAC target climbs from 8.0 to 10.0.",
    }
    rows = []
    for batch in BATCHES:
        weights = [rng.random() + 0.2 for _ in OPERATORS]
        plan = RoundPlan(
            round=batch[:3],
            domain_weights={domain: 1 / len(DOMAINS) for domain in DOMAINS},
            mode_weights={"answer": 1.0},
            operator_weights={name: value / sum(weights) for name, value in zip(OPERATORS, weights, strict=True)},
            cac_target=8.0 if batch.startswith("r01") else 10.0,
            temperature=0.7,
            parent_metrics={"h_dom": 2.0},
            reason=reasons[batch[:3]],
            reasons={"operator_weights": f"Operators as {batch[:3]} drew them."},
        )
        rows.append(plan.model_dump() | {"batch": batch})
    return pl.DataFrame(rows)


def make_counts(outcomes: pl.DataFrame, per_batch: int) -> pl.DataFrame:
    """What each batch made and kept."""
    kept = dict(outcomes.group_by("batch").agg(pl.col("kept").sum()).iter_rows())
    return pl.DataFrame(
        [
            {"batch": batch, "blueprints": per_batch, "rejected_blueprints": 3, "raw": per_batch, "kept": kept[batch]}
            for batch in BATCHES
        ]
    )


def make_rejections(rejected: dict[str, Verdict], trajectories: list[Trajectory]) -> pl.DataFrame:
    """Rejecting verdicts counted by batch, rule and reason, in funnel order."""
    batch_of = {row.trajectory_id: row.batch for row in trajectories}
    order = [rule for rule, _ in REJECTIONS]
    rows = [(batch_of[key], verdict.rule, verdict.reason, 1) for key, verdict in rejected.items()]
    rows.sort(key=lambda row: (order.index(row[1]), row))
    frame = pl.DataFrame(rows, schema=["batch", "rule", "reason", "n"], orient="row")
    return frame.group_by("batch", "rule", "reason", maintain_order=True).agg(pl.col("n").sum())


def make_groups() -> pl.DataFrame:
    """Figures of two domains and an operator, of two batches."""
    sizes = {"r01-b01": 3, "r02-b02": 8}
    rows = [
        GroupRow(batch=batch, scope="cumulative", dimension=dimension, name=name, metric=metric, value=value * n, n=n)
        for batch, n in sizes.items()
        for dimension, name in (("domain", "retail"), ("domain", "travel"), ("operator", "deepen"))
        for metric, value in (("n", 1.0), ("share", 0.1), ("cac_mean", 1.5))
    ]
    return pl.DataFrame([row.model_dump() for row in rows], schema_overrides=_ENDS)


def make_study() -> pl.DataFrame:
    """Both arms of two seeds at two budgets, on either basis; diversity is a bit above quantity, the second seed half a
    bit above the first."""
    rows = [
        StudyRow(
            seed=seed,
            arm=arm,
            basis=basis,
            budget=budget,
            metric=metric,
            value=(value := budget / 50 + seed / 2 + (arm == "diversity")),
            ci_low=value - 0.25,
            ci_high=value + 0.25,
            n=budget,
        )
        for seed in (1, 2)
        for arm in ARMS
        for basis in BASES
        for budget in (50, 100)
        for metric in ("h_dom", "h_mode")
    ]
    return pl.DataFrame([row.model_dump() for row in rows])


def names(rank: int) -> list[tuple[str, ToolName]]:
    """The three tools of the cluster of that rank, one of the bank's in every tenth."""
    kinds = ("list_things", "get_thing", "cancel_the_thing_again")
    servers = ("shop", "shop", "bank" if rank % 10 == 0 else "shop")
    return [(f"{s}__{k}_{rank}", ToolName(s, f"{k}_{rank}")) for s, k in zip(servers, kinds, strict=True)]


def chain(tool_ids: list[str]) -> list[dict[str, object]]:
    """Edges from each tool to the next."""
    return [
        {"producer_id": one, "consumer_id": other, "consumer_param": "thing_id", "weight": 2.0}
        for one, other in itertools.pairwise(tool_ids)
    ]


def make_clusters(count: int = 40) -> pl.DataFrame:
    """A concave coverage curve."""
    return pl.DataFrame(
        {
            "cluster_id": [f"c-{rank}" for rank in range(1, count + 1)],
            "rank": list(range(1, count + 1)),
            "domain": [DOMAINS[rank % len(DOMAINS)] for rank in range(count)],
            "covered_tools": [int(172 * (1 - 0.90**rank)) for rank in range(1, count + 1)],
            "covered_edges": [int(600 * (1 - 0.94**rank)) for rank in range(1, count + 1)],
            "coverage": [1 - 0.92**rank for rank in range(1, count + 1)],
            "name": [f"Shop: thing {rank}" for rank in range(1, count + 1)],
            "purpose": ["List things, get one and cancel it, at shop."] * count,
            "tool_ids": [[tool_id for tool_id, _ in names(rank)] for rank in range(1, count + 1)],
            "edges": [chain([tool_id for tool_id, _ in names(rank)]) for rank in range(1, count + 1)],
        }
    )


@pytest.fixture(scope="session")
def report_data() -> ReportData:
    """Two rounds of two batches of twelve."""
    return make_report()


@pytest.fixture(scope="session")
def make_data() -> MakeReport:
    """The maker itself, for data that differs in one thing."""
    return make_report


@pytest.fixture(scope="session")
def empty_data(report_data: ReportData) -> ReportData:
    """A home in which nothing has run."""
    frames = ("metrics", "plans", "counts", "rejections", "clusters", "outcomes", "groups", "study")
    return replace(
        report_data,
        trajectories=(),
        verdicts=(),
        **{name: getattr(report_data, name).clear() for name in frames},
    )
