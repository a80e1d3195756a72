"""Times the built-in worlds, in CPU milliseconds: python benchmarks/worlds.py

Per service, partners included: a new world (seeding its rows), another world of a seed already seen, one call of a
tool, for those that read and those that write, and a whole blueprint's run (a new world, 10 calls and the digest, per
call), with arguments drawn from the world's own state. Refused calls count; their share is shown.
"""

import random
import statistics
import time
from collections.abc import Sequence
from itertools import count

from _timing import median_seconds

from tdscaling_assets.schema import JsonObject
from tdscaling_assets.services.grammar import OperationSpec
from tdscaling_assets.services.seeding import seed_state
from tdscaling_assets.services.spec import ServiceSpec, load_services
from tdscaling_assets.services.world import World

WORLDS = 15
CALLS = 20  # per tool
BLUEPRINT = 10  # calls of one blueprint

_seeds = count(1_000_000)  # of worlds nobody has seen, so that no cache holds their rows


def main() -> None:
    """One line per service, then the medians and the largest."""
    rows = [time_service(service) for service in load_services().values()]
    print_row("median service", [statistics.median(column) for column in zip(*rows, strict=True)])
    print_row("largest", [max(column) for column in zip(*rows, strict=True)])


def time_service(service: ServiceSpec) -> list[float]:
    """Milliseconds of a new world, a world seen before, a read, a write and a call of a whole blueprint's run; then
    the share of calls refused."""
    new = median_seconds(lambda: open_world(service, next(_seeds)), WORLDS, time.process_time)
    again = median_seconds(lambda: open_world(service, 1), WORLDS, time.process_time)
    reads, refused_reads = time_calls(service, [op for op in service.operations.items() if op[1].is_read_only])
    writes, refused_writes = time_calls(service, [op for op in service.operations.items() if not op[1].is_read_only])
    refused = [*refused_reads, *refused_writes]
    whole = statistics.median(time_blueprint(service) for _ in range(WORLDS))
    row = [new * 1000, again * 1000, statistics.median(reads), statistics.median(writes), whole]
    row.append(statistics.fmean(refused))
    print_row(service.name, row)
    return row


def time_calls(service: ServiceSpec, tools: Sequence[tuple[str, OperationSpec]]) -> tuple[list[float], list[bool]]:
    """Milliseconds of each call, and whether it was refused; the state lives on from call to call."""
    rng = random.Random(service.name)
    world = open_world(service, next(_seeds))
    taken: list[float] = []
    refused: list[bool] = []
    for name, operation in [*tools] * CALLS:
        arguments = draw_arguments(world, service, name, operation, rng)
        start = time.process_time()
        result = world.call(service.name, name, arguments)
        taken.append((time.process_time() - start) * 1000)
        refused.append(not result.ok)
    return taken, refused


def time_blueprint(service: ServiceSpec) -> float:
    """Milliseconds per call of a new world, calls that were drawn on its twin, and the final digest."""
    seed = next(_seeds)
    rng, twin = random.Random(seed), World([service], seed)
    calls: list[tuple[str, JsonObject]] = []
    for name, operation in rng.choices(list(service.operations.items()), k=BLUEPRINT):
        calls.append((name, draw_arguments(twin, service, name, operation, rng)))
        twin.call(service.name, *calls[-1])
    seed_state.cache_clear()
    start = time.process_time()
    world = World([service], seed)
    for name, arguments in calls:
        world.call(service.name, name, arguments)
    world.digest()
    return (time.process_time() - start) * 1000 / BLUEPRINT


def open_world(service: ServiceSpec, seed: int) -> World:
    """A world whose rows are there; a world seeds a service at its first use."""
    world = World([service], seed)
    world.rows(service.name, next(iter(service.entities)))
    return world


def draw_arguments(
    world: World, service: ServiceSpec, name: str, operation: OperationSpec, rng: random.Random
) -> JsonObject:
    """A natural value for every required parameter."""
    needed = [key for key, part in operation.parameters.items() if not part.optional and part.default is None]
    return {key: world.sample(service.name, name, key, rng) for key in needed}


def print_row(name: str, row: Sequence[float]) -> None:
    """Times and ratios of one service."""
    new, again, read, write, whole, refused = row
    print(
        f"{name:<15} new world {new:6.2f} ms  seen before {again:6.3f} ms  read {read:6.3f} ms  write {write:6.3f} ms  "
        f"10-call blueprint {whole:6.3f} ms a call  refused {refused:4.0%}"
    )


if __name__ == "__main__":
    main()
