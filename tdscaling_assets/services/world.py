"""Services and a seed in, a world that runs: calls change its state, its digest names the state.

State makes truth checkable: two worlds with equal digests hold equal rows. Services that a service uses are part of
its world, so a call may change their state too.
"""

import random
from collections.abc import Callable, Sequence
from copy import copy

from pydantic import JsonValue

from tdscaling_assets.errors import SpecError
from tdscaling_assets.schema import JsonObject, Record, canonical_json
from tdscaling_assets.services.engine import Refusal, run_operation, state_names
from tdscaling_assets.services.expressions import evaluate, evaluate_each
from tdscaling_assets.services.grammar import InvariantSpec, ParameterSpec, ServiceSpec
from tdscaling_assets.services.programs import printed_value
from tdscaling_assets.services.sampling import candidate_values, sample_value
from tdscaling_assets.services.schemas import input_validator, output_validator
from tdscaling_assets.services.seeding import seed_state, world_now
from tdscaling_assets.services.state import Row, State

INTERNAL_ERROR = "internal_error"
"""The code of a call that failed because its service's file is wrong."""


class CallResult(Record):
    """`value` is the output, or `{"error": {"code", "message"}}` when not ok."""

    ok: bool
    value: JsonValue


class Errand(Record):
    """A call that waits for a program: run `code` in a sandbox and hand what it prints to `World.finish`."""

    service: str
    tool: str
    code: str


Runner = Callable[[str], str]
"""Runs a program in a sandbox, now, and gives what it printed."""


class World:
    """In-memory services, seeded at first use. Time stands still at `now`."""

    def __init__(self, services: Sequence[ServiceSpec], seed: int, run: Runner | None = None) -> None:
        self._specs = {spec.name: spec for service in services for spec in service.economy()}
        self._seed = seed
        self._run = run
        self._current: State | None = None
        self.now = world_now(seed)

    def fork(self) -> "World":
        """A world in the same state, at next to no cost: what happens in one leaves the other as it is."""
        return copy(self)

    def call(self, service: str, tool: str, arguments: JsonObject) -> CallResult:
        """Run a tool; a call that fails changes nothing, and a fault of the spec is a failure with the code
        `internal_error`. KeyError when the world has no such service."""
        answer = self.start(service, tool, arguments)
        if isinstance(answer, CallResult):
            return answer
        if self._run is None:
            return _failed("sandbox_unavailable", f"{tool} runs a program, and there is no sandbox here to run it.")
        return self.finish(answer, self._run(answer.code))

    def start(self, service: str, tool: str, arguments: JsonObject) -> "CallResult | Errand":
        """As `call`, but a tool that runs a program leaves that to the caller."""
        spec = self._specs[service]
        if tool not in spec.operations:
            return _failed("unknown_tool", f"{service} has no tool {tool!r}; it has {', '.join(spec.operations)}.")
        problems = [_problem(error.path, error.message) for error in input_validator(spec, tool).iter_errors(arguments)]
        if not problems and not _is_text(arguments):
            problems.append("a text holds half a surrogate pair")
        if problems:
            return _failed("invalid_arguments", "; ".join(sorted(problems)) + ".")
        try:
            state, output = run_operation(spec, tool, self._state, arguments)
        except Refusal as refusal:
            return _failed(refusal.code, str(refusal))
        except SpecError as error:
            return _failed(INTERNAL_ERROR, str(error))
        self._current = state
        if isinstance(output, str):
            return Errand(service=service, tool=tool, code=output)
        return CallResult(ok=True, value=output)

    def finish(self, errand: Errand, printed: str) -> CallResult:
        """The answer of a call whose program has printed this."""
        value = printed_value(printed)
        if isinstance(value, dict) and "error" in value:
            return CallResult(ok=False, value=value)
        if not output_validator(self._specs[errand.service], errand.tool).is_valid(value):
            return _failed("execution_failed", f"The program of {errand.tool} gave no answer: {printed[-200:].strip()}")
        return CallResult(ok=True, value=value)

    def digest(self) -> str:
        """16 hex digits of the canonical state of all services."""
        return self._state.digest()

    def candidates(self, service: str, tool: str, parameter: str) -> list[JsonValue]:
        """Values in the state that a user could plausibly know for this parameter; none for free parameters."""
        return candidate_values(self._specs[service], self._parameter(service, tool, parameter), self._state)

    def sample(self, service: str, tool: str, parameter: str, rng: random.Random) -> JsonValue:
        """One natural value of a parameter: from the state, else from its enum, examples, range or type."""
        return sample_value(self._specs[service], self._parameter(service, tool, parameter), self._state, rng)

    def rows(self, service: str, entity: str) -> list[JsonObject]:
        """All rows of an entity, in order of creation, for inspection: never change them."""
        found: list[JsonObject] = self._state.rows(self._specs[service].table(entity))
        return found

    def broken_invariants(self) -> list[str]:
        """The names of invariants that do not hold, as `service: invariant`; empty in a sound world."""
        return [
            f"{name}: {invariant.name}"
            for name, spec in self._specs.items()
            for invariant in (*spec.invariants, *_reference_invariants(spec))
            if not _holds(spec, invariant, self._state)
        ]

    @property
    def _state(self) -> State:
        if self._current is None:
            self._current = seed_state(tuple(self._specs.values()), self._seed)
        return self._current

    def _parameter(self, service: str, tool: str, parameter: str) -> ParameterSpec:
        return self._specs[service].operations[tool].parameters[parameter]


def _failed(code: str, message: str) -> CallResult:
    return CallResult(ok=False, value={"error": {"code": code, "message": message}})


def _is_text(arguments: JsonObject) -> bool:
    """Whether every text in the arguments can be written as UTF-8."""
    try:
        canonical_json(arguments).encode()
    except UnicodeEncodeError:
        return False
    return True


def _problem(path: Sequence[str | int], message: str) -> str:
    place = ".".join(str(part) for part in path)
    return f"{place}: {message}" if place else message


def _holds(spec: ServiceSpec, invariant: InvariantSpec, state: State) -> bool:
    names = state_names(spec, state)
    if not invariant.each:
        return bool(evaluate(invariant.holds, names))
    rows: list[Row] = state.rows(spec.table(invariant.each))
    return all(evaluate_each(invariant.holds, rows, names))


def _reference_invariants(spec: ServiceSpec) -> list[InvariantSpec]:
    """One per field that refers to the key of another entity, maybe a partner's: the row it names exists."""
    return [
        InvariantSpec(
            name=f"every {entity}.{name} exists",
            each=entity,
            holds=f"row.{name} is None or get('{target}', row.{name}) is not None",
        )
        for entity, entity_spec in spec.entities.items()
        for name, field in entity_spec.fields.items()
        for target, _, key in [field.ref.rpartition(".")]
        if field.ref and spec.entity(target).key == key
    ]
