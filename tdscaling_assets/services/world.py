"""Services and a seed in, a world that runs: calls change its state, its digest names the state.

State makes truth checkable: two worlds with equal digests hold equal rows.
"""

import random
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from tdscaling_assets.schema import JsonObject, Record, digest
from tdscaling_assets.services.engine import Refusal, run_operation, state_names
from tdscaling_assets.services.expressions import evaluate, evaluate_each
from tdscaling_assets.services.grammar import InvariantSpec, ParameterSpec, ServiceSpec
from tdscaling_assets.services.sampling import candidate_values, sample_value
from tdscaling_assets.services.schemas import input_validator
from tdscaling_assets.services.seeding import seed_state, world_now
from tdscaling_assets.services.state import Row, State


class CallResult(Record):
    """`value` is the output, or `{"error": {"code", "message"}}` when not ok."""

    ok: bool
    value: JsonValue


class World:
    """In-memory services, seeded at their first use. Time stands still at `now`."""

    def __init__(self, services: Sequence[ServiceSpec], seed: int) -> None:
        self._specs = {spec.name: spec for spec in services}
        self._seed = seed
        self._states: dict[str, State] = {}
        self.now = world_now(seed)

    def call(self, service: str, tool: str, arguments: JsonObject) -> CallResult:
        """Run a tool; a call that fails changes nothing. KeyError when the world has no such service."""
        spec = self._specs[service]
        if tool not in spec.operations:
            return _failed("unknown_tool", f"{service} has no tool {tool!r}; it has {', '.join(spec.operations)}.")
        problems = [_problem(error.path, error.message) for error in input_validator(spec, tool).iter_errors(arguments)]
        if problems:
            return _failed("invalid_arguments", "; ".join(sorted(problems)) + ".")
        try:
            state, output = run_operation(spec, tool, self._state(service), arguments)
        except Refusal as refusal:
            return _failed(refusal.code, str(refusal))
        self._states[service] = state
        return CallResult(ok=True, value=output)

    def digest(self) -> str:
        """16 hex digits of the canonical state of all services."""
        return digest({name: self._state(name).tables for name in self._specs})

    def candidates(self, service: str, tool: str, parameter: str) -> list[JsonValue]:
        """Values in the state that a user could plausibly know for this parameter; none for free parameters."""
        return candidate_values(self._specs[service], self._parameter(service, tool, parameter), self._state(service))

    def sample(self, service: str, tool: str, parameter: str, rng: random.Random) -> JsonValue:
        """One natural value of a parameter: from the state, else from its enum, examples, range or type."""
        return sample_value(self._specs[service], self._parameter(service, tool, parameter), self._state(service), rng)

    def rows(self, service: str, entity: str) -> list[JsonObject]:
        """All rows of an entity, in order of creation, for inspection: never change them."""
        found: list[JsonObject] = self._state(service).rows(entity)
        return found

    def broken_invariants(self) -> list[str]:
        """The names of invariants that do not hold, as `service: invariant`; empty in a sound world."""
        return [
            f"{name}: {invariant.name}"
            for name, spec in self._specs.items()
            for invariant in (*spec.invariants, *_reference_invariants(spec))
            if not _holds(spec, invariant, self._state(name))
        ]

    def _state(self, service: str) -> State:
        if service not in self._states:
            self._states[service] = seed_state(self._specs[service], self._seed)
        return self._states[service]

    def _parameter(self, service: str, tool: str, parameter: str) -> ParameterSpec:
        return self._specs[service].operations[tool].parameters[parameter]


def _failed(code: str, message: str) -> CallResult:
    return CallResult(ok=False, value={"error": {"code": code, "message": message}})


def _problem(path: Sequence[str | int], message: str) -> str:
    place = ".".join(str(part) for part in path)
    return f"{place}: {message}" if place else message


def _holds(spec: ServiceSpec, invariant: InvariantSpec, state: State) -> bool:
    names = state_names(spec, state)
    if not invariant.each:
        return bool(evaluate(invariant.holds, names))
    rows: list[Row] = state.rows(invariant.each)
    return all(evaluate_each(invariant.holds, rows, names))


def _reference_invariants(spec: ServiceSpec) -> list[InvariantSpec]:
    """One per field that refers to another entity's key: the row it names exists."""
    return [
        InvariantSpec(
            name=f"every {entity}.{name} exists",
            each=entity,
            holds=f"row.{name} is none or get('{target}', row.{name}) is not none",
        )
        for entity, entity_spec in spec.entities.items()
        for name, field in entity_spec.fields.items()
        for target in _key_targets(spec, field.ref)
    ]


def _key_targets(spec: ServiceSpec, ref: str) -> Mapping[str, None]:
    entity, _, name = ref.partition(".")
    return {entity: None} if ref and spec.entities[entity].key == name else {}
