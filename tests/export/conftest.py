"""A few sound conversations and their tools."""

from collections.abc import Callable

import pytest

from tdscaling_assets.schema import Message, Tool, ToolCall, Trajectory

MakeTrajectory = Callable[..., Trajectory]

CONVERSATION = (
    Message(role="system", content="You help customers."),
    Message(role="user", content="Compare orders O-1 and O-2."),
    Message(
        role="assistant",
        content="I look both up.",
        tool_calls=(
            ToolCall(id="c1", name="get_order", arguments='{"order_id": "O-1"}'),
            ToolCall(id="c2", name="get_order", arguments='{"order_id": "O-2"}'),
        ),
    ),
    Message(role="tool", tool_call_id="c1", content='{"total": 3}'),
    Message(role="tool", tool_call_id="c2", content="not found", simulated=True),
    Message(role="assistant", tool_calls=(ToolCall(id="c3", name="list_orders", arguments="{}"),)),
    Message(role="tool", tool_call_id="c3", content='["O-1"]'),
    Message(role="assistant", content="Only O-1 exists; it costs 3 €."),
    Message(role="user", content="Thanks!"),
)


def make_tool(name: str, **properties: object) -> Tool:
    return Tool(
        tool_id=name,
        server="shop",
        name=name,
        description=f"The tool {name}.",
        input_schema={"type": "object", "properties": {key: {"type": "string"} for key in properties}},
        domain="retail",
        source="builtin",
        executor="builtin",
        content_hash="0",
    )


def make_trajectory(
    identity: str = "t1",
    messages: tuple[Message, ...] = CONVERSATION,
    domain: str = "retail",
    mode: tuple[str, ...] = ("parallel", "retrieve", "answer"),
    tools: tuple[str, ...] = ("get_order", "list_orders"),
    cac: float = 4.5,
) -> Trajectory:
    return Trajectory(
        trajectory_id=identity,
        round="r01",
        batch="r01-b01",
        blueprint_id="b1",
        cluster_id="c1",
        domain=domain,
        tools=tools,
        messages=messages,
        labels=mode,
        mode=mode,
        cac=cac,
        outcome="completed",
        seed=1,
    )


@pytest.fixture
def tools() -> dict[str, Tool]:
    """Two tools of one shop, by id."""
    return {"get_order": make_tool("get_order", order_id=""), "list_orders": make_tool("list_orders")}


@pytest.fixture
def make() -> MakeTrajectory:
    """Makes a sound trajectory that differs in what is given."""
    return make_trajectory
