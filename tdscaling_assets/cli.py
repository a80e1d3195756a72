"""`tds`: the command line. Thin: each command calls the core function or runs the Dagster job that the UI runs."""

import json
import re
import sys
import warnings
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from tdscaling_assets.errors import ConfigError, TdsError
from tdscaling_assets.settings import Settings, load_settings

app = typer.Typer(
    help="Diverse, checked tool-use trajectories. Settings are TDS_* environment variables.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
services_app = typer.Typer(help="The built-in business services.", no_args_is_help=True)
teacher_commands = typer.Typer(help="The scripted teacher as an endpoint.", no_args_is_help=True)
sandbox_app = typer.Typer(help="The sandbox of the code tool.", no_args_is_help=True)
app.add_typer(services_app, name="services")
app.add_typer(teacher_commands, name="teacher")
app.add_typer(sandbox_app, name="sandbox")

console = Console()

INTERRUPTED = 130
"""Exit code after Ctrl-C."""

Size = Annotated[int | None, typer.Option("--size", min=1, help="Blueprints in the batch (TDS_BATCH_SIZE).")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Seed of everything random (TDS_SEED).")]

PlanFile = Annotated[
    Path | None,
    typer.Option("--plan", help="YAML or JSON file of plan fields to set by hand, such as domain_weights (TDS_PLAN)."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would take: calls, tokens, USD. Spend nothing.")]


def main() -> None:
    """Run a command; a failure that a person can act on is one sentence on standard error and exit code 1."""
    try:
        app()
    except TdsError as error:
        sys.exit(f"tds: {error}")
    except OSError as error:
        sys.exit(f"tds: {error}: check the disk and TDS_HOME")
    except SystemExit as end:
        if end.code == INTERRUPTED:  # typer's answer to Ctrl-C, without a word
            _exit_interrupted()
        raise
    except RuntimeError as error:
        if str(error) == "Query interrupted":  # DuckDB's answer to Ctrl-C
            _exit_interrupted()
        raise


@app.command()
def demo(size: Size = None, seed: Seed = None) -> None:
    """Catalog, then batches until a plateau starts a new round, then the figures and where everything is."""
    settings = _checked(load_settings(), needs_sources=True)
    from tdscaling_assets.commands.demo import run_demo

    run_demo(settings, {"batch_size": size, "seed": seed}, console)


@app.command()
def catalog() -> None:
    """Read the sources and build tool catalog, tool graph and business clusters."""
    settings = _checked(load_settings(), needs_sources=True)
    from tdscaling_assets.defs.run import open_instance, run_catalog

    recorded = run_catalog(open_instance(settings), {})
    from tdscaling_assets.commands.terminal import catalog_changes, catalog_summary

    console.print(catalog_changes(recorded), highlight=False, markup=False, soft_wrap=True)
    console.print(catalog_summary(settings), highlight=False, markup=False, soft_wrap=True)


@app.command()
def batch(size: Size = None, seed: Seed = None, dry_run: DryRun = False) -> None:
    """Run the next batch of the newest round; an unfinished one is resumed."""
    settings = _checked(load_settings(), needs_catalog=True)
    if dry_run:
        _print_estimate(size, seed, new_round=False)
        return
    from tdscaling_assets.defs.run import open_instance, run_next_batch

    key = run_next_batch(open_instance(settings), settings, {"batch_size": size, "seed": seed})
    _print_batch(settings, key)


@app.command("round")
def round_(size: Size = None, seed: Seed = None, plan: PlanFile = None, dry_run: DryRun = False) -> None:
    """Run the first batch of a new round, planned from what has been kept so far."""
    file = None if plan is None else str(plan.resolve())
    settings = _checked(load_settings(**({} if file is None else {"plan": file})), needs_catalog=True)
    if dry_run:
        _print_estimate(size, seed, new_round=True, plan=file)
        return
    from tdscaling_assets.defs.run import open_instance, run_next_round

    key = run_next_round(open_instance(settings), settings, {"batch_size": size, "seed": seed, "plan": file})
    _print_batch(settings, key)


@app.command()
def sql(
    query: Annotated[str | None, typer.Argument(help="One SQL statement; tables have bare names.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array of rows, nothing else.")] = False,
) -> None:
    """Query the lake, read-only; without a query, print the line that attaches it in any DuckDB client."""
    from tdscaling_assets.storage.attach import attach_statement
    from tdscaling_assets.storage.lake import execute_read

    settings = load_settings()
    if query is None:
        print(attach_statement(settings))
        return
    frame = execute_read(settings, query)
    from tdscaling_assets.commands.terminal import frame_as_json, print_frame

    if as_json:
        print(frame_as_json(frame))
    else:
        print_frame(frame, console)


@app.command()
def report() -> None:
    """Write the HTML report anew from the lake and print its path."""
    from tdscaling_assets.defs.report import read_report
    from tdscaling_assets.report.page import write_report
    from tdscaling_assets.storage.lake import Lake

    settings = load_settings()
    with Lake.open(settings, read_only=True) as lake:
        print(write_report(settings.home / "report" / "index.html", read_report(lake, settings)))


@app.command()
def export(name: Annotated[str, typer.Option(help="Folder under export/.")] = "latest") -> None:
    """Write the training set as OpenAI messages, ShareGPT and Parquet, with a dataset card."""
    from tdscaling_assets.defs.training import export_training_set
    from tdscaling_assets.storage.lake import Lake

    settings = load_settings()
    if not re.fullmatch(r"[\w.-]+", name) or not name.strip("."):
        raise ConfigError(f"--name is {name!r}: use letters, digits, ., - and _, such as may-2")
    with Lake.open(settings, read_only=True) as lake:
        summary = export_training_set(lake, settings, name)
    print(f"{summary.exported} trajectories in {summary.folder}, {len(summary.refused)} refused")


@app.command()
def study(
    budget: Annotated[str, typer.Option(help="Kept trajectories at which the arms are compared.")] = "200,400",
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions, from TDS_SEED on.")] = 1,
    size: Size = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array of rows, nothing else.")] = False,
) -> None:
    """Compare volume (round 1's plan kept) with diversity (the loop), from the same seed, at equal numbers of kept
    trajectories and of model calls. Run again, it goes on where it was stopped."""
    if not all(part.strip().isdecimal() and int(part) > 0 for part in budget.split(",")):
        raise ConfigError(f"--budget is {budget!r}: give numbers of trajectories such as 200,400")
    settings = _checked(load_settings(**({} if size is None else {"batch_size": size})), needs_sources=True)
    from tdscaling_assets.commands.study import print_study, run_study

    budgets = sorted({int(part) for part in budget.split(",")})
    rows = run_study(settings, budgets, seeds, lambda line: print(line, file=sys.stderr))
    if as_json:
        print(json.dumps([row.model_dump() for row in rows]))
        return
    print_study(rows, console)
    print(f"The rows are in the table `study`, the curves in {settings.home / 'report' / 'index.html'}")


@app.command()
def measure(
    path: Annotated[Path, typer.Argument(help="JSONL (or .gz) with `messages` in OpenAI's format, maybe `domain`.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array of rows, nothing else.")] = False,
) -> None:
    """Diversity metrics of anybody's dataset of conversations."""
    from tdscaling_assets.commands.foreign import measure_file
    from tdscaling_assets.commands.terminal import frame_as_json, print_frame

    frame = measure_file(path, load_settings())
    if as_json:
        print(frame_as_json(frame))
    else:
        print_frame(frame, console)


@app.command()
def doctor() -> None:
    """Say what works on this machine, and what to do about what does not."""
    from tdscaling_assets.commands.doctor import examine

    findings = examine(load_settings())
    for finding in findings:
        mark = "[green]ok[/]" if finding.ok else "[red]no[/]" if finding.needed else "[yellow]--[/]"
        console.print(f"{mark}  {finding.name:<12} {escape(finding.detail)}", highlight=False, soft_wrap=True)
    if any(not finding.ok and finding.needed for finding in findings):
        raise typer.Exit(1)


@services_app.command("list")
def services_list(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array of services, nothing else.")] = False,
) -> None:
    """The built-in services: domains, tools, states, and the junctions where businesses meet."""
    from tdscaling_assets.commands.services import describe_services, print_services

    if as_json:
        print(json.dumps(describe_services()))
    else:
        print_services(console)


@services_app.command("serve")
def services_serve(
    name: Annotated[str, typer.Argument(help="A service of `tds services list`, all, or a file of your own.")],
    http: Annotated[int | None, typer.Option("--http", min=1, max=65535, help="Port, instead of stdio.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on, with --http.")] = None,
    seed: Seed = None,
) -> None:
    """Serve a built-in service, or all in one world, as an MCP server over stdio or streamable HTTP."""
    from tdscaling_assets.commands.services import serve_services

    if host and not http:
        raise ConfigError("--host needs --http PORT: over stdio there is no address")
    settings = load_settings()
    address = (host or "127.0.0.1", http) if http else None
    serve_services(name, seed if seed is not None else settings.seed, settings, address)


@services_app.command("check")
def services_check(
    file: Annotated[
        Path, typer.Argument(help="The file of a service (docs/services.md).", exists=True, dir_okay=False)
    ],
) -> None:
    """Call a service of your own at random: how its tools fare, and whether it keeps what it claims."""
    from tdscaling_assets.commands.services import check_file

    if not check_file(file, load_settings(), console):
        raise typer.Exit(1)


@teacher_commands.command("serve")
def teacher_serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8765,
    compliance: Annotated[float | None, typer.Option(min=0, max=1, help="TDS_COMPLIANCE.")] = None,
    latency: Annotated[float, typer.Option(min=0, help="Seconds before every answer.")] = 0.0,
    jitter: Annotated[float, typer.Option(min=0, help="Seconds added at most, uniformly.")] = 0.0,
    error_rate: Annotated[float, typer.Option(min=0, max=1, help="Share of errors and lost connections.")] = 0.0,
    throttle: Annotated[int, typer.Option(min=0, help="Requests per minute before a 429; 0 for no limit.")] = 0,
    malformed: Annotated[float, typer.Option(min=0, max=1, help="Share of answers that are none.")] = 0.0,
    hang: Annotated[float, typer.Option(min=0, max=1, help="Share of requests that are never answered.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of what goes wrong.")] = 0,
) -> None:
    """Serve the scripted teacher as an OpenAI-compatible endpoint, on a good night or a bad one."""
    from tdscaling_assets.llm.misbehaviour import Misbehaviour
    from tdscaling_assets.llm.server import serve_teacher

    misbehaviour = Misbehaviour(
        latency=latency,
        jitter=jitter,
        error_rate=error_rate,
        throttle=throttle,
        malformed=malformed,
        hang=hang,
        seed=seed,
    )
    serve_teacher(host, port, load_settings().compliance if compliance is None else compliance, misbehaviour)


@sandbox_app.command("build")
def sandbox_build(
    rootfs: Annotated[bool, typer.Option("--rootfs", help="From Debian packages, without a registry.")] = False,
) -> None:
    """Build the Docker image of the code tool."""
    from tdscaling_assets.sandbox.image import build_image

    print(build_image(load_settings(), rootfs=rootfs))


def _exit_interrupted() -> NoReturn:
    warnings.simplefilter("ignore")  # coroutines that were about to start are none of a person's business
    print("tds: interrupted; what is finished is kept, and `tds batch` resumes its batch", file=sys.stderr)
    sys.exit(INTERRUPTED)


def _checked(settings: Settings, needs_sources: bool = False, needs_catalog: bool = False) -> Settings:
    """The settings, after the checks that are better made before Dagster is loaded and a run starts."""
    from tdscaling_assets.catalog.sources import read_sources
    from tdscaling_assets.llm.roles import open_models
    from tdscaling_assets.storage.lake import Lake
    from tdscaling_assets.storage.queries import has_clusters

    open_models(settings)
    if needs_sources:
        read_sources(settings.sources)
    with Lake.open(settings) as lake:
        if needs_catalog and not has_clusters(lake):
            raise ConfigError(f"{settings.home} has no business clusters yet: run `tds catalog` first")
    return settings


def _print_estimate(size: int | None, seed: int | None, new_round: bool, plan: str | None = None) -> None:
    from tdscaling_assets.commands.estimate import estimate_batch, print_estimate
    from tdscaling_assets.defs.run import open_instance

    chosen = {"batch_size": size, "seed": seed, "plan": plan}
    settings = load_settings(**{name: value for name, value in chosen.items() if value is not None})
    print_estimate(*estimate_batch(open_instance(settings), settings, new_round), settings, console)


def _print_batch(settings: Settings, key: str) -> None:
    from tdscaling_assets.commands.terminal import print_batches

    print_batches(settings, console)
    print(f"Batch {key} is done. The report is {settings.home / 'report' / 'index.html'}")
