"""Every blueprint gets its scenario, or is rejected with the reason; none is lost."""

import asyncio
from collections.abc import Iterator

import pytest

from tdscaling_assets.blueprints.rehearsal import Rehearsal
from tdscaling_assets.blueprints.scenario import write_scenarios
from tdscaling_assets.blueprints.topology import seal
from tdscaling_assets.errors import BudgetReachedError, ModelError
from tdscaling_assets.llm.protocol import ChatModel, ChatReply, ChatRequest
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.schema import Blueprint, RejectedBlueprint
from tdscaling_assets.settings import Settings

GOOD = '{"title": "A parcel", "persona": "A clerk.", "goal": "Send it."}'


class Planner:
    """Answers with the given texts, in turn; an empty one is a failure of the model, "$" the end of the budget."""

    name = "planner"

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        self.requests: list[ChatRequest] = []

    async def complete(self, request: ChatRequest) -> ChatReply:
        text = self.texts[len(self.requests) % len(self.texts)]
        self.requests.append(request)
        if not text:
            raise ModelError("throttled", "slow down")
        if text == "$":
            raise BudgetReachedError("the batch's budget of $1 is spent")
        return ChatReply(content=text)


@pytest.fixture(scope="session")
def blueprints(parents: list[Rehearsal]) -> list[Blueprint]:
    return [seal(parent.blueprint) for parent in parents[:6]]


def write(blueprints: list[Blueprint], planner: ChatModel) -> tuple[list[Blueprint], list[RejectedBlueprint]]:
    return asyncio.run(write_scenarios(blueprints, planner, Settings(concurrency=1)))


def test_the_scripted_teacher_writes_title_persona_and_goal(blueprints: list[Blueprint]) -> None:
    written, rejected = write(blueprints, ScriptedTeacher(compliance=1.0))
    assert not rejected
    for blueprint in written:
        assert blueprint.title and blueprint.persona
        assert blueprint.turns[0].intent in blueprint.goal


def test_only_the_scenario_changes(blueprints: list[Blueprint]) -> None:
    written, _ = write(blueprints, ScriptedTeacher(compliance=1.0))
    blank = {"title": "", "persona": "", "goal": ""}
    assert [blueprint.model_copy(update=blank) for blueprint in written] == blueprints


@pytest.mark.parametrize(
    "rubbish", ["no JSON at all", "[1, 2]", '{"title": "x"}', '{"title": 1, "persona": 2, "goal": 3}']
)
def test_rubbish_is_rejected_with_what_was_written(rubbish: str, blueprints: list[Blueprint]) -> None:
    written, rejected = write(blueprints, Planner(rubbish))
    assert not written
    assert [item.blueprint_id for item in rejected] == [item.blueprint_id for item in blueprints]
    assert {item.reason for item in rejected} == {"no_scenario"}
    assert all(rubbish in item.detail for item in rejected)


def test_a_planner_that_fails_is_a_rejection(blueprints: list[Blueprint]) -> None:
    written, rejected = write(blueprints, Planner(""))
    assert not written
    assert [(item.reason, "slow down" in item.detail) for item in rejected] == [("no_scenario", True)] * len(blueprints)


def test_counts_add_up_when_some_fail(blueprints: list[Blueprint]) -> None:
    written, rejected = write(blueprints, Planner(GOOD, "", "rubbish", "rubbish", "rubbish"))
    assert written and rejected
    assert sorted(item.blueprint_id for item in (*written, *rejected)) == sorted(
        item.blueprint_id for item in blueprints
    )


def test_where_the_budget_ends_the_rest_has_no_scenario_not_even_a_parents(blueprints: list[Blueprint]) -> None:
    children = [one.model_copy(update={"title": "t", "persona": "p", "goal": "g"}) for one in blueprints]
    written, rejected = write(children, Planner(GOOD, *["$"] * len(blueprints)))
    assert not rejected
    assert [one.blueprint_id for one in written] == [one.blueprint_id for one in blueprints]
    assert [one.has_scenario for one in written] == [True, *[False] * (len(blueprints) - 1)]
    assert {(one.title, one.persona, one.goal) for one in written[1:]} == {("", "", "")}


def test_rubbish_may_be_mended(blueprints: list[Blueprint]) -> None:
    planner = Planner("rubbish", GOOD)
    written, _ = write(blueprints[:1], planner)
    assert written[0].title == "A parcel"
    first, second = planner.requests
    assert second.messages[: len(first.messages)] == first.messages
    assert "Reply again" in str(second.messages[-1]["content"])


def test_json_wrapped_in_prose_is_read(blueprints: list[Blueprint]) -> None:
    written, _ = write(blueprints[:1], Planner(f"Here you go:\n```json\n{GOOD}\n```"))
    assert written[0].persona == "A clerk."


def fact_values(blueprint: Blueprint) -> Iterator[str]:
    return (value for value in blueprint.facts.values() if isinstance(value, str) and any(map(str.isdigit, value)))


def test_the_planner_is_told_names_of_facts_but_no_values(blueprints: list[Blueprint]) -> None:
    planner = Planner(GOOD)
    write(blueprints, planner)
    for blueprint, request in zip(blueprints, planner.requests, strict=True):
        sent = str(request.messages)
        assert all(name in sent for name in blueprint.facts)
        assert not any(value in sent for value in fact_values(blueprint))
