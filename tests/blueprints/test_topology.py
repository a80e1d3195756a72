"""A drawn request: a chain along dependency edges, asked for in full, and answered with what was found."""

import random
from collections import Counter
from itertools import pairwise

import pytest

from tdscaling_assets.blueprints.library import Library, purpose
from tdscaling_assets.blueprints.rehearsal import Rehearsal
from tdscaling_assets.blueprints.topology import draw_chain, seal
from tdscaling_assets.measures import leaves
from tdscaling_assets.paths import value_at
from tdscaling_assets.schema import Lineage


def test_a_chain_follows_the_edges_of_its_cluster(library: Library) -> None:
    lengths: Counter[int] = Counter()
    for seed, cluster in enumerate(library.clusters):
        chain = draw_chain(cluster, library, random.Random(seed))
        edges = {(edge.producer_id, edge.consumer_id) for edge in cluster.edges}
        assert edges.issuperset(pairwise(chain))
        assert len(set(chain)) == len(chain)
        lengths[len(chain)] += 1
    assert set(lengths) == {1, 2, 3, 4}


def test_a_chain_can_be_told_where_to_end(library: Library) -> None:
    cluster = library.clusters[0]
    for seed in range(20):
        assert draw_chain(cluster, library, random.Random(seed), [cluster.tool_ids[0]])[-1] == cluster.tool_ids[0]


def test_each_step_of_a_chain_feeds_the_next(parents: list[Rehearsal]) -> None:
    pairs = 0
    for parent in parents:
        steps = parent.blueprint.steps
        for step, consumer in pairwise(steps):
            assert step.step_id in {binding.step for binding in consumer.arguments.values()}
            pairs += 1
    assert pairs >= 30


def test_the_request_asks_for_every_change_and_for_the_end(library: Library, parents: list[Rehearsal]) -> None:
    changes = 0
    for parent in parents:
        *before, last = [library.tools[step.tool_id] for step in parent.blueprint.steps]
        asked = [tool for tool in before if library.writes(tool.tool_id)]
        assert all(purpose(tool) in parent.blueprint.turns[0].intent for tool in (*asked, last))
        changes += len(asked)
    assert changes >= 10


def test_a_look_up_that_tells_nothing_new_is_asked_for_and_reported(
    library: Library, bank_parents: list[Rehearsal]
) -> None:
    """Looking up an account by its id, only to pass that id on, is work that the user must want for itself."""
    echoes = 0
    for parent in bank_parents:
        turn = parent.blueprint.turns[0]
        for step in parent.blueprint.steps[:-1]:
            if library.writes(step.tool_id) or tells_something_new(parent, step.step_id):
                continue
            assert purpose(library.tools[step.tool_id]) in turn.intent
            assert any(entry.startswith(f"{step.step_id}.") for entry in turn.about)
            echoes += 1
    assert echoes >= 3


def tells_something_new(parent: Rehearsal, step_id: str) -> bool:
    given = list(leaves(parent.calls[step_id].arguments))
    used = [
        value_at(parent.outputs[step_id], binding.path)
        for step in parent.blueprint.steps
        for binding in step.arguments.values()
        if binding.step == step_id
    ]
    return any(value not in given for value in used)


def test_the_answer_reports_values_that_are_there(parents: list[Rehearsal]) -> None:
    for parent in parents:
        about = parent.blueprint.turns[0].about
        assert about
        for entry in about:
            step_id, _, path = entry.partition(".")
            assert not isinstance(value_at(parent.outputs[step_id], path), dict | list)


@pytest.mark.parametrize("change", [{"seed": 5}, {"batch": "r09-b09"}, {"lineage": Lineage(generation=4)}])
def test_another_content_has_another_id(change: dict[str, object], parents: list[Rehearsal]) -> None:
    blueprint = parents[0].blueprint
    assert seal(blueprint.model_copy(update=change)).blueprint_id != seal(blueprint).blueprint_id


def test_the_scenario_does_not_change_the_id(parents: list[Rehearsal]) -> None:
    blueprint = seal(parents[0].blueprint)
    assert seal(blueprint.model_copy(update={"title": "x", "persona": "y", "goal": "z"})) == blueprint.model_copy(
        update={"title": "x", "persona": "y", "goal": "z"}
    )
