"""Every record that crosses a stage: frozen pydantic models, one per table row or message.

Records mirror the lake's tables (storage/tables.py). JSON Schemas, tool arguments and other foreign JSON stay
plain `JsonObject` values. Tuples, not lists, because a record never changes.
"""

import hashlib
import json
import math
from typing import Literal, NoReturn, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue

JsonObject = dict[str, JsonValue]

MOST_NESTED = 100
"""Levels of lists and objects in a JSON value that a model or a tool wrote."""

Executor = Literal["builtin", "mcp", "sandbox", "simulated"]
Role = Literal["planner", "user", "assistant", "environment", "judge"]
Label = Literal[
    "recover", "parallel", "compute", "verify", "retrieve", "act", "confirm", "clarify", "decline", "answer"
]
Operator = Literal[
    "deepen", "widen", "withhold", "perturb", "guard", "verify", "parallelise", "compute", "pivot", "refuse"
]
LABELS: tuple[Label, ...] = get_args(Label)
OPERATORS: tuple[Operator, ...] = get_args(Operator)
PROMISED_LABEL: dict[Operator, Label] = {
    "deepen": "retrieve",
    "widen": "act",
    "withhold": "clarify",
    "perturb": "recover",
    "guard": "confirm",
    "verify": "verify",
    "parallelise": "parallel",
    "compute": "compute",
    "pivot": "act",
    "refuse": "decline",
}
"""The label that each operator brings into a conversation."""

CODE_TOOL = "run_python"
CODE_SERVER = "code"
CODE_TOOLS = frozenset(
    {
        CODE_TOOL,
        *(f"{CODE_SERVER}__{name}" for name in ("write_file", "read_file", "list_files")),
        *(f"{CODE_SERVER}__{name}" for name in ("run_shell", "run_tests", "query_sqlite")),
    }
)
"""Ids of the tools that run in the sandbox, over one workspace per conversation. They are in every catalog, and in no
graph and no cluster."""


class Record(BaseModel):
    """Frozen, closed base of all records."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces, so that equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(*parts: object) -> str:
    """16 hex digits naming the parts' canonical JSON: identity across runs and machines."""
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()[:16]


# ── catalog ──────────────────────────────────────────────────────────────────────────────────────────────────


class Tool(Record):
    """One callable tool. `tool_id` is unique and legal for function calling (`^[A-Za-z0-9_-]{1,64}$`);
    `name` is what its server calls it. `content_hash` names what the tool says and takes.

    `canonical_id` is the tool that this one copies, exactly or nearly; null when it is itself canonical. `present` is
    false once its source no longer has it. `domain_confidence`, in (0, 1], is null where the source stated the domain;
    `category` is what the source calls its kind in free text.
    """

    tool_id: str
    server: str
    name: str
    title: str | None = None
    description: str
    input_schema: JsonObject
    output_schema: JsonObject | None = None
    read_only: bool | None = None
    destructive: bool | None = None
    domain: str
    source: str
    executor: Executor
    content_hash: str
    canonical_id: str | None = None
    present: bool = True
    domain_confidence: float | None = None
    category: str | None = None


class ToolVersion(Record):
    """A tool as it was: the whole Tool (with the links it had when last written), and its raw record as JSON text.

    `record_hash` names the record, its origin and the rules that read it. Times are UTC in ISO 8601: the harvests that
    first found it, and that first missed it or found it changed (null while it is current).
    """

    tool_id: str
    content_hash: str
    definition: JsonObject
    raw: str
    record_hash: str
    first_seen: str
    last_seen: str | None = None


class ToolSource(Record):
    """What one file or server gave at the last harvest: its content's digest, its records (kept or rejected), and why
    it gave none ("" when it answered)."""

    source: str
    server: str
    content_hash: str
    entries: int
    failure: str = ""


class RejectedTool(Record):
    """A catalog entry that is not a usable tool, with why."""

    source: str
    name: str
    raw: str
    reason: str


class ToolEdge(Record):
    """Output field `producer_path` of one tool can feed parameter `consumer_param` of another."""

    producer_id: str
    consumer_id: str
    consumer_param: str
    producer_path: str
    evidence: str
    weight: float


class BusinessCluster(Record):
    """3-12 tools around one business purpose; `gain` and the cumulative figures are those of the greedy selection.

    `coverage` is the share of the reachable multi-coverage, null in rows from before it was recorded; `purpose` is one
    sentence of what a user gets done, empty in such rows.
    """

    cluster_id: str
    rank: int
    domain: str
    name: str
    tool_ids: tuple[str, ...]
    edges: tuple[ToolEdge, ...]
    gain: float
    covered_tools: int
    covered_edges: int
    coverage: float | None = None
    purpose: str = ""


# ── evolution ────────────────────────────────────────────────────────────────────────────────────────────────


class RoundPlan(Record):
    """The regime of one round. Weights are probabilities: `domain_weights` over domains, `cluster_weights` over the
    clusters within each domain (a missing one counts as 0), `mode_weights` over labels, `mode_targets` over reasoning
    modes to be aimed at (labels joined by `>`), `operator_weights` over operators. Empty weights are the natural ones.

    `cac_target` is in CAC, `candidates` is how many blueprints are drawn for each one chosen. `reason` is the round in
    one sentence, `reasons` one sentence per decision, by the name of the field that it explains.
    """

    round: str
    domain_weights: dict[str, float]
    cluster_weights: dict[str, float] = Field(default_factory=dict)
    mode_weights: dict[str, float]
    mode_targets: dict[str, float] = Field(default_factory=dict)
    operator_weights: dict[str, float]
    cac_target: float
    temperature: float
    candidates: float = 1.0
    parent_metrics: dict[str, float]
    reason: str
    reasons: dict[str, str] = Field(default_factory=dict)


# ── blueprints ───────────────────────────────────────────────────────────────────────────────────────────────


class Binding(Record):
    """Where an argument's value comes from.

    literal: `value`. user: the fact named `fact`. output: `path` (dotted keys, indexes) in the output of `step`.
    """

    kind: Literal["literal", "user", "output"]
    value: JsonValue = None
    fact: str = ""
    step: str = ""
    path: str = ""


class CodeTask(Record):
    """What one call of a code step must do, over the `field` of rows at `path` in the output of `step`, or over `facts`
    that the user gives.

    A code step is calls in a row: `stage` counts them from 0, `after` names the step of the one that must come before.
    `expected` is the result that the last of them prints, known beforehand; empty for the others. `fails`: the call is
    to end with an error.
    """

    kind: str
    instruction: str
    step: str = ""
    path: str = ""
    field: str = ""
    facts: tuple[str, ...] = ()
    stage: int = 0
    after: str = ""
    fails: bool = False
    expected: str = ""


class Step(Record):
    """One tool call of the topology. `fault` makes its first attempt fail with that text."""

    step_id: str
    tool_id: str
    arguments: dict[str, Binding] = Field(default_factory=dict)
    task: CodeTask | None = None
    fault: str | None = None
    optional: bool = False


class Turn(Record):
    """One user message and all the assistant does before it speaks to the user again.

    `groups` are steps in order, those of a group in one message; `reply` is how the assistant's turn ends;
    `about` names the facts it asks for (clarify), the step it wants leave for (confirm), or the paths
    `step.path` that it reports (answer).
    """

    kind: Literal["request", "inform", "approve", "pivot"]
    intent: str
    reveals: tuple[str, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()
    reply: Literal["answer", "clarify", "confirm", "decline"] = "answer"
    about: tuple[str, ...] = ()


class ExpectedCall(Record):
    """What the dry run did at one step: resolved arguments and the world's answer."""

    step_id: str
    tool_id: str
    arguments: JsonObject
    output: JsonValue


class Lineage(Record):
    """Which operators made this blueprint, in order, from which parent."""

    operators: tuple[str, ...] = ()
    parent_id: str | None = None
    generation: int = 0


class Blueprint(Record):
    """A conversation's logical topology, fixed before anyone speaks.

    `services` and `world_seed` name the world of built-in services; `expected_digest` is its state after the dry
    run, null where a tool has no executor and truth cannot be known.
    """

    blueprint_id: str
    round: str
    batch: str
    cluster_id: str
    domain: str
    title: str
    persona: str
    goal: str
    tool_ids: tuple[str, ...]
    services: tuple[str, ...]
    world_seed: int
    facts: JsonObject
    steps: tuple[Step, ...]
    turns: tuple[Turn, ...]
    expected_calls: tuple[ExpectedCall, ...] = ()
    expected_digest: str | None = None
    target_mode: tuple[str, ...] = ()
    target_cac: float = 0.0
    lineage: Lineage = Lineage()
    seed: int

    @property
    def has_scenario(self) -> bool:
        """Whether the planner has written title, persona and goal; they are empty where the budget ended before."""
        return bool(self.goal)

    @property
    def planned_messages(self) -> int:
        """Assistant messages of a conversation that goes as planned: one per turn, per group of calls, and per attempt
        that is to fail."""
        groups = sum(len(turn.groups) for turn in self.turns)
        return len(self.turns) + groups + sum(step.fault is not None for step in self.steps)

    def step(self, step_id: str) -> Step:
        """The step of that id; KeyError if there is none."""
        for step in self.steps:
            if step.step_id == step_id:
                return step
        raise KeyError(step_id)


class RejectedBlueprint(Record):
    """A blueprint that is not talked about, with why: it failed, or others add more."""

    blueprint_id: str
    round: str
    batch: str
    cluster_id: str
    reason: str
    detail: str

    @classmethod
    def of(cls, blueprint: Blueprint, reason: str, detail: str) -> "RejectedBlueprint":
        """This blueprint, rejected."""
        return cls(
            blueprint_id=blueprint.blueprint_id,
            round=blueprint.round,
            batch=blueprint.batch,
            cluster_id=blueprint.cluster_id,
            reason=reason,
            detail=detail,
        )


# ── conversations ────────────────────────────────────────────────────────────────────────────────────────────


class ToolCall(Record):
    """One call as the model wrote it; `arguments` is JSON text, kept even when malformed."""

    id: str
    name: str
    arguments: str


class Message(Record):
    """One stored message, in OpenAI roles. `simulated` marks an observation that a model made up."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | None = None
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    simulated: bool = False


class Usage(Record):
    """What calls cost: tokens always, `usd` null where the price is unknown, wall-clock `seconds`."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float | None = None
    model: str = ""
    calls: int = 0
    seconds: float = 0.0


class Failure(Record):
    """Why a conversation did not end soundly."""

    kind: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


class Trajectory(Record):
    """One conversation and what it measured. Everything but `usage.seconds` is a function of seed and settings.

    `unused_calls` is null in what was stored before it was counted.
    """

    trajectory_id: str
    round: str
    batch: str
    blueprint_id: str
    cluster_id: str
    domain: str
    tools: tuple[str, ...]
    messages: tuple[Message, ...]
    labels: tuple[str, ...]
    mode: tuple[str, ...]
    cac: float
    unused_calls: int | None = None
    outcome: Literal["completed", "failed"]
    failure: Failure | None = None
    final_digest: str | None = None
    usage: Usage = Usage()
    lineage: Lineage = Lineage()
    seed: int
    versions: dict[str, str] = Field(default_factory=dict)


class PendingBlueprint(Record):
    """A blueprint that no conversation was held of, with why: what it would cost was not to be spent."""

    blueprint_id: str
    round: str
    batch: str
    reason: str


class Verdict(Record):
    """One rule's judgement of one trajectory. `score` is null when the rule does not score or could not."""

    trajectory_id: str
    position: int
    rule: str
    keep: bool
    score: float | None = None
    reason: str = ""


UNJUDGED = "unjudged"
"""The rule of a verdict that holds a conversation back until the judge can be paid."""


# ── measures of sets ─────────────────────────────────────────────────────────────────────────────────────────


class MetricRow(Record):
    """One figure of one batch. `ci_low`/`ci_high` bound a 95 % bootstrap interval, null where none is defined."""

    batch: str
    scope: Literal["batch", "cumulative"]
    metric: str
    value: float
    ci_low: float | None = None
    ci_high: float | None = None
    n: int


class GroupRow(Record):
    """One figure of one group of trajectories: those of a domain, or those that an operator had a part in."""

    batch: str
    scope: Literal["batch", "cumulative"]
    dimension: Literal["domain", "operator"]
    name: str
    metric: str
    value: float
    ci_low: float | None = None
    ci_high: float | None = None
    n: int


Arm = Literal["quantity", "diversity"]
Basis = Literal["kept", "calls"]


class StudyRow(Record):
    """One figure of one arm of a study, at a budget: `kept` trajectories, or as many model `calls` as the quantity arm
    had made when it had kept that many. `n` is the number of trajectories measured."""

    seed: int
    arm: Arm
    basis: Basis
    budget: int
    metric: str
    value: float
    ci_low: float | None = None
    ci_high: float | None = None
    n: int


class TrainingRow(Record):
    """Position of a kept trajectory in the budgeted selection, with its marginal gain in bits."""

    order: int
    trajectory_id: str
    gain: float


def parse_object(text: str) -> JsonObject | None:
    """The JSON object that `text` holds, or None when it is not one."""
    value = parse_json(text)
    return value if isinstance(value, dict) else None


def parse_value(text: str) -> JsonValue:
    """The JSON value that `text` holds, else the text itself."""
    return parse_json(text, text)


def parse_json(text: str, otherwise: JsonValue = None) -> JsonValue:
    """The JSON value that `text` holds, else `otherwise`; what is JSON is as for decode_json."""
    value, end = decode_json(text, len(text) - len(text.lstrip(_JSON_SPACE)))
    return value if end and not text[end:].strip(_JSON_SPACE) else otherwise


def decode_json(text: str, start: int, *, strict: bool = True) -> tuple[JsonValue, int]:
    """The JSON value that begins at `start`, and where it ends; 0 where there is none.

    For text that a model or a tool wrote: numbers that are too long or too large to be read, and values nested deeper
    than MOST_NESTED, are no JSON. Not `strict` allows line breaks inside strings.
    """
    try:
        value, end = (_DECODER if strict else _LENIENT_DECODER).raw_decode(text, start)
    except (ValueError, RecursionError):
        return None, 0
    brackets = text.count("{", start, end) + text.count("[", start, end)
    return (None, 0) if brackets > MOST_NESTED and _is_deep(value) else (value, end)


def _is_deep(value: JsonValue) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    depth = 0
    while level and depth <= MOST_NESTED:
        inner = (item.values() if isinstance(item, dict) else item for item in level)
        level = [one for items in inner for one in items if isinstance(one, dict | list)]
        depth += 1
    return depth > MOST_NESTED


def _finite(number: str) -> float:
    value = float(number)
    return value if math.isfinite(value) else _refuse(number)


def _refuse(number: str) -> NoReturn:
    raise ValueError(f"{number} is no number of JSON, or too large")


_JSON_SPACE = " \t\n\r"
_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse)
_LENIENT_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse, strict=False)


def function_schema(tool: Tool) -> JsonObject:
    """The tool as an OpenAI function definition."""
    return {
        "type": "function",
        "function": {"name": tool.tool_id, "description": tool.description, "parameters": tool.input_schema},
    }


def chat_messages(messages: tuple[Message, ...]) -> list[JsonObject]:
    """The messages in OpenAI's wire format, without fields of our own."""
    return [_chat_message(message) for message in messages]


def _chat_message(message: Message) -> JsonObject:
    wire: JsonObject = {"role": message.role, "content": message.content}
    if message.tool_calls:
        wire["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        wire["tool_call_id"] = message.tool_call_id
    return wire
