"""What blueprint making may draw on: tools by id, edges by end, clusters, and worlds of the built-in services."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from tdscaling_assets.examples import example_value
from tdscaling_assets.measures import is_read_only
from tdscaling_assets.schema import BusinessCluster, JsonObject, Tool, ToolEdge
from tdscaling_assets.services.spec import ServiceSpec, runs_program
from tdscaling_assets.services.world import Runner, World
from tdscaling_assets.text import identifier_words

_REFERENCES = frozenset({"id", "key", "code", "number", "email", "phone", "name", "slug", "url", "path"})


class Library:
    """Read-only view of catalog, graph and clusters, indexed for drawing topologies. Tools that run a program need
    `run`."""

    def __init__(
        self,
        tools: Sequence[Tool],
        edges: Sequence[ToolEdge],
        clusters: Sequence[BusinessCluster],
        services: Mapping[str, ServiceSpec],
        run: Runner | None = None,
    ) -> None:
        self.tools = {tool.tool_id: tool for tool in tools}
        self.clusters = list(clusters)
        self.services = services
        self._run = run
        self._into: dict[str, list[ToolEdge]] = defaultdict(list)
        self._out_of: dict[str, list[ToolEdge]] = defaultdict(list)
        for edge in edges:
            self._into[edge.consumer_id].append(edge)
            self._out_of[edge.producer_id].append(edge)

    def edges_into(self, tool_id: str) -> list[ToolEdge]:
        """Edges that can feed the tool's parameters."""
        return self._into[tool_id]

    def edges_out_of(self, tool_id: str) -> list[ToolEdge]:
        """Edges along which the tool's output can flow."""
        return self._out_of[tool_id]

    def executable(self, tool_ids: Sequence[str]) -> bool:
        """Whether truth can be computed for a conversation over these tools."""
        return all(self.tools[tool_id].executor in ("builtin", "sandbox") for tool_id in tool_ids)

    def services_of(self, tool_ids: Sequence[str]) -> tuple[str, ...]:
        """Names of the built-in services that the tools need, sorted."""
        return tuple(
            sorted({tool.server for tool in map(self.tools.__getitem__, tool_ids) if tool.executor == "builtin"})
        )

    def partners(self, services: Sequence[str]) -> set[str]:
        """Other services that these use, or that use one of these."""
        chosen = set(services)
        below = {partner for name in chosen for partner in self.services[name].uses}
        above = {name for name, spec in self.services.items() if chosen.intersection(spec.uses)}
        return (below | above) - chosen

    def world(self, services: Sequence[str], seed: int) -> World:
        """A fresh world of these services."""
        return World([self.services[name] for name in services], seed, self._run)

    def writes(self, tool_id: str) -> bool:
        """Whether the tool changes the world, by its annotation, else by its name; a workspace of code is not in it."""
        tool = self.tools[tool_id]
        return tool.executor != "sandbox" and not is_read_only(tool_id, {tool_id: tool.read_only})

    def programs(self, services: Sequence[str]) -> list[str]:
        """Tools of these services that run a program, such as a query or tests."""
        return [
            tool.tool_id
            for tool in self.tools.values()
            if tool.executor == "builtin"
            and tool.server in services
            and runs_program(self.services[tool.server], tool.name)
        ]

    def candidates(self, tool: Tool, parameter: str, world: World) -> list[JsonValue]:
        """What the tool would accept now for a parameter that refers to something; nothing where that is unknown."""
        return world.candidates(tool.server, tool.name, parameter) if tool.executor == "builtin" else []

    def fits(self, tool: Tool, parameter: str, value: JsonValue, world: World) -> bool:
        """Whether a value of that name, known from elsewhere, means the same here: the tool would accept it now, or,
        where that is unknown, the parameter names one thing."""
        if tool.executor == "builtin":
            return value in self.candidates(tool, parameter, world)
        return not _REFERENCES.isdisjoint(identifier_words(parameter)[-1:])

    def sample(self, tool: Tool, parameter: str, world: World, rng: random.Random) -> JsonValue:
        """A value that a user of the tool might know for the parameter."""
        if tool.executor == "builtin":
            return world.sample(tool.server, tool.name, parameter, rng)
        return example_value(parameters(tool)[parameter], parameter, rng, root=tool.input_schema)


def parameters(tool: Tool) -> dict[str, JsonObject]:
    """Parameter name → its schema."""
    properties = tool.input_schema.get("properties")
    if not isinstance(properties, dict):
        return {}
    return {name: part if isinstance(part, dict) else {} for name, part in properties.items()}


def required(tool: Tool) -> list[str]:
    """Names of the required parameters, in schema order."""
    names = tool.input_schema.get("required")
    wanted = {str(name) for name in names} if isinstance(names, list) else set()
    return [name for name in parameters(tool) if name in wanted]


def purpose(tool: Tool) -> str:
    """What the tool does as a phrase, from its title or name: `cancel_order` → cancel order."""
    return (tool.title or " ".join(identifier_words(tool.name)) or tool.name).lower()
