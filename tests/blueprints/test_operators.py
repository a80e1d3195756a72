"""Each operator, over many parents: it brings its label, its child is well formed, and it leaves its parent alone."""

import random
from dataclasses import dataclass

import pytest
from pydantic import JsonValue

from tdscaling_assets.blueprints.library import Library, purpose
from tdscaling_assets.blueprints.moments import chain_depths
from tdscaling_assets.blueprints.operators import evolve
from tdscaling_assets.blueprints.rehearsal import DryRunError, Rehearsal, rehearse
from tdscaling_assets.blueprints.topology import draw_blueprint
from tdscaling_assets.blueprints.validation import find_fault
from tdscaling_assets.schema import (
    CODE_TOOL,
    OPERATORS,
    PROMISED_LABEL,
    Blueprint,
    BusinessCluster,
    JsonObject,
    Operator,
    Tool,
    Turn,
)
from tdscaling_assets.services.world import World
from tdscaling_assets.settings import CacWeights

WEIGHTS = CacWeights()
LEAST_APPLIED = 15
"""Children per operator below which a property over them would say little."""


@dataclass(frozen=True)
class Family:
    """All children that one operator made, each with its parent; and how many rewrites did not run."""

    pairs: list[tuple[Rehearsal, Rehearsal]]
    refused: int


@pytest.fixture(scope="session")
def families(library: Library, parents: list[Rehearsal]) -> dict[Operator, Family]:
    return {operator: breed(operator, parents, library) for operator in OPERATORS}


def breed(operator: Operator, parents: list[Rehearsal], library: Library) -> Family:
    pairs: list[tuple[Rehearsal, Rehearsal]] = []
    refused = 0
    for number, parent in enumerate(parents):
        try:
            child = evolve(operator, parent, library, WEIGHTS, random.Random(number))
        except DryRunError:
            refused += 1
            continue
        if child is not None:
            pairs.append((parent, child))
    return Family(pairs, refused)


def turns_of(blueprint: Blueprint, kind: str) -> list[Turn]:
    return [turn for turn in blueprint.turns if turn.kind == kind]


@pytest.mark.parametrize("operator", OPERATORS)
def test_it_applies_often_and_mostly_runs(operator: Operator, families: dict[Operator, Family]) -> None:
    family = families[operator]
    assert len(family.pairs) >= LEAST_APPLIED
    assert family.refused < len(family.pairs)


@pytest.mark.parametrize("operator", OPERATORS)
def test_it_brings_the_label_it_promises(operator: Operator, families: dict[Operator, Family]) -> None:
    for _, child in families[operator].pairs:
        assert PROMISED_LABEL[operator] in child.blueprint.target_mode


@pytest.mark.parametrize("operator", OPERATORS)
def test_its_children_are_well_formed(operator: Operator, families: dict[Operator, Family], library: Library) -> None:
    for _, child in families[operator].pairs:
        assert find_fault(child.blueprint, library) is None


@pytest.mark.parametrize("operator", OPERATORS)
def test_its_children_rehearse_to_themselves(
    operator: Operator, families: dict[Operator, Family], library: Library
) -> None:
    for _, child in families[operator].pairs:
        assert rehearse(child.blueprint, library, WEIGHTS).blueprint == child.blueprint


@pytest.mark.parametrize("operator", OPERATORS)
def test_lineage_records_operator_and_generation(operator: Operator, families: dict[Operator, Family]) -> None:
    for parent, child in families[operator].pairs:
        before, after = parent.blueprint.lineage, child.blueprint.lineage
        assert after.operators == (*before.operators, operator)
        assert after.generation == before.generation + 1


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_parent_and_its_world_stay_as_they_were(
    operator: Operator, families: dict[Operator, Family], library: Library
) -> None:
    for parent, _ in families[operator].pairs:
        assert parent.world.digest() == parent.blueprint.expected_digest
        assert rehearse(parent.blueprint, library, WEIGHTS).blueprint == parent.blueprint


@pytest.mark.parametrize("operator", OPERATORS)
def test_equal_seeds_make_equal_children(operator: Operator, parents: list[Rehearsal], library: Library) -> None:
    first, second = (breed(operator, parents[:25], library).pairs for _ in range(2))
    assert [child.blueprint for _, child in first] == [child.blueprint for _, child in second]
    assert first


@pytest.mark.parametrize("operator", ["deepen", "widen", "verify", "compute", "pivot"])
def test_operators_that_add_steps_raise_complexity(operator: Operator, families: dict[Operator, Family]) -> None:
    for parent, child in families[operator].pairs:
        assert child.blueprint.target_cac > parent.blueprint.target_cac


def test_deepen_makes_the_longest_chain_one_call_longer(families: dict[Operator, Family]) -> None:
    for parent, child in families["deepen"].pairs:
        before, after = (max(chain_depths(one.blueprint.steps).values()) for one in (parent, child))
        assert after == before + 1


def test_deepen_at_the_end_is_asked_for_in_the_request(families: dict[Operator, Family], library: Library) -> None:
    ended = [(parent, child) for parent, child in families["deepen"].pairs if not is_fed_by_last(child.blueprint)]
    assert len(ended) >= LEAST_APPLIED
    for parent, child in ended:
        action = purpose(library.tools[child.blueprint.steps[-1].tool_id])
        before, after = parent.blueprint.turns[0].intent, child.blueprint.turns[0].intent
        assert after in (f"{before} and then {action}", f"{before} and {action}")
        assert set(child.blueprint.facts) <= {fact for turn in child.blueprint.turns for fact in turn.reveals}


def test_deepen_at_the_start_looks_up_what_was_told(families: dict[Operator, Family]) -> None:
    begun = [(parent, child) for parent, child in families["deepen"].pairs if is_fed_by_last(child.blueprint)]
    assert len(begun) >= LEAST_APPLIED
    for parent, child in begun:
        (gone,) = parent.blueprint.facts.keys() - child.blueprint.facts.keys()
        assert parent.blueprint.facts[gone] not in child.blueprint.facts.values()
        assert not any(gone in turn.reveals for turn in child.blueprint.turns)
        made = [call.arguments for call in parent.calls.values()]
        assert [child.calls[step].arguments for step in parent.calls] == made
        assert [turn.intent for turn in child.blueprint.turns] == [turn.intent for turn in parent.blueprint.turns]


def is_fed_by_last(blueprint: Blueprint) -> bool:
    """Whether a step takes what the step added last returns."""
    last = blueprint.steps[-1].step_id
    return any(binding.step == last for step in blueprint.steps for binding in step.arguments.values())


def test_widen_offers_the_tools_of_another_cluster(families: dict[Operator, Family]) -> None:
    for parent, child in families["widen"].pairs:
        assert set(child.blueprint.tool_ids) > set(parent.blueprint.tool_ids)
        assert len(turns_of(child.blueprint, "request")) == 2


def test_widen_asks_for_a_change_that_was_not_asked_for(families: dict[Operator, Family], library: Library) -> None:
    places = {
        child.blueprint.turns[0].intent == parent.blueprint.turns[0].intent for parent, child in families["widen"].pairs
    }
    assert places == {True, False}  # before the first request, and after it
    for parent, child in families["widen"].pairs:
        change = child.blueprint.steps[-1].tool_id
        assert library.writes(change)
        assert change not in {step.tool_id for step in parent.blueprint.steps}


def test_withhold_tells_a_required_fact_only_when_asked(families: dict[Operator, Family], library: Library) -> None:
    for _, child in families["withhold"].pairs:
        asking = next(turn for turn in child.blueprint.turns if turn.reply == "clarify")
        (fact,) = asking.about
        (telling,) = turns_of(child.blueprint, "inform")
        assert fact not in asking.reveals
        assert telling.reveals == (fact,)
        needing = [
            library.tools[step.tool_id].input_schema["required"]
            for step in child.blueprint.steps
            if any(binding.fact == fact for binding in step.arguments.values())
        ]
        assert any(needing)


def test_perturb_makes_one_call_fail_at_first(families: dict[Operator, Family]) -> None:
    for _, child in families["perturb"].pairs:
        assert sum(step.fault is not None for step in child.blueprint.steps) == 1


def test_guard_asks_leave_for_a_step_that_changes_state(families: dict[Operator, Family], library: Library) -> None:
    for _, child in families["guard"].pairs:
        place = next(place for place, turn in enumerate(child.blueprint.turns) if turn.reply == "confirm")
        asking, approving = child.blueprint.turns[place : place + 2]
        assert approving.kind == "approve"
        assert approving.groups[0][:1] == asking.about
        assert any(library.writes(child.blueprint.step(step_id).tool_id) for step_id in approving.groups[0])


def test_guard_prefers_a_destructive_step(library: Library, parents: list[Rehearsal]) -> None:
    def destructive(rehearsal: Rehearsal) -> list[bool]:
        steps = [step for step in rehearsal.blueprint.steps if library.writes(step.tool_id)]
        return [bool(library.tools[step.tool_id].destructive) for step in steps]

    mixed = [parent for parent in parents if len(set(destructive(parent))) == 2]
    assert len(mixed) >= 3
    for parent in mixed:
        for seed in range(5):
            child = evolve("guard", parent, library, WEIGHTS, random.Random(seed))
            assert child is not None
            asking = next(turn for turn in child.blueprint.turns if turn.reply == "confirm")
            assert library.tools[child.blueprint.step(asking.about[0]).tool_id].destructive


def test_verify_repeats_no_call(families: dict[Operator, Family]) -> None:
    for parent, child in families["verify"].pairs:
        made = [(call.tool_id, call.arguments) for call in parent.calls.values()]
        added = child.blueprint.steps[-1]
        call = child.calls[added.step_id]
        assert added.optional
        assert (call.tool_id, call.arguments) not in made


def test_verify_reads_after_a_write_what_the_write_changed(families: dict[Operator, Family], library: Library) -> None:
    for _, child in families["verify"].pairs:
        added = child.blueprint.steps[-1]
        order = list(child.calls)
        place = order.index(added.step_id)
        writes = [at for at in range(place) if library.writes(child.calls[order[at]].tool_id)]
        tool, arguments = library.tools[added.tool_id], child.calls[added.step_id].arguments

        def answer(world: World, tool: Tool = tool, arguments: JsonObject = arguments) -> JsonValue:
            return world.fork().call(tool.server, tool.name, arguments).value

        assert any(answer(child.worlds[at]) != answer(child.worlds[at + 1]) for at in writes)


def test_verify_reads_right_after_the_write_and_later(families: dict[Operator, Family], library: Library) -> None:
    def follows_a_write(blueprint: Blueprint) -> bool:
        order = [step_id for turn in blueprint.turns for group in turn.groups for step_id in group]
        return library.writes(blueprint.step(order[order.index(blueprint.steps[-1].step_id) - 1]).tool_id)

    assert {follows_a_write(child.blueprint) for _, child in families["verify"].pairs} == {True, False}


def test_parallelise_puts_only_look_ups_side_by_side(families: dict[Operator, Family], library: Library) -> None:
    for _, child in families["parallelise"].pairs:
        (group,) = [group for turn in child.blueprint.turns for group in turn.groups if len(group) > 1]
        assert not any(library.writes(child.blueprint.step(step_id).tool_id) for step_id in group)


def test_compute_adds_a_code_step_whose_result_is_reported(families: dict[Operator, Family]) -> None:
    coded = [child for _, child in families["compute"].pairs if child.blueprint.steps[-1].tool_id == CODE_TOOL]
    assert len(coded) >= LEAST_APPLIED
    for child in coded:
        step = child.blueprint.steps[-1]
        assert step.task is not None and step.task.expected
        assert any(f"{step.step_id}.stdout" in turn.about for turn in child.blueprint.turns)


def test_pivot_is_a_change_after_the_answer(families: dict[Operator, Family], library: Library) -> None:
    for parent, child in families["pivot"].pairs:
        assert child.blueprint.turns[:-1] == parent.blueprint.turns
        assert child.blueprint.turns[-1].kind == "pivot"
        assert library.writes(child.blueprint.steps[-1].tool_id)
        order = list(child.calls)
        assert order[-1] == child.blueprint.steps[-1].step_id


def test_pivot_follows_the_request_that_it_goes_back_on(library: Library, families: dict[Operator, Family]) -> None:
    """Of two requests either may be followed, and what is changed is what that one was about."""
    wide = [child for _, child in families["widen"].pairs]
    places: set[int] = set()
    for parent, child in breed("pivot", wide, library).pairs:
        place = next(place for place, turn in enumerate(child.blueprint.turns) if turn.kind == "pivot")
        done = {step_id for group in child.blueprint.turns[place - 1].groups for step_id in group}
        assert done & {binding.step for binding in child.blueprint.steps[-1].arguments.values()}
        places.add(place - len(parent.blueprint.turns))
    assert places == {-1, 0}


def test_refuse_asks_for_what_no_offered_tool_does(families: dict[Operator, Family], library: Library) -> None:
    for _, child in families["refuse"].pairs:
        (turn,) = [turn for turn in child.blueprint.turns if turn.reply == "decline"]
        assert turn.groups == ()
        offered = {(library.tools[tool_id].title or "").lower() for tool_id in child.blueprint.tool_ids}
        assert turn.intent not in offered


def test_refuse_opens_a_conversation_or_ends_it(families: dict[Operator, Family]) -> None:
    places = {
        next(place for place, turn in enumerate(child.blueprint.turns) if turn.reply == "decline")
        for _, child in families["refuse"].pairs
    }
    assert places == {0, 1}


def test_refuse_passes_over_what_an_offered_tool_of_another_domain_does(library: Library) -> None:
    """Two calendars in two domains: neither is asked for in a conversation that offers the other."""
    ours = [library.tools["calendar__list_events"], library.tools["calendar__cancel_event"]]
    theirs = [tool.model_copy(update={"tool_id": f"other_{tool.tool_id}", "domain": "leisure"}) for tool in ours]
    twins = Library([*ours, *theirs[:1]], [], [], library.services)
    blueprint = draw_blueprint(single(ours[0]), "r02-b01", twins, random.Random(1), world_seed=1)
    assert evolve("refuse", rehearse(blueprint, twins, WEIGHTS), twins, WEIGHTS, random.Random(1)) is None


def single(tool: Tool) -> BusinessCluster:
    """A cluster of one tool."""
    return BusinessCluster(
        cluster_id="c",
        rank=1,
        domain=tool.domain,
        name="",
        tool_ids=(tool.tool_id,),
        edges=(),
        gain=1,
        covered_tools=1,
        covered_edges=0,
    )


def test_operators_apply_one_after_another(library: Library, parents: list[Rehearsal]) -> None:
    applied = 0
    for number, parent in enumerate(parents[:20]):
        rng, rehearsal = random.Random(number), parent
        for operator in rng.sample(OPERATORS, len(OPERATORS)):
            try:
                rehearsal = evolve(operator, rehearsal, library, WEIGHTS, rng) or rehearsal
            except DryRunError:
                continue
        assert find_fault(rehearsal.blueprint, library) is None, rehearsal.blueprint.lineage.operators
        applied += rehearsal.blueprint.lineage.generation
    assert applied > 3 * 20


@pytest.mark.parametrize("operator", OPERATORS)
def test_foreign_tools_evolve_too_except_where_rows_must_be_known(
    operator: Operator, foreign_library: Library, foreign_parents: list[Rehearsal]
) -> None:
    family = breed(operator, foreign_parents, foreign_library)
    assert bool(family.pairs) is (operator != "compute")
    for _, child in family.pairs:
        assert find_fault(child.blueprint, foreign_library) is None
        assert child.blueprint.expected_digest is None
        assert PROMISED_LABEL[operator] in child.blueprint.target_mode


@pytest.mark.parametrize("service", ["database", "workspace"])
def test_compute_runs_a_program_of_the_service_where_there_is_one(service: str, library: Library) -> None:
    clusters = [
        cluster for cluster in library.clusters if {service} == {one.split("__")[0] for one in cluster.tool_ids}
    ]
    ran: set[str] = set()
    for number in range(40):
        rng = random.Random(number)
        try:
            parent = rehearse(draw_blueprint(rng.choice(clusters), "r02-b01", library, rng, number), library, WEIGHTS)
            child = evolve("compute", parent, library, WEIGHTS, rng)
        except DryRunError:
            continue
        programs = set(library.programs([service])) - {step.tool_id for step in parent.blueprint.steps}
        if child is not None and programs:
            step = child.blueprint.steps[-1]
            assert step.tool_id in programs
            assert child.calls[step.step_id].output
            ran.add(step.tool_id)
    assert ran == set(library.programs([service]))
