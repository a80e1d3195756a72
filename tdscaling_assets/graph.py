"""Tools in, directed producer → consumer edges out: which output field can feed which parameter.

Names become typed entity keys (`orders[].id` and the `id` of `get_order` are both `order_id`). An edge's weight is
the key's inverse document frequency times what speaks for or against a real flow: the kind of key, the entity's
life cycle, the server, an optional parameter, a value that the producer was itself given. Built from an inverted
index of keys, never all pairs, with a cap per parameter. Every rule here is our own definition.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from tdscaling_assets.schema import CODE_TOOL, JsonObject, Tool, ToolEdge
from tdscaling_assets.text import identifier_words, singular


def _vocabulary(words: str) -> frozenset[str]:
    return frozenset(words.split())


PRODUCERS_PER_PARAMETER = 6  # best producers of the same server that one parameter keeps
FOREIGN_PRODUCERS = 1  # and of other servers
LEAST_WEIGHT = 0.3  # of an edge within one server
LEAST_FOREIGN_WEIGHT = 0.8  # of an edge between servers, which needs better reasons
_FOREIGN_POOL = 24  # surest producers of a key that other servers look at
_DEPTH = 6  # levels of an output schema

# An entity's life: a flow goes from an earlier stage to a later one.
_LIFE = (
    "create add book place open start register new make submit post insert upload schedule generate reserve issue",
    "list search find query browse lookup discover",
    "get read fetch retrieve show view describe check track inspect download",
    "update edit modify set change patch put move rename assign send pay transfer confirm approve reschedule",
    "delete cancel remove close archive refund return terminate void revoke end stop",
)
_STAGES = {verb: stage for stage, verbs in enumerate(_LIFE) for verb in verbs.split()}
_CREATE, _END = 0, 4
# Words that make a key a reference to one thing; the natural ones mean the same on every server.
_NATURAL = _vocabulary("email url city country address symbol ticker isbn iata phone domain ip postcode zip")
_IDENTIFIERS = _NATURAL | _vocabulary("id uuid guid key slug number code sku handle reference token")
_BARE = _vocabulary("id uuid guid key slug number code name handle reference")
_SPELLINGS = {"identifier": "id", "ref": "reference", "no": "number", "repository": "repo"}
# Keys that name no entity: they say how to ask, or hold anything.
_GENERIC = _vocabulary(
    "limit offset page size page_size page_number per_page cursor query q sort sort_by order_by format status state "
    "type kind name title description text content message note reason comment date time start end start_date "
    "end_date start_time end_time from to since until quantity amount price total count currency language locale "
    "value data input output result response error success ok enabled active option filter field category tag label "
    "mode level unit body timestamp created_at updated_at max min max_result num_result api_key password username "
    "timeout verbose include exclude width height color x y a b key id code number token access_token prompt "
    "direction year month day period interval role priority property context session path file_path new_name "
    "first_name last_name full_name display_name"
)
_MEASURES = _vocabulary(
    "at minute second hour day week month date time cent amount limit count size price total percent"
)
_WRAPPERS = _vocabulary("item result data record entry response value node row object list payload output")
_DULL = _WRAPPERS | _vocabulary("info information detail tool text content status all summary history id name api")
_ROLES = _vocabulary("from to source destination dest target new old origin parent primary default current")
_STOPS = _vocabulary("by for from to with in on of and or at as via using into that which")
_FILLERS = _vocabulary("a an the all your one single new specific given available existing multiple list")
_RETURNS = re.compile(r"\breturn(?:s|ing)?\b([^.\n]*)", re.IGNORECASE)


class Act(NamedTuple):
    """What a tool does: its verb, the forms of its noun (most specific first), and the noun's stage of life."""

    verb: str
    nouns: tuple[str, ...]
    stage: int | None


class Input(NamedTuple):
    """One parameter that wants a reference: candidate keys (best first) and its JSON type."""

    tool: Tool
    name: str
    keys: tuple[str, ...]
    kind: str
    required: bool


class Output(NamedTuple):
    """One field that a tool gives. `kind` is its JSON type, "" when there is no schema; `sureness` in (0, 1]."""

    tool: Tool
    key: str
    path: str
    kind: str
    sureness: float


def build_graph(tools: Sequence[Tool]) -> list[ToolEdge]:
    """Edges by consumer, parameter and falling weight, independent of the tools' order; the code tool has none."""
    ordered = sorted((tool for tool in tools if tool.tool_id != CODE_TOOL), key=lambda tool: tool.tool_id)
    acts = {tool.tool_id: parse_act(tool) for tool in ordered}
    inputs = [need for tool in ordered for need in _inputs(tool, acts[tool.tool_id])]
    outputs = _all_outputs(ordered, acts, inputs)
    rarity = _rarity(len(ordered), inputs, outputs)
    at_home, abroad = _index(outputs)
    edges: list[ToolEdge] = []
    for need in inputs:
        near = [give for key in need.keys for give in at_home.get((need.tool.server, key), ())]
        far = [give for key in need.keys for give in abroad.get(key, ()) if give.tool.server != need.tool.server]
        edges += _best(need, near, acts, rarity, PRODUCERS_PER_PARAMETER, LEAST_WEIGHT)
        edges += _best(need, far, acts, rarity, FOREIGN_PRODUCERS, LEAST_FOREIGN_WEIGHT)
    return edges


def parse_act(tool: Tool) -> Act:
    """Verb and noun from the tool's name; the noun from the first words of its description where the name has none."""
    verb, words = _split_verb(identifier_words(tool.name))
    nouns = _noun_forms(words)
    if not nouns or not verb:
        described_verb, described = _split_verb(identifier_words(tool.description[:120]))
        verb = verb or ("get" if described_verb == "return" else described_verb)
        nouns = nouns or _noun_forms(described)
    return Act(verb, nouns, _STAGES.get(verb))


def entity_key(words: Sequence[str]) -> str:
    """One key for all spellings of a name: `orderIds`, `order_id` and `Order ID` are `order_id`."""
    if not words:
        return ""
    spelled = [_SPELLINGS.get(word, word) for word in words]
    return "_".join([*spelled[:-1], singular(spelled[-1]) if spelled[-1] != "ids" else "id"])


def _split_verb(words: Sequence[str]) -> tuple[str, list[str]]:
    """The first known verb among the first three words, and what follows it."""
    for position, word in enumerate(words[:3]):
        verb = word if word in _STAGES else singular(word)
        if verb in _STAGES:
            return verb, list(words[position + 1 :])
    return "", list(words)


def _noun_forms(words: Sequence[str]) -> tuple[str, ...]:
    """`["user", "order", "by", "id"]` → ("user_order", "order"): up to three words before a preposition."""
    noun: list[str] = []
    for word in words:
        if word in _STOPS:
            break
        if word not in _FILLERS:
            noun.append(singular(word))
    while noun and noun[-1] in _DULL:
        noun.pop()
    noun = noun[:3]
    return tuple(dict.fromkeys("_".join(noun[start:]) for start in range(len(noun))))


# ── what tools want ──────────────────────────────────────────────────────────────────────────────────────────


def _inputs(tool: Tool, act: Act) -> Iterator[Input]:
    properties = tool.input_schema.get("properties")
    required = tool.input_schema.get("required")
    needed = required if isinstance(required, list) else []
    for name, schema in sorted(properties.items()) if isinstance(properties, dict) else ():
        kind = _input_kind(schema)
        keys = _input_keys(name, act) if kind else ()
        if keys:
            yield Input(tool, name, keys, kind, name in needed)


def _input_keys(name: str, act: Act) -> tuple[str, ...]:
    words = identifier_words(name)
    key = entity_key(words)
    if key in _BARE:
        return () if act.stage == _CREATE else tuple(f"{noun}_{key}" for noun in act.nouns)
    keys = [key]
    if len(words) > 1 and words[0] in _ROLES:
        keys.append(entity_key(words[1:]))
    if len(words) > 2 and key.rsplit("_", 1)[-1] in _IDENTIFIERS:
        keys.append(entity_key(words[-2:]))
    keys += [f"{key}_id" for key in keys if len(key) > 2 and _names_entity(key)]
    return tuple(key for key in dict.fromkeys(keys) if not _is_generic(key))


def _is_generic(key: str) -> bool:
    return key in _GENERIC or key.rsplit("_", 1)[-1] in _MEASURES


def _names_entity(key: str) -> bool:
    """Whether a parameter of that key (`order`, `from_account`) may stand for the thing's identifier."""
    return not _is_generic(key) and key.rsplit("_", 1)[-1] not in _IDENTIFIERS and _entity(key) == key


def _input_kind(schema: JsonValue) -> str:
    """The JSON type of a parameter that can hold a reference; "" for choices, switches and nested objects."""
    if not isinstance(schema, dict) or "enum" in schema or "const" in schema:
        return ""
    kind = _json_type(schema)
    if kind == "array":
        return "array" if _json_type(schema.get("items")) in ("string", "integer", "number") else ""
    return kind if kind in ("string", "integer", "number", "any") else ""


def _json_type(schema: JsonValue) -> str:
    """The first type that is not null, also inside anyOf; "any" when the schema does not say."""
    if not isinstance(schema, dict):
        return "any"
    kinds = schema.get("type")
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if isinstance(kind, str) and kind != "null":
            return kind
    for branch in _branches(schema):
        if (kind := _json_type(branch)) not in ("any", "null"):
            return kind
    return "object" if "properties" in schema else "any"


def _branches(schema: JsonObject) -> list[JsonValue]:
    found: list[JsonValue] = []
    for word in ("anyOf", "oneOf", "allOf"):
        branches = schema.get(word)
        found += branches if isinstance(branches, list) else []
    return found


# ── what tools give ──────────────────────────────────────────────────────────────────────────────────────────


def _all_outputs(tools: Sequence[Tool], acts: Mapping[str, Act], inputs: Sequence[Input]) -> list[Output]:
    """Fields by schema where there is one; else the references that the tool's noun or "returns …" clause names."""
    wanted = sorted({key for need in inputs for key in need.keys})
    by_entity: dict[str, list[str]] = defaultdict(list)
    for key in wanted:
        by_entity[_entity(key)].append(key)
    own: dict[str, set[str]] = defaultdict(set)
    for need in inputs:
        own[need.tool.tool_id] |= set(need.keys)
    outputs: list[Output] = []
    for tool in tools:
        act = acts[tool.tool_id]
        if tool.output_schema is not None:
            outputs += _schema_outputs(tool, act)
        elif act.stage != _END:
            outputs += _guessed_outputs(tool, act, by_entity, own[tool.tool_id])
    return outputs


def _schema_outputs(tool: Tool, act: Act) -> Iterator[Output]:
    root = tool.output_schema or {}
    best: dict[str, tuple[str, str]] = {}
    for path, kind in sorted(_leaves(root, root, "", 0), key=lambda leaf: (leaf[0].count("."), leaf[0])):
        key = _leaf_key(path, act)
        if key and not _is_generic(key):
            best.setdefault(key, (path, kind))
    for key, (path, kind) in best.items():
        yield Output(tool, key, path, kind, 1.0)


def _leaves(root: JsonObject, schema: JsonValue, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """(dotted path with `[]` after arrays, JSON type) of every scalar field."""
    schema = _dereference(root, schema)
    if not isinstance(schema, dict) or depth > _DEPTH:
        return
    for branch in _branches(schema):
        yield from _leaves(root, branch, path, depth + 1)
    properties = schema.get("properties")
    if isinstance(properties, dict):
        for name in sorted(properties):
            yield from _leaves(root, properties[name], f"{path}.{name}" if path else name, depth + 1)
    elif "items" in schema and path:
        yield from _leaves(root, schema["items"], f"{path}[]", depth + 1)
    elif path and (kind := _json_type(schema)) in ("string", "integer", "number"):
        yield path, kind


def _dereference(root: JsonObject, schema: JsonValue) -> JsonValue:
    reference = schema.get("$ref") if isinstance(schema, dict) else None
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return schema
    value: JsonValue = root
    for part in reference[2:].split("/"):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _leaf_key(path: str, act: Act) -> str:
    """The key of a field: its name; a bare `id` is typed by the entity that holds it, else by the tool's noun."""
    *containers, name = path.replace("[]", "").split(".")
    key = entity_key(identifier_words(name))
    if key not in _BARE:
        return key
    holders = [entity_key(identifier_words(part)) for part in containers]
    while holders and holders[0] in _WRAPPERS:
        holders.pop(0)
    if not holders:
        return f"{act.nouns[0]}_{key}" if act.nouns else ""
    holder = holders[-1] if holders[-1] not in _WRAPPERS or len(holders) == 1 else f"{holders[-2]}_{holders[-1]}"
    return f"{holder}_{key}"


def _guessed_outputs(tool: Tool, act: Act, by_entity: Mapping[str, Sequence[str]], own: set[str]) -> Iterator[Output]:
    found: dict[str, float] = {}
    if act.stage is not None:
        for position, noun in enumerate(act.nouns):
            for key in by_entity.get(noun, ()):
                found.setdefault(key, 0.8 if position == 0 else 0.6)
    for clause in _RETURNS.findall(tool.description):
        words = [singular(word) for word in identifier_words(clause)]
        for size in (2, 1):
            for start in range(len(words) - size + 1):
                key = entity_key(words[start : start + size])
                if key in by_entity.get(_entity(key), ()) and key not in own:
                    found.setdefault(key, 0.5)
    for key in sorted(found):
        yield Output(tool, key, key, "", found[key])


def _entity(key: str) -> str:
    """`order_id` → order; a key without an identifier word is its own entity."""
    head, _, last = key.rpartition("_")
    return head if head and last in _IDENTIFIERS | {"name"} else key


# ── from needs and gifts to edges ────────────────────────────────────────────────────────────────────────────


def _rarity(tools: int, inputs: Sequence[Input], outputs: Sequence[Output]) -> dict[str, float]:
    """Inverse document frequency of each key: ln(1 + tools / tools with the key)."""
    holders: dict[str, set[str]] = defaultdict(set)
    for need in inputs:
        for key in need.keys:
            holders[key].add(need.tool.tool_id)
    for give in outputs:
        holders[give.key].add(give.tool.tool_id)
    return {key: math.log(1 + tools / len(ids)) for key, ids in holders.items()}


def _index(outputs: Sequence[Output]) -> tuple[dict[tuple[str, str], list[Output]], dict[str, list[Output]]]:
    """Outputs by (server, key), and the surest few by key for other servers."""
    at_home: dict[tuple[str, str], list[Output]] = defaultdict(list)
    abroad: dict[str, list[Output]] = defaultdict(list)
    for give in outputs:
        at_home[give.tool.server, give.key].append(give)
        abroad[give.key].append(give)
    for key, gives in abroad.items():
        abroad[key] = sorted(gives, key=lambda give: (-give.sureness, give.tool.tool_id))[:_FOREIGN_POOL]
    return at_home, abroad


def _best(
    need: Input, gives: Sequence[Output], acts: Mapping[str, Act], rarity: Mapping[str, float], limit: int, least: float
) -> list[ToolEdge]:
    """At most `limit` edges into one parameter, one per producer."""
    best: dict[str, ToolEdge] = {}
    for give in gives:
        if give.tool.tool_id == need.tool.tool_id or not _fits(give.kind, need.kind):
            continue
        edge = _edge(need, give, acts, rarity)
        known = best.get(edge.producer_id)
        if edge.weight >= least and (known is None or edge.weight > known.weight):
            best[edge.producer_id] = edge
    return sorted(best.values(), key=lambda edge: (-edge.weight, edge.producer_id))[:limit]


def _fits(given: str, wanted: str) -> bool:
    return not given or wanted in ("any", given) or (given, wanted) == ("integer", "number")


def _edge(need: Input, give: Output, acts: Mapping[str, Act], rarity: Mapping[str, float]) -> ToolEdge:
    idf = rarity[give.key]
    weight = idf * give.sureness * _key_factor(give.key)
    evidence = [f"entity_key:{give.key}", f"idf={idf:.1f}"]
    if give.tool.server == need.tool.server:
        evidence.append("same_server")
    else:
        weight *= 0.6 if give.key.rsplit("_", 1)[-1] in _NATURAL else 0.15
    giver, taker = acts[give.tool.tool_id], acts[need.tool.tool_id]
    if giver.stage == _END:
        weight *= 0.4
    elif not _is_about(give.key, giver):
        weight *= 0.6
    elif giver.stage is not None and taker.stage is not None and giver.stage < taker.stage:
        weight *= 1.5
        evidence.append(f"lifecycle:{giver.verb}>{taker.verb}")
    if _takes(give.tool, give.key, giver):
        weight *= 0.5
        evidence.append("passed_on")
    if not need.required:
        weight *= 0.5
        evidence.append("optional")
    return ToolEdge(
        producer_id=give.tool.tool_id,
        consumer_id=need.tool.tool_id,
        consumer_param=need.name,
        producer_path=give.path,
        evidence=" ".join(evidence),
        weight=round(weight, 4),
    )


def _key_factor(key: str) -> float:
    return 1.0 if key.rsplit("_", 1)[-1] in _IDENTIFIERS else 0.5


def _is_about(key: str, act: Act) -> bool:
    """Whether the key names the thing the tool is about; `email`, which names no owner, is about anything."""
    return _entity(key) in act.nouns or _entity(key) == key


def _takes(tool: Tool, key: str, act: Act) -> bool:
    """Whether the producer was itself given the value, so that it only passes it on."""
    return any(need.required and key in need.keys for need in _inputs(tool, act))
