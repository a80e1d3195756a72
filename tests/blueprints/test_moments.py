"""What is known at a place of a conversation, and the world as it stands there."""

from tdscaling_assets.blueprints.library import Library
from tdscaling_assets.blueprints.moments import (
    answered_requests,
    chain_depths,
    gaps,
    moment_at,
    moment_before,
    places_within,
    steps_done,
)
from tdscaling_assets.blueprints.rehearsal import Rehearsal, replay
from tdscaling_assets.schema import Binding, Blueprint, Step, Turn


def talk(*turns: Turn) -> Blueprint:
    return Blueprint(
        blueprint_id="",
        round="r01",
        batch="r01-b01",
        cluster_id="c",
        domain="retail",
        title="",
        persona="",
        goal="",
        tool_ids=(),
        services=(),
        world_seed=1,
        facts={},
        steps=(),
        turns=turns,
        seed=1,
    )


def chained(step_id: str, *feeders: str) -> Step:
    arguments = {f"p{feeder}": Binding(kind="output", step=feeder, path="id") for feeder in feeders}
    return Step(step_id=step_id, tool_id="t", arguments=arguments)


GUARDED = (
    Turn(kind="request", intent="a", groups=(("s1",),), reply="confirm", about=("s2",)),
    Turn(kind="approve", intent="a", groups=(("s2",), ("s3",))),
    Turn(kind="pivot", intent="b", groups=(("s4",),)),
    Turn(kind="request", intent="c", reply="decline"),
)


def test_a_request_goes_from_its_first_turn_to_its_answer() -> None:
    assert answered_requests(talk(*GUARDED)) == [(0, 1), (2, 2)]


def test_another_request_fits_where_nothing_is_pending() -> None:
    assert gaps(talk(*GUARDED)) == [0, 3, 4]


def test_places_are_between_groups_and_count_the_steps_before() -> None:
    blueprint = talk(*GUARDED)
    assert places_within(blueprint, 0, 1) == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]
    assert steps_done(blueprint, (1, 1)) == ["s1", "s2"]
    assert steps_done(blueprint, (4, 0)) == ["s1", "s2", "s3", "s4"]


def test_chains_are_measured_by_what_feeds_what() -> None:
    steps = [chained("s1"), chained("s2", "s1"), chained("s3", "s4"), chained("s4", "s1", "s2")]
    assert chain_depths(steps) == {"s1": 1, "s2": 2, "s4": 3, "s3": 4}
    optional = chained("s5", "s3").model_copy(update={"optional": True})
    assert chain_depths([*steps, optional]) == chain_depths(steps)


def test_a_moment_knows_what_was_said_and_done_by_then(parents: list[Rehearsal]) -> None:
    long = [parent for parent in parents if len(parent.blueprint.steps) >= 3 and parent.blueprint.facts]
    assert long
    for parent in long:
        ids = [step.step_id for step in parent.blueprint.steps]
        moment, before = moment_at(parent, (0, 2)), moment_before(parent, 0)
        assert [step.step_id for step in moment.known.steps] == [*moment.known.outputs] == ids[:2]
        assert moment.known.facts == parent.blueprint.facts
        assert moment.world.digest() == parent.worlds[2].digest()
        assert (before.known.facts, set(before.known.later)) == ({}, set(parent.blueprint.facts))


def test_worlds_are_those_after_each_step(library: Library, parents: list[Rehearsal]) -> None:
    for parent in parents[:30]:
        for place in range(len(parent.blueprint.steps) + 1):
            turn = parent.blueprint.turns[0].model_copy(update={"groups": parent.blueprint.turns[0].groups[:place]})
            cut = parent.blueprint.model_copy(update={"turns": (turn,)})
            assert replay(cut, library)[1][-1].digest() == parent.worlds[place].digest()


def test_only_an_equal_call_in_an_equal_world_is_taken_over(library: Library, parents: list[Rehearsal]) -> None:
    parent = next(parent for parent in parents if len(parent.blueprint.steps) == 1)
    blueprint, (call,) = parent.blueprint, parent.calls.values()
    forged = call.model_copy(update={"output": "forged"})
    earlier = Rehearsal(blueprint, {call.step_id: forged}, parent.worlds)
    otherwise = Rehearsal(
        blueprint, {call.step_id: forged.model_copy(update={"arguments": {"other": 1}})}, parent.worlds
    )
    elsewhere = blueprint.model_copy(update={"world_seed": blueprint.world_seed + 1})
    alike = Rehearsal(elsewhere, {call.step_id: forged}, parent.worlds)
    assert replay(blueprint, library, earlier)[0] == {call.step_id: forged}
    assert replay(blueprint, library, otherwise)[0] == {call.step_id: call}
    assert replay(blueprint, library, alike)[0] == {call.step_id: call}
