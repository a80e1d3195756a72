"""A rehearsed blueprint and a place in it in, what is known there and how the world stands out.

A place is (turn, cut): turn `turn` has begun and `cut` of its groups have run. Operators put new steps at any of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tdscaling_assets.blueprints.binding import Known
from tdscaling_assets.blueprints.rehearsal import Rehearsal
from tdscaling_assets.schema import Blueprint, ExpectedCall, JsonObject, Step
from tdscaling_assets.services.world import World

Place = tuple[int, int]


@dataclass(frozen=True)
class Moment:
    """What is known for certain, so not from steps that may be left out; and a world of its own, to be called on."""

    known: Known
    world: World

    def after(self, step: Step, facts: JsonObject, call: ExpectedCall) -> "Moment":
        """The moment once the step has run on this world, and the user has said the facts."""
        known = Known(
            (*self.known.steps, step),
            {**self.known.outputs, step.step_id: call.output},
            {**self.known.facts, **facts},
            self.known.later,
        )
        return Moment(known, self.world)


def moment_at(rehearsal: Rehearsal, place: Place) -> Moment:
    """The moment at a place: its turn's facts have been said."""
    return _moment(rehearsal, place, place[0] + 1)


def moment_before(rehearsal: Rehearsal, index: int) -> Moment:
    """The moment before turn `index` begins; its facts have not been said."""
    return _moment(rehearsal, (index, 0), index)


def answered_requests(blueprint: Blueprint) -> list[Place]:
    """Of each request, or change of mind, that ends in an answer: its first turn and the turn of the answer."""
    found: list[Place] = []
    opening = 0
    for index, turn in enumerate(blueprint.turns):
        if turn.kind in ("request", "pivot"):
            opening = index
        if turn.reply == "answer":
            found.append((opening, index))
    return found


def places_within(blueprint: Blueprint, opening: int, closing: int) -> list[Place]:
    """Every place from the begin of turn `opening` to the end of turn `closing`, each once: what comes at the end of a
    turn comes before it speaks."""
    return [(turn, cut) for turn in range(opening, closing + 1) for cut in range(len(blueprint.turns[turn].groups) + 1)]


def gaps(blueprint: Blueprint) -> list[int]:
    """Indexes of turns before which another request fits, and the end: not before an answer to a question, a leave, or
    a change of mind, which go on with the turn before."""
    starts = [index for index, turn in enumerate(blueprint.turns) if turn.kind == "request"]
    return [*starts, len(blueprint.turns)]


def steps_done(blueprint: Blueprint, place: Place) -> list[str]:
    """Ids of the steps that have run at a place, in order."""
    index, cut = place
    groups = [group for turn in blueprint.turns[:index] for group in turn.groups]
    groups += blueprint.turns[index].groups[:cut] if index < len(blueprint.turns) else ()
    return [step_id for group in groups for step_id in group]


def chain_depths(steps: Sequence[Step]) -> dict[str, int]:
    """Step id → length of the longest chain of calls that ends in it, each fed by what the one before returned; of the
    steps that may not be left out."""
    feeders = {
        step.step_id: {binding.step for binding in step.arguments.values() if binding.kind == "output"}
        for step in steps
        if not step.optional
    }
    depths: dict[str, int] = {}

    def depth(step_id: str) -> int:
        if step_id not in depths:
            depths[step_id] = 1 + max((depth(feeder) for feeder in feeders[step_id] if feeder in feeders), default=0)
        return depths[step_id]

    return {step_id: depth(step_id) for step_id in feeders}


def _moment(rehearsal: Rehearsal, place: Place, begun: int) -> Moment:
    blueprint, done = rehearsal.blueprint, steps_done(rehearsal.blueprint, place)
    said = {name for turn in blueprint.turns[:begun] for name in turn.reveals}
    known = Known(
        [step for step in map(blueprint.step, done) if not step.optional],
        {step_id: rehearsal.calls[step_id].output for step_id in done},
        {name: value for name, value in blueprint.facts.items() if name in said},
        blueprint.facts.keys() - said,
    )
    return Moment(known, rehearsal.worlds[len(done)].fork())
