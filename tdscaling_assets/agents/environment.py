"""A tool call in, its observation out: from the sandbox, a built-in service, a live server, else a model that simulates
the tool."""

import json
from collections.abc import Mapping, Sequence

from jsonschema import Draft202012Validator
from pydantic import JsonValue

from tdscaling_assets.agents.consistency import (
    Exchange,
    call_key,
    collect_known,
    find_contradiction,
    read_exchanges,
    writes,
)
from tdscaling_assets.agents.usage import add_usage
from tdscaling_assets.entities import parse_act
from tdscaling_assets.errors import SandboxError, ToolError
from tdscaling_assets.llm.protocol import ChatModel, ChatRequest
from tdscaling_assets.llm.structured import ask_json
from tdscaling_assets.observed import Known
from tdscaling_assets.prompts import as_data, render, with_guidance
from tdscaling_assets.remote.live import LiveServers
from tdscaling_assets.sandbox.protocol import Sandbox, Session
from tdscaling_assets.sandbox.tools import use_tool
from tdscaling_assets.schema import JsonObject, Message, Record, Tool, ToolCall, Usage, parse_object
from tdscaling_assets.services.world import Errand, World
from tdscaling_assets.settings import Settings


class Observation(Record):
    """`value` is the tool's answer; `ok` is false when it is an error; `simulated` when a model made it up."""

    ok: bool
    value: JsonValue
    simulated: bool = False

    def message(self, call: ToolCall) -> Message:
        """The observation as the stored answer to the call."""
        text = json.dumps(self.value, ensure_ascii=False)
        return Message(role="tool", content=text, tool_call_id=call.id, name=call.name, simulated=self.simulated)


class Environment:
    """The tools of one conversation, over one world. `spent` is what all simulations cost, failed ones included.

    `facts` are the blueprint's; no simulation may contradict those `stated` together (consistency.stated_facts).
    """

    def __init__(
        self,
        offered: Mapping[str, Tool],
        world: World,
        sandbox: Sandbox | None,
        simulator: ChatModel,
        settings: Settings,
        seed: int,
        *,
        facts: JsonObject | None = None,
        stated: Sequence[JsonObject] = (),
        live: LiveServers | None = None,
    ) -> None:
        self._offered = offered
        self._world = world
        self._sandbox = sandbox
        self._session: Session | None = None
        self._simulator = simulator
        self._settings = settings
        self._seed = seed
        self._facts = facts or {}
        self._stated = stated
        self._live = live
        self._repeatable: dict[str, Observation] = {}
        self.spent = Usage()

    async def observe(self, call: ToolCall, history: Sequence[Message]) -> Observation:
        """The call's observation. Raises ModelError when a simulation fails, SandboxError when no sandbox can run,
        ToolError when a live server gives no answer."""
        tool = self._offered.get(call.name)
        if tool is None:
            return error(f"unknown_tool: there is no tool {call.name!r}")
        arguments = parse_object(call.arguments)
        if arguments is None:
            return error("invalid_arguments: the arguments are not a JSON object")
        problem = next(Draft202012Validator(tool.input_schema).iter_errors(arguments), None)
        if problem is not None:
            return error(f"invalid_arguments: {problem.json_path}: {problem.message[:200]}")
        observation = await self._execute(tool, call, arguments, history)
        if observation.ok and writes(tool):
            self._repeatable.clear()
        return observation

    async def _execute(
        self, tool: Tool, call: ToolCall, arguments: JsonObject, history: Sequence[Message]
    ) -> Observation:
        if tool.executor == "sandbox":
            result = await use_tool(self._workspace(call), tool.name, arguments)
            return Observation(ok=result.exit_code == 0, value=result.observation())
        if tool.executor == "mcp":
            return await self._call_live(tool, arguments)
        if tool.executor == "builtin":
            answer = self._world.start(tool.server, tool.name, arguments)
            if isinstance(answer, Errand):
                printed = (await self._open_sandbox(call).run_python(answer.code)).last_words()
                answer = self._world.finish(answer, printed)
            return Observation(ok=answer.ok, value=answer.value)
        return await self._simulate(tool, arguments, history)

    async def close(self) -> None:
        """Forget the workspace of the conversation."""
        if self._session is not None:
            await self._session.close()

    def _workspace(self, call: ToolCall) -> Session:
        """The session that all calls of code tools share; the services' own programs run apart from it."""
        if self._session is None:
            self._session = self._open_sandbox(call).open(f"conversation {self._seed}")
        return self._session

    def _open_sandbox(self, call: ToolCall) -> Sandbox:
        if self._sandbox is None:
            raise SandboxError(f"{call.name} was called, but no sandbox is open: offer code only with a sandbox")
        return self._sandbox

    async def _call_live(self, tool: Tool, arguments: JsonObject) -> Observation:
        if self._live is None:
            raise ToolError(f"{tool.tool_id} was called, but no live servers are open: open them with the batch")
        result = await self._live.call(tool, arguments)
        return Observation(ok=result.ok, value=result.value)

    async def _simulate(self, tool: Tool, arguments: JsonObject, history: Sequence[Message]) -> Observation:
        key = call_key(tool.tool_id, arguments)
        if key in self._repeatable:
            return self._repeatable[key]
        exchanges = read_exchanges(history)
        known = collect_known(exchanges, self._stated, self._offered, tool)

        def complaint(value: JsonValue) -> str:
            return find_contradiction(tool, arguments, value, known)

        request = self._request(tool, arguments, exchanges, known)
        value = await ask_json(self._simulator, request, complaint, self._settings.model_repairs, self._spend)
        observation = Observation(ok=True, value=value, simulated=True)
        if not writes(tool):
            self._repeatable[key] = observation
        return observation

    def _spend(self, usage: Usage) -> None:
        self.spent = add_usage(self.spent, usage)

    def _request(self, tool: Tool, arguments: JsonObject, exchanges: Sequence[Exchange], known: Known) -> ChatRequest:
        schema = tool.output_schema or {}
        verb, nouns, stage = parse_act(tool)
        things: list[JsonValue] = [{**entity._asdict(), "fields": fields} for entity, fields in known.items()]
        hint: JsonObject = {
            "role": "environment",
            "tool": tool.tool_id,
            "description": tool.description,
            "arguments": arguments,
            "output_schema": schema,
            "act": [verb, [*nouns], stage],
            "known": things,
        }
        earlier: list[JsonValue] = [
            {"tool": one.name, "arguments": one.arguments, "observation": one.answer} for one in exchanges
        ]
        asked: JsonObject = {"facts": self._facts, "earlier_calls": earlier, "arguments": arguments}
        system = render("environment", output_schema=as_data(schema) if schema else "")
        return ChatRequest(
            role="environment",
            messages=(
                {"role": "system", "content": with_guidance(system, hint)},
                {"role": "user", "content": as_data(asked)},
            ),
            temperature=self._settings.model_temperature,
            max_tokens=self._settings.model_max_tokens,
            seed=self._seed,
        )


def error(text: str) -> Observation:
    """An observation that reports an error, in the form that the built-in services use."""
    code, _, message = text.partition(": ")
    return Observation(ok=False, value={"error": {"code": code, "message": message}})
