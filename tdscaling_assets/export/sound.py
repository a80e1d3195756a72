"""One trajectory and the tools on offer in, the reason why a trainer could not use it out."""

from collections.abc import Mapping, Sequence

from tdscaling_assets.schema import Message, Tool, Trajectory, parse_object


def find_fault(trajectory: Trajectory, tools: Mapping[str, Tool]) -> str:
    """Why the conversation cannot be exported, in one sentence; empty when it can.

    Every offered tool is defined, every call is to an offered tool with a JSON object as arguments, and is answered
    exactly once before anyone speaks again.
    """
    if unknown := [name for name in trajectory.tools if name not in tools]:
        return f"tool {unknown[0]} is offered but has no definition in the catalog"
    if not any(message.role == "assistant" for message in trajectory.messages):
        return "no message of the assistant"
    return _find_call_fault(trajectory) or _find_pairing_fault(trajectory.messages)


def _find_call_fault(trajectory: Trajectory) -> str:
    for message in trajectory.messages:
        for call in message.tool_calls:
            if call.name not in trajectory.tools:
                return f"call {call.id} is to {call.name}, which is not offered"
            if parse_object(call.arguments) is None:
                return f"call {call.id} to {call.name} has arguments that are not a JSON object"
    return ""


def _find_pairing_fault(messages: Sequence[Message]) -> str:
    pending: list[str] = []
    for message in messages:
        if message.role == "tool":
            if message.tool_call_id not in pending:
                return f"an observation answers call {message.tool_call_id}, which nobody is waiting for"
            pending.remove(message.tool_call_id)
            continue
        if pending:
            return f"call {pending[0]} has no answer before the next message"
        pending = [call.id for call in message.tool_calls]
        if len(set(pending)) < len(pending):
            return f"two calls of one message share an id: {', '.join(pending)}"
    return f"call {pending[0]} has no answer" if pending else ""
