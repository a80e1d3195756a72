"""parse_log: a log of the operations at hand, given by the user, is written to a file and read from there."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from tdscaling_assets.code_tasks.kinds import RUN_SHELL, Call, Kind, Material, python_call, source_of, write_call
from tdscaling_assets.schema import JsonObject

FACT = "service_log"
FILE = "service.log"

_LEVELS = {200: "INFO", 201: "INFO", 404: "WARN", 500: "ERROR"}
_FORMAT = "Each line is `TIME LEVEL OPERATION status=CODE ms=MILLISECONDS`."
_AWK = 'awk \'/status=500/ { failed++ } END { print failed + 0 " of " NR " failed" }\' ' + FILE


def draw(rng: random.Random, operations: Sequence[str]) -> JsonObject:
    """A log of 12 to 18 lines of at most four of the operations; one of them failed."""
    names = rng.sample(sorted(operations), min(4, len(operations))) or ["request"]
    moment = datetime(2025, 5, rng.randint(1, 28), rng.randint(6, 18), rng.randint(0, 59), tzinfo=UTC)
    statuses = [500, *rng.choices(list(_LEVELS), (8, 2, 2, 2), k=rng.randint(11, 17))]
    rng.shuffle(statuses)
    lines: list[str] = []
    for status in statuses:
        moment += timedelta(seconds=rng.randint(1, 400))
        name, took = rng.choice(names), rng.randint(12, 990)
        lines.append(f"{moment:%Y-%m-%dT%H:%M:%SZ} {_LEVELS[status]} {name} status={status} ms={took}")
    return {FACT: "\n".join(lines)}


def log_levels(lines: list[str]) -> str:
    counts = Counter(line.split()[1] for line in lines)
    return ", ".join(f"{level}={counts[level]}" for level in sorted(counts))


def log_slowest(lines: list[str]) -> str:
    _, name, took = max((int(line.split("ms=")[1]), line.split()[2], line.split("ms=")[1]) for line in lines)
    return f"{name} took {took} ms"


def log_means(lines: list[str]) -> str:
    times: dict[str, list[int]] = {}
    for line in lines:
        times.setdefault(line.split()[2], []).append(int(line.split("ms=")[1]))
    return ", ".join(f"{name}={sum(times[name]) // len(times[name])}" for name in sorted(times))


def log_failures(lines: list[str]) -> str:
    return f"{sum('status=500' in line for line in lines)} of {len(lines)} failed"


def _kind(function: Callable[[list[str]], str], phrase: str, call: Call) -> Kind:
    write = write_call(
        FILE, lambda material: f"{material.facts[FACT]}\n", f"Write the log that the user gave to `{FILE}`, unchanged."
    )
    return Kind(
        name=function.__name__,
        family="parse_log",
        phrase=phrase,
        calls=(write, call),
        solve=lambda material: function(str(material.facts[FACT]).splitlines()),
        draw=draw,
    )


def _program(function: Callable[[list[str]], str], needs: str, instruction: str) -> Call:
    def program(material: Material) -> str:
        body = (
            f"{source_of(function)}\n\n"
            f'with open("{FILE}") as file:\n    print({function.__name__}(file.read().splitlines()))\n'
        )
        return f"{needs}\n\n\n{body}" if needs else body

    return python_call(program, f"Read `{FILE}` with a program. {_FORMAT} {instruction}")


KINDS = (
    _kind(
        log_levels,
        "count the lines of a service log per level",
        _program(
            log_levels,
            "from collections import Counter",
            "Print `LEVEL=count` pairs sorted by level, joined by `, `.",
        ),
    ),
    _kind(
        log_slowest,
        "find the slowest operation in a service log",
        _program(
            log_slowest,
            "",
            "Print `OPERATION took N ms` of the slowest line; of equally slow ones the last in alphabetical order.",
        ),
    ),
    _kind(
        log_means,
        "work out the mean time of each operation in a service log",
        _program(
            log_means,
            "",
            "Print `OPERATION=mean` pairs sorted by operation, each mean of milliseconds rounded down, joined by `, `.",
        ),
    ),
    _kind(
        log_failures,
        "tell how many lines of a service log failed",
        Call(
            tool_id=RUN_SHELL,
            instruction=f"Search `{FILE}` in the shell. {_FORMAT} Print `N of M failed`: the lines with status 500, of "
            "all.",
            arguments=lambda material: {"command": _AWK},
        ),
    ),
)
