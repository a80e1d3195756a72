"""Asks real conversations which edges are real: python benchmarks/confirmed.py

Needs ../shared/data/trajectories. A value that a tool returned, that the user had not said, and that was then given to
another tool has flowed. Tools are described by what was seen of them: names, arguments and answers make their schemas,
there is no description. Recall: of the pairs of tools with at least two flows, those that have an edge. Precision: of
the pairs with an edge and at least ten chances (the first had answered before the second was called), those with a
flow.
"""

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from tdscaling_assets.graph import build_graph
from tdscaling_assets.schema import JsonObject, Tool

REAL = Path(__file__).parents[2] / "shared" / "data" / "trajectories"
LONG_ENOUGH = 4  # characters of a value that two tools do not share by chance
FLOWS = 2
CHANCES = 10

Pair = tuple[str, str]


class Call(NamedTuple):
    """A call with its answer, and what the user had said before it, in lower case."""

    tool: str
    arguments: JsonObject
    answer: JsonValue
    said: str


def main() -> None:
    """One line per data set and kind of description."""
    if not REAL.is_dir():
        print(f"no figures: {REAL} is not there")
        return
    conversations: dict[str, list[list[Call]]] = defaultdict(list)
    for name, calls in (*read_apibank(), *read_tau()):
        conversations[name].append(calls)
    for name, calls in conversations.items():
        for answers in (True, False):
            report(name, calls, answers=answers)


def report(name: str, conversations: Sequence[Sequence[Call]], *, answers: bool) -> None:
    """What of the flows the graph knows, and what of the graph flows."""
    tools = describe_tools(name, conversations, answers=answers)
    edges = {(edge.producer_id, edge.consumer_id) for edge in build_graph(tools)}
    flows, chances = count_flows(conversations)
    real = {pair for pair, times in flows.items() if times >= FLOWS}
    tried = {pair for pair, times in chances.items() if times >= CHANCES} & edges
    found, all_flows = real & edges, sum(flows[pair] for pair in real)
    print(
        f"{name}, {len(tools)} tools described by their {'schemas' if answers else 'names and arguments'}: "
        f"recall {len(found)}/{len(real)} pairs, {sum(flows[pair] for pair in found)}/{all_flows} flows; "
        f"precision {sum(pair in flows for pair in tried)}/{len(tried)}; out-degree {len(edges) / len(tools):.1f}"
    )


def count_flows(conversations: Sequence[Sequence[Call]]) -> tuple[Counter[Pair], Counter[Pair]]:
    """Flows and chances by (producer, consumer)."""
    flows: Counter[Pair] = Counter()
    chances: Counter[Pair] = Counter()
    for calls in conversations:
        for place, call in enumerate(calls):
            earlier = [other for other in calls[:place] if other.tool != call.tool]
            chances.update({(other.tool, call.tool) for other in earlier})
            for argument in call.arguments.values():
                new = {leaf for leaf in leaves(argument) if len(leaf) >= LONG_ENOUGH and leaf.lower() not in call.said}
                flows.update((other.tool, call.tool) for other in earlier if new & set(leaves(other.answer)))
    return flows, chances


def describe_tools(server: str, conversations: Sequence[Sequence[Call]], *, answers: bool) -> list[Tool]:
    """One tool per name, with schemas that all its calls satisfy."""
    by_name: dict[str, list[Call]] = defaultdict(list)
    for calls in conversations:
        for call in calls:
            by_name[call.tool].append(call)
    tools = []
    for name, seen in sorted(by_name.items()):
        takes = infer_schema([call.arguments for call in seen])
        properties = takes.get("properties")
        names = properties if isinstance(properties, dict) else {}
        gives = infer_schema([call.answer for call in seen if isinstance(call.answer, dict)])
        tools.append(
            Tool(
                tool_id=name,
                server=server,
                name=name,
                description="",
                input_schema={**takes, "required": [key for key in names if all(key in c.arguments for c in seen)]},
                output_schema=gives if answers and gives else None,
                domain="unknown",
                source="conversations",
                executor="simulated",
                content_hash=name,
            )
        )
    return tools


def infer_schema(values: Sequence[JsonValue]) -> JsonObject:
    """A schema of types, properties and items; an empty one where types differ."""
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, dict) for value in known):
        parts: dict[str, list[JsonValue]] = defaultdict(list)
        for value in known:
            for key, part in value.items() if isinstance(value, dict) else ():
                parts[key].append(part)
        return {"type": "object", "properties": {key: infer_schema(part) for key, part in parts.items()}}
    if known and all(isinstance(value, list) for value in known):
        return {
            "type": "array",
            "items": infer_schema([x for value in known if isinstance(value, list) for x in value]),
        }
    kinds = {type(value) for value in known}
    names = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return {"type": names[kind]} if len(kinds) == 1 and (kind := kinds.pop()) in names else {}


def leaves(value: JsonValue) -> Iterator[str]:
    """Every scalar in the value, and every key, as text."""
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from leaves(part)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def read_apibank() -> Iterator[tuple[str, list[Call]]]:
    """API-Bank dialogues."""
    with gzip.open(REAL / "apibank_dialogues.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            said, calls = "", list[Call]()
            for turn in json.loads(line)["turns"]:
                if turn["role"] == "User":
                    said += turn["text"].lower()
                elif turn["role"] == "API":
                    result = turn["result"]
                    answer = result.get("output") if isinstance(result, dict) else result
                    calls.append(Call(turn["api_name"], turn["param_dict"], answer, said))
            yield "API-Bank", calls


def read_tau() -> Iterator[tuple[str, list[Call]]]:
    """τ² simulations, by domain."""
    with gzip.open(REAL / "tau2_openai.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            conversation = json.loads(line)
            said, calls, open_calls = "", list[Call](), dict[str, tuple[str, JsonObject]]()
            for message in conversation["messages"]:
                if message["role"] == "user":
                    said += (message.get("content") or "").lower()
                for call in message.get("tool_calls") or ():
                    arguments = _parse(call["function"]["arguments"])
                    open_calls[call["id"]] = (
                        call["function"]["name"],
                        arguments if isinstance(arguments, dict) else {},
                    )
                if message["role"] == "tool" and message.get("tool_call_id") in open_calls:
                    name, given = open_calls.pop(message["tool_call_id"])
                    calls.append(Call(name, given, _parse(message["content"]), said))
            yield f"τ² {conversation['domain']}", calls


def _parse(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text)
    except ValueError:
        return text
    return value


if __name__ == "__main__":
    main()
