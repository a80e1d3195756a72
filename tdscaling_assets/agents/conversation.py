"""The loop: one blueprint in, one trajectory out. A conversation that goes wrong is a stored row, not an exception."""

import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tdscaling_assets.agents.consistency import stated_facts
from tdscaling_assets.agents.environment import Environment, Observation, error
from tdscaling_assets.agents.guidance import OffPlanError, Progress, assistant_hint, user_hint
from tdscaling_assets.agents.usage import add_usage
from tdscaling_assets.clock import time_limit
from tdscaling_assets.errors import ModelError, SandboxError, TdsError, ToolError
from tdscaling_assets.llm.budget import Budget
from tdscaling_assets.llm.protocol import ChatModel, ChatReply, ChatRequest
from tdscaling_assets.measures import action_complexity, reasoning_labels, reasoning_mode, unused_calls
from tdscaling_assets.prompts import prompt_versions, render, with_guidance
from tdscaling_assets.remote.live import LiveServers
from tdscaling_assets.sandbox.protocol import Sandbox
from tdscaling_assets.schema import (
    Blueprint,
    Failure,
    JsonObject,
    Message,
    Role,
    Step,
    Tool,
    ToolCall,
    Trajectory,
    Turn,
    Usage,
    chat_messages,
    digest,
    function_schema,
)
from tdscaling_assets.services.spec import ServiceSpec
from tdscaling_assets.services.world import World
from tdscaling_assets.settings import Settings


@dataclass(frozen=True)
class Stage:
    """What all conversations of a batch share."""

    models: Mapping[Role, ChatModel]
    tools: Mapping[str, Tool]
    services: Mapping[str, ServiceSpec]
    sandbox: Sandbox | None
    settings: Settings
    budget: Budget | None = None
    live: LiveServers | None = None


@dataclass
class Conversation:
    """One conversation under way."""

    blueprint: Blueprint
    stage: Stage
    world: World
    environment: Environment
    progress: Progress
    messages: list[Message]
    usage: Usage = field(default_factory=Usage)

    async def run(self) -> None:
        """Hold the whole conversation. Raises OffPlanError, RoleError, SandboxError or ToolError where it breaks."""
        for turn in self.blueprint.turns:
            self.messages.append(Message(role="user", content=await self._user_says(turn)))
            while (reply := await self._assistant_says(turn)).tool_calls:
                for call in reply.tool_calls:
                    await self._execute(call)
            missed = self.progress.missed(turn)
            if missed:
                raise OffPlanError(f"the assistant ended its turn without {', '.join(missed)}")

    async def _user_says(self, turn: Turn) -> str:
        system = render("user", persona=self.blueprint.persona, goal=self.blueprint.goal)
        heard = [message.content for message in self.messages if message.role == "assistant" and message.content]
        request = self._request(
            "user", with_guidance(system, user_hint(self.blueprint, turn)), [{"role": "user", "content": _heard(heard)}]
        )
        reply = await self._complete(request)
        if not reply.content:
            raise RoleError("user", ModelError("malformed", "the user said nothing"))
        return reply.content

    async def _assistant_says(self, turn: Turn) -> Message:
        said = sum(message.role == "assistant" for message in self.messages)
        if said >= self.stage.settings.max_steps:
            raise OffPlanError(f"the assistant spoke {said} times without coming to an end")
        hint = assistant_hint(turn, self.progress, self.stage.tools)
        guided = with_guidance(self.messages[0].content or "", hint)
        reply = await self._complete(
            self._request("assistant", guided, chat_messages(tuple(self.messages[1:])), offer_tools=True)
        )
        if not reply.content and not reply.tool_calls:
            raise RoleError("assistant", ModelError("malformed", "the assistant neither spoke nor called a tool"))
        message = Message(
            role="assistant", content=reply.content, reasoning=reply.reasoning, tool_calls=reply.tool_calls
        )
        self.messages.append(message)
        return message

    async def _execute(self, call: ToolCall) -> None:
        step = self.progress.match(call)
        if step is not None and step.fault and step.step_id not in self.progress.failed:
            made_up = self.stage.tools[step.tool_id].executor in ("mcp", "simulated")  # no server said this
            observation = error(step.fault).model_copy(update={"simulated": made_up})
        else:
            try:
                observation = await self.environment.observe(call, self.messages)
            except ModelError as failure:
                raise RoleError("environment", failure) from failure
        self.messages.append(observation.message(call))
        if step is not None and (observation.ok or _fails_as_planned(step, observation)):
            self.progress.outputs[step.step_id] = observation.value
        elif step is not None and step.step_id in self.progress.failed:
            raise OffPlanError(f"{call.name} failed again: {self.messages[-1].content}")
        elif step is not None:
            self.progress.failed.add(step.step_id)

    async def _complete(self, request: ChatRequest) -> ChatReply:
        try:
            reply = await self.stage.models[request.role].complete(request)
        except ModelError as failure:
            raise RoleError(request.role, failure) from failure
        self.usage = add_usage(self.usage, reply.usage)
        return reply

    def _request(
        self, role: Role, system: str, messages: list[JsonObject], *, offer_tools: bool = False
    ) -> ChatRequest:
        settings = self.stage.settings
        offered = [function_schema(self.stage.tools[tool_id]) for tool_id in self.blueprint.tool_ids]
        return ChatRequest(
            role=role,
            messages=({"role": "system", "content": system}, *messages),
            tools=tuple(offered) if offer_tools else (),
            temperature=settings.model_temperature,
            max_tokens=settings.model_max_tokens,
            seed=(self.blueprint.seed + len(self.messages)) % 2**31,
        )


class RoleError(Exception):
    """A model call failed for one of the roles; the fault is that role's, and no other's."""

    def __init__(self, role: Role, cause: ModelError) -> None:
        super().__init__(cause.detail)
        self.kind = f"{role}_{cause.kind}"


async def converse(blueprint: Blueprint, stage: Stage) -> Trajectory:
    """The blueprint's trajectory: completed, or failed with its kind and detail.

    Raises BudgetReachedError, EndpointDownError and StorageError, which are no conversation's fault.
    """
    conversation = open_conversation(blueprint, stage)
    failure: Failure | None = None
    try:
        try:
            async with time_limit(stage.settings.conversation_timeout):
                await conversation.run()
        finally:
            with suppress(SandboxError):  # what was said stands, whatever becomes of the workspace
                await conversation.environment.close()
    except RoleError as error_:
        failure = Failure(kind=error_.kind, detail=str(error_))
    except OffPlanError as error_:
        failure = Failure(kind="off_plan", detail=str(error_))
    except SandboxError as error_:
        failure = Failure(kind="sandbox", detail=str(error_))
    except ToolError as error_:
        failure = Failure(kind="tool", detail=str(error_))
    except TimeoutError:
        failure = Failure(kind="timeout", detail=f"no end within {stage.settings.conversation_timeout:g} s")
    except TdsError:  # the disk, the endpoint, the budget: the batch's affair
        raise
    except Exception as error_:  # noqa: BLE001 - the named boundary: one conversation's bug must not cost the others
        failure = Failure(kind="bug", detail=_place(error_))
    try:
        measured = _measured(conversation)
    except Exception as error_:  # noqa: BLE001 - the named boundary, for what is computed of what was said
        failure, measured = Failure(kind="bug", detail=_place(error_)), _Measured()
    return _trajectory(conversation, failure, measured)


def open_conversation(blueprint: Blueprint, stage: Stage) -> Conversation:
    """A conversation with its own fresh world, before anyone has spoken."""
    world = World([stage.services[name] for name in blueprint.services], blueprint.world_seed)
    offered = {tool_id: stage.tools[tool_id] for tool_id in blueprint.tool_ids}
    environment = Environment(
        offered,
        world,
        stage.sandbox,
        stage.models["environment"],
        stage.settings,
        blueprint.seed,
        facts=blueprint.facts,
        stated=stated_facts(blueprint, offered),
        live=stage.live,
    )
    system = Message(role="system", content=render("assistant", domain=blueprint.domain, now=world.now))
    return Conversation(blueprint, stage, world, environment, Progress(blueprint), [system])


class _Measured(NamedTuple):
    """What is computed of a conversation that has ended; as it stands, of one that cannot be measured."""

    labels: tuple[str, ...] = ()
    cac: float = 0.0
    unused_calls: int | None = None
    final_digest: str | None = None


def _measured(conversation: Conversation) -> _Measured:
    blueprint, stage = conversation.blueprint, conversation.stage
    messages = tuple(conversation.messages)
    read_only = {name: stage.tools[name].read_only for name in blueprint.tool_ids}
    return _Measured(
        labels=tuple(reasoning_labels(messages, read_only)),
        cac=action_complexity(messages, stage.settings.cac),
        unused_calls=unused_calls(messages, read_only),
        final_digest=conversation.world.digest() if blueprint.expected_digest else None,
    )


def _trajectory(conversation: Conversation, failure: Failure | None, measured: _Measured) -> Trajectory:
    blueprint, stage = conversation.blueprint, conversation.stage
    return Trajectory(
        trajectory_id=f"tr_{digest(blueprint.blueprint_id)}",
        round=blueprint.round,
        batch=blueprint.batch,
        blueprint_id=blueprint.blueprint_id,
        cluster_id=blueprint.cluster_id,
        domain=blueprint.domain,
        tools=blueprint.tool_ids,
        messages=tuple(conversation.messages),
        labels=measured.labels,
        mode=reasoning_mode(measured.labels),
        cac=measured.cac,
        unused_calls=measured.unused_calls,
        outcome="failed" if failure else "completed",
        failure=failure,
        final_digest=measured.final_digest,
        usage=add_usage(conversation.usage, conversation.environment.spent),
        lineage=blueprint.lineage,
        seed=blueprint.seed,
        versions={
            **{f"prompt_{role}": version for role, version in prompt_versions().items()},
            "sandbox": stage.sandbox.name if stage.sandbox else "none",
            **{f"tool:{tool_id}": stage.tools[tool_id].content_hash for tool_id in blueprint.tool_ids},
        },
    )


def _place(error_: Exception) -> str:
    """What was raised, and where in our code."""
    frame = traceback.extract_tb(error_.__traceback__)[-1]
    return f"{type(error_).__name__}: {error_} ({Path(frame.filename).name}:{frame.lineno})"


def _fails_as_planned(step: Step, observation: Observation) -> bool:
    """Whether the call of a code step that was to end with an error ran and did."""
    ran = isinstance(observation.value, dict) and observation.value.get("exit_code") is not None
    return ran and step.task is not None and step.task.fails


def _heard(texts: Sequence[str | None]) -> str:
    return f"The assistant's last words:\n{texts[-1]}" if texts else "The conversation begins. You speak first."
