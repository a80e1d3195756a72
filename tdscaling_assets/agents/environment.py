"""A tool call in, its observation out: from the sandbox, a built-in service, else a model that simulates the tool."""

import json
from collections.abc import Mapping, Sequence

from jsonschema import Draft202012Validator
from pydantic import JsonValue

from tdscaling_assets.agents.usage import add_usage
from tdscaling_assets.errors import ModelError, SandboxError
from tdscaling_assets.llm.protocol import ChatModel, ChatRequest
from tdscaling_assets.prompts import as_data, render, with_guidance
from tdscaling_assets.sandbox.protocol import Sandbox, Session
from tdscaling_assets.sandbox.tools import use_tool
from tdscaling_assets.schema import JsonObject, Message, Record, Tool, ToolCall, Usage, parse_object
from tdscaling_assets.services.world import Errand, World
from tdscaling_assets.settings import Settings

ATTEMPTS = 2


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
    """The tools of one conversation, over one world. `spent` is what all simulations cost, failed ones included."""

    def __init__(
        self,
        offered: Mapping[str, Tool],
        world: World,
        sandbox: Sandbox | None,
        simulator: ChatModel,
        settings: Settings,
        seed: int,
    ) -> None:
        self._offered = offered
        self._world = world
        self._sandbox = sandbox
        self._session: Session | None = None
        self._simulator = simulator
        self._settings = settings
        self._seed = seed
        self.spent = Usage()

    async def observe(self, call: ToolCall, history: Sequence[Message]) -> Observation:
        """The call's observation. Raises ModelError when a simulation fails, SandboxError when no sandbox can run."""
        tool = self._offered.get(call.name)
        if tool is None:
            return error(f"unknown_tool: there is no tool {call.name!r}")
        arguments = parse_object(call.arguments)
        if arguments is None:
            return error("invalid_arguments: the arguments are not a JSON object")
        problem = next(Draft202012Validator(tool.input_schema).iter_errors(arguments), None)
        if problem is not None:
            return error(f"invalid_arguments: {problem.json_path}: {problem.message[:200]}")
        if tool.executor == "sandbox":
            result = await use_tool(self._workspace(call), tool.name, arguments)
            return Observation(ok=result.exit_code == 0, value=result.observation())
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

    async def _simulate(self, tool: Tool, arguments: JsonObject, history: Sequence[Message]) -> Observation:
        schema = tool.output_schema or {}
        hint: JsonObject = {
            "role": "environment",
            "tool": tool.tool_id,
            "description": tool.description,
            "arguments": arguments,
            "output_schema": schema,
        }
        system = render("environment", output_schema=as_data(schema) if schema else "")
        earlier = [message.content for message in history if message.role == "tool"]
        messages: tuple[JsonObject, ...] = (
            {"role": "system", "content": with_guidance(system, hint)},
            {"role": "user", "content": as_data({"earlier_observations": [*earlier], "arguments": arguments})},
        )
        for attempt in range(ATTEMPTS):
            reply = await self._simulator.complete(
                ChatRequest(
                    role="environment",
                    messages=messages,
                    temperature=self._settings.model_temperature,
                    max_tokens=self._settings.model_max_tokens,
                    seed=(self._seed + attempt) % 2**31,
                )
            )
            self.spent = add_usage(self.spent, reply.usage)
            value = _json_value(reply.content or "")
            if value is not None and Draft202012Validator(schema).is_valid(value):
                return Observation(ok=True, value=value, simulated=True)
        raise ModelError("malformed", f"the simulation of {tool.tool_id} does not satisfy its output schema")


def error(text: str) -> Observation:
    """An observation that reports an error, in the form that the built-in services use."""
    code, _, message = text.partition(": ")
    return Observation(ok=False, value={"error": {"code": code, "message": message}})


def _json_value(text: str) -> JsonValue:
    start = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=-1)
    end = max(text.rfind("}"), text.rfind("]"))
    try:
        value: JsonValue = json.loads(text[start : end + 1]) if start >= 0 else None
    except json.JSONDecodeError:
        return None
    return value
