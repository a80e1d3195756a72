"""`tds services`: what the built-in services are, a trial of one's own, and their MCP server with its sandbox."""

from pathlib import Path

from pydantic import JsonValue
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tdscaling_assets.sandbox.protocol import Sandbox
from tdscaling_assets.sandbox.select import open_sandbox, program_runner
from tdscaling_assets.schema import JsonObject
from tdscaling_assets.services.server import AsyncRunner, build_server, choose_services, serve_http, serve_stdio
from tdscaling_assets.services.spec import ServiceSpec, load_service, load_services, runs_program
from tdscaling_assets.services.trial import find_contradictions, hints, refusals, walk
from tdscaling_assets.settings import Settings

WORLDS = 10
CALLS = 60
"""Worlds and random calls in each, by which `tds services check` judges a service."""


def describe_services() -> list[JsonObject]:
    """One object per service: name, domain, title, tools, states (field → states), junctions (partner → purpose)."""
    return [_describe(spec) for spec in load_services().values()]


def print_services(console: Console) -> None:
    """Every service in a paragraph, then the totals."""
    services = list(load_services().values())
    for spec in services:
        console.print(f"[bold]{spec.name}[/]  {spec.domain}: {escape(spec.title)}", highlight=False, soft_wrap=True)
        console.print(
            f"    {len(spec.operations)} tools: {', '.join(spec.operations)}", highlight=False, soft_wrap=True
        )
        for field, moves in _life_cycles(spec).items():
            told = ", ".join(f"{state} → {' | '.join(after)}" for state, after in moves.items() if after)
            console.print(f"    {field}: {escape(told)}", highlight=False, soft_wrap=True)
        for partner, purpose in spec.uses.items():
            console.print(f"    with {partner}: {escape(purpose)}", highlight=False, soft_wrap=True)
    console.print(
        f"{len(services)} services in {len({spec.domain for spec in services})} domains, "
        f"{sum(len(spec.operations) for spec in services)} tools, {sum(len(spec.uses) for spec in services)} junctions",
        highlight=False,
    )


def check_file(path: Path, settings: Settings, console: Console) -> bool:
    """Call a service of one's own at random and print how its tools fared; whether it keeps all it claims.

    Raises SpecError for a wrong file.
    """
    spec = load_service(path)
    with program_runner(settings) as run:
        visits = [visit for seed in range(WORLDS) for visit in walk(spec, seed, CALLS, run)]
    table = Table("tool", "calls", "succeeded", "hints")
    for tool, hint in hints(spec).items():
        mine = [visit for visit in visits if visit.tool == tool]
        told = ", ".join(name.removesuffix("Hint") for name, on in hint.items() if on)
        table.add_row(tool, str(len(mine)), str(sum(visit.result.ok for visit in mine)), told)
    console.print(table, highlight=False)
    met = ", ".join(f"{code} ({count})" for code, count in refusals(visits).most_common())
    console.print(f"Refused with {met or 'nothing'}", highlight=False, soft_wrap=True)
    contradictions = find_contradictions(spec, visits)
    for line in contradictions or [f"All claims hold over {len(visits)} random calls in {WORLDS} worlds."]:
        console.print(escape(line), highlight=False, soft_wrap=True)
    return not contradictions


def serve_services(name: str, seed: int, settings: Settings, address: tuple[str, int] | None) -> None:
    """Serve a packaged service, one's own file, or `all`, until the client leaves or Ctrl-C.

    Raises ConfigError for an unknown name, SpecError for a wrong file.
    """
    services = [load_service(Path(name))] if name.endswith(".yaml") else choose_services(name)
    programs = any(runs_program(spec, tool) for spec in services for tool in spec.operations)
    server = build_server(services, seed, _runner(open_sandbox(settings)) if programs else None)
    if address is None:
        serve_stdio(server)
        return
    serve_http(server, *address)


def _runner(sandbox: Sandbox) -> AsyncRunner:
    async def run(code: str) -> str:
        return (await sandbox.run_python(code)).last_words()

    return run


def _describe(spec: ServiceSpec) -> JsonObject:
    states: JsonObject = {field: list(moves) for field, moves in _life_cycles(spec).items()}
    tools: list[JsonValue] = list(spec.operations)
    junctions: JsonObject = dict(spec.uses)
    return {
        "name": spec.name,
        "domain": spec.domain,
        "title": spec.title,
        "tools": tools,
        "states": states,
        "junctions": junctions,
    }


def _life_cycles(spec: ServiceSpec) -> dict[str, dict[str, tuple[str, ...]]]:
    """`entity.field` → each state and those that may follow it."""
    return {
        f"{entity}.{name}": field.moves
        for entity, entity_spec in spec.entities.items()
        for name, field in entity_spec.fields.items()
        if field.moves
    }
