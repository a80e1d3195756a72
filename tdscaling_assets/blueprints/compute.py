"""The operator that adds a code step: a program of a service, or calls of the code tools with a known result."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tdscaling_assets.blueprints.library import Library, purpose
from tdscaling_assets.blueprints.moments import (
    Place,
    answered_requests,
    moment_before,
    places_within,
    steps_done,
)
from tdscaling_assets.blueprints.rehearsal import DryRunError, Rehearsal
from tdscaling_assets.blueprints.topology import ground_step
from tdscaling_assets.blueprints.turns import enlarge_request, next_step_id, opening_of, report_paths
from tdscaling_assets.code_tasks import KINDS, Kind, Material, tables
from tdscaling_assets.schema import Blueprint, CodeTask, JsonObject, Step

LAST_SHARE = 0.5
"""Probability that a code step is the last thing done for its request."""
ROWS_WEIGHT = 2.0
"""How much likelier a code step is over what the conversation has brought up."""


@dataclass(frozen=True)
class Fit:
    """A kind of code step that can be asked for in the request answered in turn `index`: over the field of rows at
    `path` in the output of `source`, or over what the user gives where there is no source."""

    kind: Kind
    index: int
    source: str = ""
    path: str = ""
    field: str = ""
    rows: tuple[JsonObject, ...] = ()


def compute(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """A step that runs code: a query or tests where a service of the world offers them, else calls of the code tools.

    Raises DryRunError when a program of a service does not run.
    """
    return _run_program(rehearsal, library, rng) or _run_code(rehearsal, library, rng)


def _run_program(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """One more look-up, in one of the answers: a tool that runs a program of its service."""
    blueprint = rehearsal.blueprint
    used, answers = {step.tool_id for step in blueprint.steps}, answered_requests(blueprint)
    options = sorted(set(library.programs(blueprint.services)) - used)
    if not options or not answers or not blueprint.expected_calls:
        return None
    tool_id, (_, index) = rng.choice(options), rng.choice(answers)
    moment = moment_before(rehearsal, index + 1)
    found = ground_step(blueprint, next_step_id(blueprint.steps), tool_id, moment, library, rng, links={})
    tool_ids = tuple(dict.fromkeys((*blueprint.tool_ids, tool_id)))
    asked = f"then {purpose(library.tools[tool_id])}"
    about = report_paths(found.call, library.tools[tool_id], rng)
    wider = blueprint.model_copy(update={"tool_ids": tool_ids})
    return enlarge_request(wider, index, asked, [[found.step]], found.facts, about)


def _run_code(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """One of the code steps that fit: a family over rows is ROWS_WEIGHT times as likely as one over what a user gives,
    and in a family every kind as likely."""
    fits = find_fits(rehearsal, library)
    if not fits:
        return None
    weights = {fit.kind.family: ROWS_WEIGHT if fit.source else 1.0 for fit in fits}
    (family,) = rng.choices(list(weights), list(weights.values()))
    kind = rng.choice(list(dict.fromkeys(fit.kind.name for fit in fits if fit.kind.family == family)))
    return with_code(rehearsal.blueprint, rng.choice([fit for fit in fits if fit.kind.name == kind]), library, rng)


def find_fits(rehearsal: Rehearsal, library: Library) -> list[Fit]:
    """All code steps that can be asked for; a user gives material only for families that find no rows.

    None where truth is not known beforehand, or where there is a code step.
    """
    blueprint, answers = rehearsal.blueprint, answered_requests(rehearsal.blueprint)
    if not blueprint.expected_calls or any(step.task for step in blueprint.steps):
        return []
    places = [
        (index, step_id, path, tuple(rows))
        for opening, index in answers
        for turn in blueprint.turns[opening : index + 1]
        for group in turn.groups
        for step_id in group
        if not blueprint.step(step_id).optional
        for path, rows in tables(rehearsal.outputs[step_id])
    ]
    found: list[Fit] = []
    for kind in KINDS.values():
        if not set(kind.tool_ids) <= set(library.tools):
            continue
        over_rows = [
            Fit(kind, index, step_id, path, field, rows)
            for index, step_id, path, rows in places
            for field in (kind.fields(rows) if kind.fields else ())
        ]
        found += over_rows or [Fit(kind, index) for _, index in answers if kind.draw]
    over_rows_too = {fit.kind.family for fit in found if fit.source}
    return [fit for fit in found if fit.source or fit.kind.family not in over_rows_too]


def with_code(blueprint: Blueprint, fit: Fit, library: Library, rng: random.Random) -> Blueprint:
    """The blueprint with the calls of the code step, whose answer reports what the last of them printed; an assistant
    that gets there without the others may leave them out. Raises DryRunError where the facts' names are taken."""
    kind = fit.kind
    operations = sorted({library.tools[step.tool_id].name for step in blueprint.steps})
    facts = kind.draw(rng, operations) if kind.draw and not fit.source else {}
    if not blueprint.facts.keys().isdisjoint(facts):
        raise DryRunError("fact_taken", f"the user knows something else under one of the names {sorted(facts)}")
    expected = kind.solve(Material(field=fit.field, rows=fit.rows, facts=facts))
    first, last = len(blueprint.steps) + 1, len(kind.calls) - 1
    groups: list[list[Step]] = []
    for stage, call in enumerate(kind.calls):
        task = CodeTask(
            kind=kind.name,
            instruction=kind.instruction(stage, fit.field),
            step=fit.source,
            path=fit.path,
            field=fit.field,
            facts=tuple(facts),
            stage=stage,
            after=f"s{first + stage - 1}" if stage and not call.beside else "",
            fails=call.fails,
            expected=expected if stage == last else "",
        )
        step = Step(step_id=f"s{first + stage}", tool_id=call.tool_id, task=task, optional=stage < last)
        if call.beside:
            groups[-1].append(step)
        else:
            groups.append([step])
    tool_ids = tuple(dict.fromkeys((*blueprint.tool_ids, *kind.tool_ids)))
    wider = blueprint.model_copy(update={"tool_ids": tool_ids})
    wish = kind.wish(fit.field or "values", _noun(fit.path) if fit.source else "sample")
    told = (f"{groups[-1][-1].step_id}.stdout",)
    return enlarge_request(wider, fit.index, wish, groups, facts, told, _place(blueprint, fit, rng))


def _place(blueprint: Blueprint, fit: Fit, rng: random.Random) -> Place:
    """A place in the request of the fit, after its source: as often at the end as anywhere before."""
    opening = opening_of(blueprint, fit.index)
    places = places_within(blueprint, opening, fit.index)
    if fit.source:
        places = [place for place in places if fit.source in steps_done(blueprint, place)]
    return places[-1] if rng.random() < LAST_SHARE else rng.choice(places)


def _noun(path: str) -> str:
    """What the rows at a path are: `order.lines` → lines."""
    words: Sequence[str] = [part for part in path.split(".") if not part.isdecimal()]
    return words[-1].replace("_", " ") if words else "rows"
