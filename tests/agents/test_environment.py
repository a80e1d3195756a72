"""A call's observation: errors that the assistant can read, real worlds, and simulations that keep to their schema."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tdscaling_assets.agents.conversation import Stage
from tdscaling_assets.agents.environment import Environment, Observation
from tdscaling_assets.errors import ModelError
from tdscaling_assets.llm.protocol import ChatModel, ChatReply
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.schema import CODE_TOOL, CODE_TOOLS, Blueprint, Message, Tool, ToolCall, Trajectory
from tdscaling_assets.services.world import World

Hold = Callable[[Sequence[Blueprint], Stage], list[Trajectory]]
MakeDouble = Callable[..., Any]
Say = Callable[[str | None], ChatReply]

FORECAST = Tool(
    tool_id="get_forecast",
    server="weather",
    name="get_forecast",
    description="The forecast of a city.",
    input_schema={
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city"],
    },
    output_schema={
        "type": "object",
        "properties": {"city": {"type": "string"}, "celsius": {"type": "number"}, "sky": {"enum": ["clear", "rain"]}},
        "required": ["city", "celsius", "sky"],
    },
    domain="weather",
    source="test",
    executor="simulated",
    content_hash="0",
)


def environment(stage: Stage, simulator: ChatModel, *tools: Tool) -> Environment:
    world = World([], 1)
    offered = {tool.tool_id: tool for tool in tools or (FORECAST,)}
    facts = {"city": "Oslo"}
    return Environment(offered, world, stage.sandbox, simulator, stage.settings, seed=5, facts=facts)


def observe(where: Environment, name: str, arguments: str, history: Sequence[Message] = ()) -> Observation:
    return asyncio.run(where.observe(ToolCall(id="c1", name=name, arguments=arguments), history))


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("get_weather", '{"city": "Oslo"}', "unknown_tool"),
        ("get_forecast", '{"city": "Os', "invalid_arguments"),
        ("get_forecast", '["Oslo"]', "invalid_arguments"),
        ("get_forecast", "{}", "invalid_arguments"),
        ("get_forecast", '{"city": "Oslo", "days": "three"}', "invalid_arguments"),
    ],
)
def test_a_wrong_call_gets_an_error_and_costs_nothing(
    name: str, arguments: str, code: str, stage: Stage, double: MakeDouble
) -> None:
    simulator = double(ScriptedTeacher(1.0).complete)
    where = environment(stage, simulator)
    observation = observe(where, name, arguments)
    assert not observation.ok
    assert isinstance(observation.value, dict)
    assert observation.value["error"]["code"] == code
    assert observation.value["error"]["message"]
    assert simulator.asked == []
    assert where.spent.calls == 0


def test_a_simulated_observation_satisfies_its_schema_and_says_that_it_is_simulated(stage: Stage) -> None:
    observation = observe(environment(stage, ScriptedTeacher(1.0)), "get_forecast", '{"city": "Oslo"}')
    assert observation.ok and observation.simulated
    assert list(Draft202012Validator(FORECAST.output_schema or {}).iter_errors(observation.value)) == []
    assert isinstance(observation.value, dict) and observation.value["city"] == "Oslo"
    message = observation.message(ToolCall(id="c7", name="get_forecast", arguments="{}"))
    assert (message.role, message.tool_call_id, message.simulated) == ("tool", "c7", True)


def test_a_simulator_sees_what_was_observed_before(stage: Stage, double: MakeDouble, say: Say) -> None:
    simulator = double(lambda request: say('{"city": "Oslo", "celsius": 3, "sky": "rain"}'))
    call = ToolCall(id="c0", name="get_station", arguments='{"near": "Oslo"}')
    history = [
        Message(role="assistant", tool_calls=(call,)),
        Message(role="tool", tool_call_id="c0", name="get_station", content='{"celsius": 3}'),
        Message(role="user", content="hi"),
    ]
    observe(environment(stage, simulator), "get_forecast", '{"city": "Oslo"}', history)
    (request,) = simulator.asked
    assert request.role == "environment"
    assert json.loads(str(request.messages[1]["content"])) == {
        "facts": {"city": "Oslo"},
        "earlier_calls": [{"tool": "get_station", "arguments": {"near": "Oslo"}, "observation": {"celsius": 3}}],
        "arguments": {"city": "Oslo"},
    }


@pytest.mark.parametrize("wrapped", ["Sure:\n```json\n{}\n```", "{} and nothing else"])
def test_a_simulator_may_wrap_its_json_in_prose(wrapped: str, stage: Stage, double: MakeDouble, say: Say) -> None:
    value = '{"city": "Oslo", "celsius": 3, "sky": "rain"}'
    simulator = double(lambda request: say(wrapped.replace("{}", value)))
    assert observe(environment(stage, simulator), "get_forecast", '{"city": "Oslo"}').value == json.loads(value)


def test_a_simulator_has_a_second_chance(stage: Stage, double: MakeDouble, say: Say) -> None:
    replies = iter(["no idea", '{"city": "Oslo", "celsius": 3, "sky": "rain"}'])
    simulator = double(lambda request: say(next(replies)))
    where = environment(stage, simulator)
    assert observe(where, "get_forecast", '{"city": "Oslo"}').ok
    assert len(simulator.asked) == 2
    assert (where.spent.calls, where.spent.usd) == (2, 1.0)


@pytest.mark.parametrize("text", ["no idea", "", "{", '{"city": "Oslo"}', '{"city": "Oslo", "celsius": "3", "sky": 1}'])
def test_a_simulator_that_never_satisfies_the_schema_fails(
    text: str, stage: Stage, double: MakeDouble, say: Say
) -> None:
    where = environment(stage, double(lambda request: say(text)))
    with pytest.raises(ModelError, match="the environment wrote") as caught:
        observe(where, "get_forecast", '{"city": "Oslo"}')
    assert caught.value.kind == "malformed"
    assert where.spent.calls == 1 + stage.settings.model_repairs


@pytest.mark.parametrize("repairs", [0, 1, 4])
def test_a_simulator_is_told_what_is_wrong_as_often_as_set(
    repairs: int, stage: Stage, double: MakeDouble, say: Say
) -> None:
    simulator = double(lambda request: say('{"city": "Oslo", "celsius": "mild", "sky": "rain"}'))
    patient = replace(stage, settings=stage.settings.model_copy(update={"model_repairs": repairs}))
    with pytest.raises(ModelError, match=r"\$\.celsius"):
        observe(environment(patient, simulator), "get_forecast", '{"city": "Oslo"}')
    assert len(simulator.asked) == repairs + 1
    told = [str(message["content"]) for message in simulator.asked[-1].messages if message["role"] == "user"][1:]
    assert len(told) == repairs
    assert all("$.celsius: 'mild' is not of type 'number'" in complaint for complaint in told)


def test_a_contradiction_is_told_and_repaired(stage: Stage, double: MakeDouble, say: Say) -> None:
    replies = iter(['{"city": "Rome", "celsius": 3, "sky": "rain"}', '{"city": "Oslo", "celsius": 3, "sky": "rain"}'])
    simulator = double(lambda request: say(next(replies)))
    observation = observe(environment(stage, simulator), "get_forecast", '{"city": "Oslo"}')
    assert observation.value == {"city": "Oslo", "celsius": 3, "sky": "rain"}
    first, second = simulator.asked
    assert second.messages[: len(first.messages)] == first.messages
    assert [message["role"] for message in second.messages[-2:]] == ["assistant", "user"]
    assert "Rome" in str(second.messages[-1]["content"]) and "'Oslo'" in str(second.messages[-1]["content"])


def test_a_contradiction_that_stays_fails_with_what_contradicts(stage: Stage, double: MakeDouble, say: Say) -> None:
    simulator = double(lambda request: say('{"city": "Rome", "celsius": 3, "sky": "rain"}'))
    with pytest.raises(ModelError, match=r"It says \"Rome\" in city, but the call was given 'Oslo'"):
        observe(environment(stage, simulator), "get_forecast", '{"city": "Oslo"}')


def test_a_repeated_look_up_gets_the_same_answer_without_a_model(stage: Stage, double: MakeDouble, say: Say) -> None:
    replies = iter(
        [
            '{"city": "Oslo", "celsius": 3, "sky": "rain"}',
            '{"ok": true}',
            '{"city": "Oslo", "celsius": 9, "sky": "rain"}',
        ]
    )
    simulator = double(lambda request: say(next(replies)))
    change = FORECAST.model_copy(
        update={"tool_id": "set_forecast", "name": "set_forecast", "output_schema": None, "read_only": False}
    )
    where = environment(stage, simulator, FORECAST, change)
    first = observe(where, "get_forecast", '{"city": "Oslo"}')
    assert observe(where, "get_forecast", '{"city":"Oslo"}') == first
    assert len(simulator.asked) == 1
    assert observe(where, "set_forecast", '{"city": "Oslo"}').ok
    assert observe(where, "get_forecast", '{"city": "Oslo"}') != first
    assert len(simulator.asked) == 3


def test_a_repeated_change_is_simulated_again(stage: Stage, double: MakeDouble, say: Say) -> None:
    simulator = double(lambda request: say('{"ok": true}'))
    change = FORECAST.model_copy(update={"read_only": False, "output_schema": None})
    where = environment(stage, simulator, change)
    for _ in range(2):
        observe(where, "get_forecast", '{"city": "Oslo"}')
    assert len(simulator.asked) == 2


def test_such_a_conversation_is_the_fault_of_the_environment(
    blueprints: list[Blueprint], stage: Stage, hold: Hold, double: MakeDouble, say: Say
) -> None:
    one = next(item for item in blueprints if item.steps[0].fault is None)
    tool_id = one.turns[-1].groups[0][0] if one.turns[-1].groups else one.steps[0].step_id
    tool = stage.tools[one.step(tool_id).tool_id]
    unbuilt = tool.model_copy(update={"executor": "simulated", "output_schema": FORECAST.output_schema})
    simulator = double(lambda request: say("no idea"))
    changed = replace(
        stage, tools={**stage.tools, tool.tool_id: unbuilt}, models={**stage.models, "environment": simulator}
    )
    (held,) = hold([one], changed)
    assert held.failure is not None
    assert held.failure.kind == "environment_malformed"
    assert simulator.asked
    assert held.usage.model == "mixed"


def test_a_program_runs_in_the_sandbox(stage: Stage) -> None:
    where = environment(stage, ScriptedTeacher(1.0), stage.tools[CODE_TOOL])
    good = observe(where, CODE_TOOL, json.dumps({"code": "print(6 * 7)"}))
    assert good.ok and not good.simulated
    assert isinstance(good.value, dict) and good.value["stdout"] == "42\n"
    bad = observe(where, CODE_TOOL, json.dumps({"code": "raise ValueError('no')"}))
    assert not bad.ok
    assert isinstance(bad.value, dict) and "ValueError: no" in str(bad.value["stderr"])
    asyncio.run(where.close())


def test_code_tools_share_the_workspace_of_their_conversation_and_of_no_other(stage: Stage) -> None:
    tools = [stage.tools[tool_id] for tool_id in CODE_TOOLS]
    one, other = (environment(stage, ScriptedTeacher(1.0), *tools) for _ in range(2))
    assert observe(one, "code__write_file", json.dumps({"path": "a.txt", "content": "mine"})).ok
    read = observe(one, CODE_TOOL, json.dumps({"code": "print(open('a.txt').read())"}))
    assert isinstance(read.value, dict) and read.value["stdout"] == "mine\n"
    missing = observe(other, "code__read_file", '{"path": "a.txt"}')
    assert not missing.ok
    for where in (one, other):
        asyncio.run(where.close())


def test_an_observation_of_a_code_tool_satisfies_its_output_schema(stage: Stage) -> None:
    tool = stage.tools["code__list_files"]
    where = environment(stage, ScriptedTeacher(1.0), tool)
    value = observe(where, tool.tool_id, "{}").value
    asyncio.run(where.close())
    assert list(Draft202012Validator(tool.output_schema or {}).iter_errors(value)) == []
    assert isinstance(value, dict) and "seconds" not in value


def test_a_closed_environment_gives_its_place_back(stage: Stage) -> None:
    for _ in range(stage.settings.concurrency + 2):
        where = environment(stage, ScriptedTeacher(1.0), stage.tools[CODE_TOOL])
        assert observe(where, CODE_TOOL, '{"code": "print(1)"}').ok
        asyncio.run(where.close())


def test_a_refusal_of_the_world_is_an_error_the_assistant_reads(library: Any, stage: Stage) -> None:
    tool = next(tool for tool in library.tools.values() if tool.input_schema.get("required") == ["order_id"])
    world = World([stage.services[tool.server]], 1)
    where = Environment({tool.tool_id: tool}, world, None, ScriptedTeacher(1.0), stage.settings, seed=5)
    observation = observe(where, tool.tool_id, '{"order_id": "ORD-0"}')
    assert not observation.ok and not observation.simulated
    assert isinstance(observation.value, dict) and observation.value["error"]["message"]


def test_a_fault_strikes_exactly_once_and_the_call_then_succeeds(
    blueprints: list[Blueprint], trajectories: list[Trajectory]
) -> None:
    struck = [
        (step, held) for one, held in zip(blueprints, trajectories, strict=True) for step in one.steps if step.fault
    ]
    assert struck
    for step, held in struck:
        code, _, message = (step.fault or "").partition(": ")
        failures = [
            item
            for item in held.messages
            if item.role == "tool" and json.loads(item.content or "") == {"error": {"code": code, "message": message}}
        ]
        assert len(failures) == 1
        calls = {call.id: call for item in held.messages for call in item.tool_calls}
        failed = calls[failures[0].tool_call_id or ""]
        answers = [item.content for item in held.messages if item.role == "tool" and item.name == step.tool_id][-2:]
        assert failed.name == step.tool_id
        assert sum((call.name, call.arguments) == (failed.name, failed.arguments) for call in calls.values()) == 2
        assert "recover" in held.labels
        assert held.failure is None
        assert answers[0] != answers[1]
