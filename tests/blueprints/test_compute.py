"""The operator that adds a code step: seeded, spread over the families, sound, and known beforehand."""

import random
from collections import Counter
from collections.abc import Callable

import pytest
from pydantic import JsonValue

from tdscaling_assets.blueprints.compute import compute, find_fits, with_code
from tdscaling_assets.blueprints.library import Library
from tdscaling_assets.blueprints.operators import evolve
from tdscaling_assets.blueprints.rehearsal import DryRunError, Rehearsal, rehearse, run_step
from tdscaling_assets.blueprints.validation import find_fault
from tdscaling_assets.code_tasks import FAMILIES, KINDS
from tdscaling_assets.schema import CODE_TOOLS, Blueprint, CodeTask, Step
from tdscaling_assets.settings import CacWeights

WEIGHTS = CacWeights()


@pytest.fixture(scope="module")
def coded(library: Library, parents: list[Rehearsal]) -> list[Rehearsal]:
    """Children with a code step of the code tools."""
    children: list[Rehearsal] = []
    for number, parent in enumerate(parents):
        child = compute(parent, library, random.Random(number))
        if child is not None and any(step.task for step in child.steps):
            children.append(rehearse(child, library, WEIGHTS))
    return children


@pytest.fixture(scope="module")
def repaired(library: Library, parents: list[Rehearsal]) -> Blueprint:
    """A child whose code step takes several calls over what the user gives."""
    fit = next(fit for fit in find_fits(parents[0], library) if fit.kind.family == "repair_test")
    return rehearse(with_code(parents[0].blueprint, fit, library, random.Random(1)), library, WEIGHTS).blueprint


def tasks(blueprint: Blueprint) -> list[CodeTask]:
    return [step.task for step in blueprint.steps if step.task]


def test_no_family_takes_it_all(coded: list[Rehearsal]) -> None:
    families = Counter(KINDS[tasks(one.blueprint)[0].kind].family for one in coded)
    assert set(families) == set(FAMILIES)
    assert max(families.values()) < 0.4 * len(coded)


def test_most_parents_can_take_a_code_step(coded: list[Rehearsal], parents: list[Rehearsal]) -> None:
    assert len(coded) > 0.8 * len(parents)


def test_the_answer_reports_the_last_call_and_its_result_is_known(coded: list[Rehearsal]) -> None:
    for one in coded:
        *before, last = [step for step in one.blueprint.steps if step.task]
        assert last.task is not None and last.task.expected and not last.optional
        assert [step.task.expected for step in before if step.task] == [""] * len(before)
        (turn,) = [turn for turn in one.blueprint.turns if f"{last.step_id}.stdout" in turn.about]
        assert turn.reply == "answer"
        assert one.calls[last.step_id].output["stdout"] == f"{last.task.expected}\n"  # type: ignore[index,call-overload]


def test_the_tools_that_it_takes_are_offered(coded: list[Rehearsal]) -> None:
    for one in coded:
        kind = KINDS[tasks(one.blueprint)[0].kind]
        assert {*kind.tool_ids} == CODE_TOOLS & {*one.blueprint.tool_ids}


def test_what_the_user_gives_is_told_before_it_is_needed(coded: list[Rehearsal]) -> None:
    given = [one.blueprint for one in coded if tasks(one.blueprint)[0].facts]
    assert len(given) >= 10
    for blueprint in given:
        needed = {fact for task in tasks(blueprint) for fact in task.facts}
        assert needed <= blueprint.facts.keys()
        assert needed <= {fact for turn in blueprint.turns for fact in turn.reveals}


def test_a_conversation_has_one_code_step(coded: list[Rehearsal], library: Library) -> None:
    for one in coded:
        assert find_fits(one, library) == []


def test_nothing_fits_where_truth_is_not_known(foreign_parents: list[Rehearsal], foreign_library: Library) -> None:
    assert [fit for one in foreign_parents for fit in find_fits(one, foreign_library)] == []


def test_a_tool_that_is_not_in_the_catalog_is_not_asked_for(parents: list[Rehearsal], library: Library) -> None:
    tools = [tool for name, tool in library.tools.items() if name not in CODE_TOOLS - {"run_python"}]
    small = Library(tools, [], library.clusters, library.services)
    kinds = {fit.kind.tool_ids for parent in parents[:40] for fit in find_fits(parent, small)}
    assert kinds == {("run_python",)}


def test_a_fact_of_the_same_name_is_refused(parents: list[Rehearsal], library: Library) -> None:
    fit = next(fit for fit in find_fits(parents[0], library) if fit.kind.family == "parse_log")
    blueprint = parents[0].blueprint.model_copy(update={"facts": {"service_log": "another"}})
    with pytest.raises(DryRunError, match="knows something else"):
        with_code(blueprint, fit, library, random.Random(1))


def changed(blueprint: Blueprint, place: int, **changes: object) -> Blueprint:
    """The blueprint with the task of its n-th code call changed."""
    coded = [step.step_id for step in blueprint.steps if step.task]

    def change(step: Step) -> Step:
        assert step.task is not None
        return step.model_copy(update={"task": step.task.model_copy(update=changes)})

    steps = tuple(change(step) if step.step_id == coded[place] else step for step in blueprint.steps)
    return blueprint.model_copy(update={"steps": steps})


@pytest.mark.parametrize(
    ("place", "changes", "reason"),
    [
        (-1, {"expected": "99 passed"}, "other_result"),
        (0, {"kind": "repair_nothing"}, "no_task"),
        (0, {"stage": 9}, "no_task"),
        (0, {"stage": 2}, "no_task"),
        (0, {"facts": ("test_text", "unknown")}, "missing_output"),
        (0, {"step": "s1", "path": "no.where"}, "missing_output"),
    ],
)
def test_a_spoilt_code_step_does_not_run(
    place: int, changes: dict[str, object], reason: str, repaired: Blueprint, library: Library
) -> None:
    with pytest.raises(DryRunError) as refusal:
        rehearse(changed(repaired, place, **changes), library, WEIGHTS)
    assert refusal.value.reason == reason


def without_facts(blueprint: Blueprint) -> Blueprint:
    turns = tuple(turn.model_copy(update={"reveals": ()}) for turn in blueprint.turns)
    return blueprint.model_copy(update={"turns": turns})


def with_calls_the_other_way_round(blueprint: Blueprint) -> Blueprint:
    turn = blueprint.turns[-1]
    groups = (*turn.groups[:-2], turn.groups[-1], turn.groups[-2])
    return blueprint.model_copy(update={"turns": (*blueprint.turns[:-1], turn.model_copy(update={"groups": groups}))})


@pytest.mark.parametrize(
    ("plant", "reason"), [(without_facts, "unrevealed"), (with_calls_the_other_way_round, "order")]
)
def test_a_planted_fault_is_found(
    plant: Callable[[Blueprint], Blueprint], reason: str, repaired: Blueprint, library: Library
) -> None:
    assert find_fault(repaired, library) is None
    assert (find_fault(plant(repaired), library) or "").partition(":")[0] == reason


def test_rows_that_a_code_step_can_no_longer_work_on_are_refused(library: Library, parents: list[Rehearsal]) -> None:
    parent, fit = next(
        (parent, fit) for parent in parents for fit in find_fits(parent, library) if fit.kind.name == "sql_second"
    )
    step = with_code(parent.blueprint, fit, library, random.Random(1)).steps[-1]
    alike: list[JsonValue] = [{fit.field: 1.5}, {fit.field: 1.5}]
    outputs: JsonValue = alike
    for part in reversed(fit.path.split(".")):
        outputs = {part: outputs}
    with pytest.raises(DryRunError, match=fit.field) as refusal:
        run_step(parent.blueprint, step, {fit.source: outputs}, library, parent.world)
    assert refusal.value.reason == "unfit_rows"


def test_no_leave_is_asked_and_no_failure_planned_for_calls_of_a_code_step(
    coded: list[Rehearsal], library: Library
) -> None:
    guarded = 0
    for number, one in enumerate(coded):
        tasks_of = {step.step_id for step in one.blueprint.steps if step.task}
        for operator in ("guard", "perturb", "parallelise"):
            try:
                child = evolve(operator, one, library, WEIGHTS, random.Random(number))
            except DryRunError:
                continue
            if child is not None:
                guarded += operator == "guard"
                asked = {entry for turn in child.blueprint.turns if turn.reply == "confirm" for entry in turn.about}
                assert tasks_of.isdisjoint(asked)
                assert not any(step.fault for step in child.blueprint.steps if step.task)
                assert find_fault(child.blueprint, library) is None
    assert guarded >= 10
