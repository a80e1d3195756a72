"""A batch: every blueprint grounded and well formed, refused attempts counted, all a function of the seed."""

import math
import random
import re
from collections import Counter
from collections.abc import Callable

import pytest
from jsonschema import Draft202012Validator

from tdscaling_assets.blueprints import batch as batch_module
from tdscaling_assets.blueprints.batch import (
    ATTEMPTS,
    BlueprintBatch,
    draw_cluster,
    draw_operator,
    leads_to,
    plan_batch,
)
from tdscaling_assets.blueprints.library import Library
from tdscaling_assets.blueprints.rehearsal import rehearse
from tdscaling_assets.blueprints.validation import find_fault
from tdscaling_assets.schema import CODE_SERVER, LABELS, OPERATORS, Blueprint, BusinessCluster, RoundPlan, Tool
from tdscaling_assets.settings import Settings

Regime = Callable[..., RoundPlan]

SETTINGS = Settings(batch_size=60, seed=7)
REGIMES: dict[str, dict[str, object]] = {
    "baseline": {"cac_target": 4.0, "temperature": 0.1, "mode_weights": {}},
    "even": {},
    "steep": {"cac_target": 14.0, "temperature": 1.5},
}


@pytest.fixture(scope="session", params=REGIMES)
def batch(request: pytest.FixtureRequest, library: Library, regime: Regime) -> BlueprintBatch:
    return plan_batch(regime(**REGIMES[request.param]), "r02-b01", library, (), SETTINGS)


def small(library: Library, plan: RoundPlan, seed: int = 7, parents: tuple[Blueprint, ...] = ()) -> BlueprintBatch:
    return plan_batch(plan, "r02-b03", library, parents, Settings(batch_size=12, seed=seed))


def test_a_batch_is_full(batch: BlueprintBatch) -> None:
    assert len(batch.blueprints) == SETTINGS.batch_size


def test_every_blueprint_is_well_formed(batch: BlueprintBatch, library: Library) -> None:
    assert [find_fault(blueprint, library) for blueprint in batch.blueprints] == [None] * len(batch.blueprints)


def test_a_second_rehearsal_reproduces_calls_and_digest(batch: BlueprintBatch, library: Library) -> None:
    for blueprint in batch.blueprints:
        assert blueprint.expected_digest
        assert rehearse(blueprint, library, SETTINGS.cac).blueprint == blueprint


def test_expected_calls_satisfy_their_input_schemas(batch: BlueprintBatch, library: Library) -> None:
    calls = [call for blueprint in batch.blueprints for call in blueprint.expected_calls]
    assert len(calls) >= SETTINGS.batch_size
    for call in calls:
        Draft202012Validator(library.tools[call.tool_id].input_schema).validate(call.arguments)


def test_mode_and_complexity_are_targets(batch: BlueprintBatch) -> None:
    for blueprint in batch.blueprints:
        assert set(blueprint.target_mode) <= set(LABELS)
        assert blueprint.target_mode[-1] and blueprint.target_cac >= 1


def test_ids_are_unique_among_blueprints_and_refusals(batch: BlueprintBatch) -> None:
    ids = [item.blueprint_id for item in (*batch.blueprints, *batch.rejected)]
    assert len(set(ids)) == len(ids)


def test_every_refusal_has_a_reason_and_a_detail(batch: BlueprintBatch) -> None:
    assert batch.rejected
    for refusal in batch.rejected:
        assert refusal.reason.isidentifier() and refusal.detail


def test_most_attempts_are_accepted(batch: BlueprintBatch) -> None:
    assert len(batch.rejected) < len(batch.blueprints)


def test_nothing_looked_up_goes_unused(batch: BlueprintBatch, library: Library) -> None:
    for blueprint in batch.blueprints:
        used = {binding.step for step in blueprint.steps for binding in step.arguments.values()}
        used |= {step.task.step for step in blueprint.steps if step.task}
        used |= {entry.split(".")[0] for turn in blueprint.turns for entry in turn.about if turn.reply == "answer"}
        for step in blueprint.steps:
            assert step.step_id in used or step.optional or library.writes(step.tool_id)


def test_every_fact_is_told_by_the_user(batch: BlueprintBatch) -> None:
    for blueprint in batch.blueprints:
        assert set(blueprint.facts) == {fact for turn in blueprint.turns for fact in turn.reveals}


def test_an_unfillable_place_uses_all_its_attempts(regime: Regime) -> None:
    """A tool that promises an output and returns nothing can never be reported on."""
    mute = Tool(
        tool_id="void__get_nothing",
        server="void",
        name="get_nothing",
        description="",
        input_schema={"type": "object"},
        output_schema={"type": "object", "properties": {}},
        domain="void",
        source="test",
        executor="simulated",
        content_hash="",
    )
    cluster = BusinessCluster(
        cluster_id="c",
        rank=1,
        domain="void",
        name="",
        tool_ids=(mute.tool_id,),
        edges=(),
        gain=1,
        covered_tools=1,
        covered_edges=0,
    )
    made = plan_batch(regime(), "r02-b01", Library([mute], [], [cluster], {}), (), Settings(batch_size=3))
    assert not made.blueprints
    assert [refusal.reason for refusal in made.rejected] == ["empty_result"] * 3 * ATTEMPTS


def test_equal_plan_and_seed_give_equal_batches(library: Library, regime: Regime) -> None:
    assert small(library, regime()) == small(library, regime())


def test_another_seed_gives_another_batch(library: Library, regime: Regime) -> None:
    one, other = small(library, regime()), small(library, regime(), seed=8)
    assert not {item.blueprint_id for item in one.blueprints} & {item.blueprint_id for item in other.blueprints}


def test_another_plan_gives_another_batch(library: Library, regime: Regime) -> None:
    assert small(library, regime()) != small(library, regime(cac_target=20.0))


def test_a_higher_target_gives_more_complex_blueprints(library: Library, regime: Regime) -> None:
    low, high = (small(library, regime(cac_target=target, temperature=0.0)).blueprints for target in (0.0, 20.0))
    assert not any(blueprint.lineage.operators for blueprint in low)
    assert sum(item.target_cac for item in high) > 1.3 * sum(item.target_cac for item in low)


def test_no_blueprint_needs_more_messages_than_are_allowed(library: Library, regime: Regime) -> None:
    settings = Settings(batch_size=20, max_steps=6, max_operators=8)
    for blueprint in plan_batch(regime(cac_target=50.0), "r02-b01", library, (), settings).blueprints:
        faults = sum(step.fault is not None for step in blueprint.steps)
        assert len(blueprint.turns) + sum(len(turn.groups) for turn in blueprint.turns) + faults <= 6


def test_a_child_with_too_many_messages_is_rejected_with_the_figures(library: Library, regime: Regime) -> None:
    settings = Settings(batch_size=20, max_steps=6, max_operators=8)
    made = plan_batch(regime(cac_target=50.0), "r02-b01", library, (), settings)
    told = [one.detail for one in made.rejected if one.reason == "too_long"]
    assert told
    for detail in told:
        found = re.fullmatch(r"(\w+), (\d+) messages are planned, fewer than 6 \(TDS_MAX_STEPS\) are allowed", detail)
        assert found is not None and found[1] in OPERATORS and int(found[2]) >= 6


def test_kept_blueprints_have_children(library: Library, regime: Regime) -> None:
    elders = small(library, regime()).blueprints
    made = plan_batch(regime(round="r03"), "r03-b01", library, elders, Settings(batch_size=30))
    children = [blueprint for blueprint in made.blueprints if blueprint.lineage.parent_id]
    by_id = {elder.blueprint_id: elder for elder in elders}
    assert children
    for child in children:
        elder = by_id[child.lineage.parent_id or ""]
        assert child.lineage.generation >= elder.lineage.generation
        assert child.lineage.operators[: len(elder.lineage.operators)] == elder.lineage.operators
        assert (child.round, child.batch) == ("r03", "r03-b01")


def test_foreign_tools_give_blueprints_without_truth(foreign_library: Library, regime: Regime) -> None:
    made = plan_batch(regime(domain_weights={}), "r02-b01", foreign_library, (), Settings(batch_size=20))
    assert len(made.blueprints) == 20
    for blueprint in made.blueprints:
        assert find_fault(blueprint, foreign_library) is None
        assert (blueprint.expected_calls, blueprint.expected_digest) == ((), None)
        assert blueprint.target_mode and blueprint.target_cac > 0


def test_tools_that_run_live_are_planned_like_simulated_ones(foreign_library: Library, regime: Regime) -> None:
    plan, settings = regime(domain_weights={}), Settings(batch_size=20)
    live = [tool.model_copy(update={"executor": "mcp"}) for tool in foreign_library.tools.values()]
    edges = [edge for tool in live for edge in foreign_library.edges_out_of(tool.tool_id)]
    running = Library(live, edges, foreign_library.clusters, {})
    assert plan_batch(plan, "r02-b01", running, (), settings) == plan_batch(
        plan, "r02-b01", foreign_library, (), settings
    )


def test_clusters_are_drawn_by_domain_weight(library: Library, regime: Regime) -> None:
    rng = random.Random(1)
    drawn = {draw_cluster(regime(domain_weights={"banking": 1.0}), library.clusters, rng).domain for _ in range(30)}
    assert drawn == {"banking"}


def test_the_best_cluster_of_a_domain_is_drawn_most(library: Library, regime: Regime) -> None:
    rng, plan = random.Random(1), regime(domain_weights={"banking": 1.0})
    ranks = Counter(draw_cluster(plan, library.clusters, rng).rank for _ in range(300))
    assert ranks.most_common(1)[0][0] == min(item.rank for item in library.clusters if item.domain == "banking")


def test_a_cluster_that_the_plan_prefers_is_drawn_most(library: Library, regime: Regime) -> None:
    banks = [cluster.cluster_id for cluster in library.clusters if cluster.domain == "banking"]
    plan = regime(domain_weights={"banking": 1.0}, cluster_weights={banks[-1]: 0.9, banks[0]: 0.1})
    drawn = Counter(draw_cluster(plan, library.clusters, random.Random(seed)).cluster_id for seed in range(200))
    assert set(drawn) == {banks[-1], banks[0]}
    assert drawn[banks[-1]] > 4 * drawn[banks[0]]


def test_more_candidates_are_drawn_than_the_batch_holds(library: Library, regime: Regime) -> None:
    assert len(small(library, regime(candidates=2.5)).blueprints) == 30


def test_blueprints_aim_at_the_modes_of_the_plan(library: Library, regime: Regime) -> None:
    elders = plan_batch(regime(), "r01-b01", library, (), Settings(batch_size=60, seed=3)).blueprints
    target = "retrieve>confirm>act>answer"
    hits = [
        [
            ">".join(one.target_mode)
            for one in plan_batch(plan, "r02-b01", library, elders, Settings(batch_size=40)).blueprints
        ].count(target)
        for plan in (regime(cac_target=4.0), regime(cac_target=4.0, mode_targets={target: 1.0}))
    ]
    assert hits[1] >= 6 and hits[1] > 2 * hits[0]


@pytest.mark.parametrize(
    ("mode", "target", "leads"),
    [
        (("act", "answer"), ("clarify", "act", "verify", "answer"), True),
        (("act", "answer"), ("act", "answer"), True),
        (("act", "verify", "answer"), ("verify", "act", "answer"), False),
        (("act", "recover", "answer"), ("act", "answer"), False),
        (("act", "recover", "answer"), (), True),
    ],
)
def test_a_mode_leads_to_another_by_adding_labels_only(
    mode: tuple[str, ...], target: tuple[str, ...], leads: bool
) -> None:
    assert leads_to(mode, target) is leads


def test_a_child_that_never_runs_is_rejected_and_its_parent_goes_on(
    library: Library, regime: Regime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> tuple[None, str]:
        return None, "planted: guard: it never runs"

    monkeypatch.setattr(batch_module, "evolve_or_explain", fail)
    made = small(library, regime(cac_target=50.0))
    assert len(made.blueprints) == 12 and not any(one.lineage.operators for one in made.blueprints)
    assert Counter(one.reason for one in made.rejected)["planted"] >= 12


def test_operators_are_drawn_by_weight_and_by_the_label_wished_for(regime: Regime) -> None:
    plan = regime(operator_weights={"guard": 0.5, "compute": 0.5}, mode_weights={"compute": 1.0})
    drawn = Counter(draw_operator(plan, (), (), random.Random(seed)) for seed in range(300))
    assert set(drawn) == {"guard", "compute"}
    assert drawn["compute"] > 3 * drawn["guard"]


def test_a_plan_without_operators_draws_none(regime: Regime) -> None:
    assert draw_operator(regime(operator_weights={}), (), (), random.Random(1)) is None


def test_an_operator_is_drawn_among_those_that_bring_a_label_and_were_not_tried(regime: Regime) -> None:
    drawn = {draw_operator(regime(), ("act", "clarify"), ("widen",), random.Random(seed)) for seed in range(60)}
    assert drawn == {"pivot", "withhold"}
    assert draw_operator(regime(), ("clarify",), ("withhold",), random.Random(1)) is None


def test_every_tool_of_every_service_is_in_a_cluster(library: Library) -> None:
    clustered = {tool_id for cluster in library.clusters for tool_id in cluster.tool_ids}
    assert {tool.tool_id for tool in library.tools.values() if tool.executor == "builtin"} <= clustered


@pytest.fixture(scope="session")
def even_batch(library: Library, regime: Regime) -> tuple[Blueprint, ...]:
    """As large as the demo's."""
    return plan_batch(regime(), "r02-b01", library, (), Settings(batch_size=220, seed=7)).blueprints


def test_an_even_plan_spreads_over_more_than_four_and_a_half_bits_of_domains(
    even_batch: tuple[Blueprint, ...],
) -> None:
    counts = Counter(blueprint.domain for blueprint in even_batch)
    shares = [count / len(even_batch) for count in counts.values()]
    assert -sum(share * math.log2(share) for share in shares) > 4.5


def test_conversations_cross_junctions(library: Library, even_batch: tuple[Blueprint, ...]) -> None:
    crossing = 0
    for blueprint in even_batch:
        servers = {library.tools[call.tool_id].server for call in blueprint.expected_calls} - {CODE_SERVER}
        crossing += any(set(library.services[one].uses) & servers for one in servers)
    assert crossing >= 5
