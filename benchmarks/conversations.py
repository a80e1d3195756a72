"""Times whole conversations, 16 in flight: python benchmarks/conversations.py

The scripted teacher speaks for every role, so the figures are what the machinery costs, not a model. First called
directly, on blueprints without a code step and then on those with one (run under bubblewrap, where that
works); then through litellm over loopback HTTP, with the teacher in a process of its own.
"""

import asyncio
import multiprocessing
import os
import socket
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from _timing import builtin_settings

from tdscaling_assets.agents.batch import run_batch
from tdscaling_assets.agents.conversation import Stage
from tdscaling_assets.blueprints.batch import plan_batch
from tdscaling_assets.blueprints.library import Library
from tdscaling_assets.blueprints.scenario import write_scenarios
from tdscaling_assets.catalog.harvest import build_catalog
from tdscaling_assets.clusters import select_clusters
from tdscaling_assets.errors import SandboxError
from tdscaling_assets.evolution.history import PlanHistory
from tdscaling_assets.evolution.plan import plan_round
from tdscaling_assets.graph import build_graph
from tdscaling_assets.llm.protocol import ChatModel
from tdscaling_assets.llm.roles import open_models
from tdscaling_assets.llm.server import serve_teacher
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.sandbox.select import open_sandbox
from tdscaling_assets.schema import CODE_TOOLS, OPERATORS, Blueprint, Role, Trajectory
from tdscaling_assets.services.spec import load_services
from tdscaling_assets.settings import Settings

SPEAKERS: tuple[Role, ...] = ("planner", "user", "assistant", "environment")
IN_FLIGHT = 16
BLUEPRINTS = 200
HANDFUL = 24  # over HTTP
COMPLEXITY = 12.0  # CAC that operators aim at
REPEATS = 5


class Rate(NamedTuple):
    """Per second of wall clock, and CPU milliseconds of this process per model call."""

    conversations: float
    calls: float
    cpu_milliseconds: float


def main() -> None:
    """One line per way to hold conversations; ratios are to the first."""
    with tempfile.TemporaryDirectory() as folder:
        settings = builtin_settings(Path(folder), concurrency=IN_FLIGHT, sandbox="bubblewrap")
        library = open_library(settings)
        blueprints = make_blueprints(library, settings)
        plain = [one for one in blueprints if CODE_TOOLS.isdisjoint(one.tool_ids)]
        coded = [one for one in blueprints if not CODE_TOOLS.isdisjoint(one.tool_ids)]
        stage = Stage(every(ScriptedTeacher(1.0)), library.tools, library.services, None, settings)
        direct = time_rate(plain, stage)
        show("direct", plain, direct, direct)
        time_coded(coded, stage, direct)
        with serve_over_http() as url:
            models = open_models(settings.model_copy(update={"model": "openai/teacher", "model_base_url": url}))
            handful = plain[:HANDFUL]
            show("litellm over HTTP", handful, time_rate(handful, replace(stage, models=models)), direct)


def time_coded(blueprints: Sequence[Blueprint], stage: Stage, direct: Rate) -> None:
    """Conversations that run code each."""
    try:
        sandbox = open_sandbox(stage.settings)
    except SandboxError as error:
        print(f"no figures with code: {error}")
        return
    show("direct, with code", blueprints, time_rate(blueprints, replace(stage, sandbox=sandbox)), direct)
    asyncio.run(sandbox.close())


def time_rate(blueprints: Sequence[Blueprint], stage: Stage) -> Rate:
    """Medians over REPEATS batches, after one that warms caches up; every conversation must have ended soundly."""
    hold(blueprints, stage)
    rates: list[Rate] = []
    for _ in range(REPEATS):
        wall, cpu = time.perf_counter(), time.process_time()
        trajectories = hold(blueprints, stage)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        calls = sum(one.usage.calls for one in trajectories)
        rates.append(Rate(len(trajectories) / wall, calls / wall, cpu / calls * 1000))
    return Rate(*map(statistics.median, zip(*rates, strict=True)))


def hold(blueprints: Sequence[Blueprint], stage: Stage) -> list[Trajectory]:
    """All conversations of a batch; SystemExit when one failed, because its time would mean nothing."""
    held: list[Trajectory] = []

    async def keep(one: Trajectory) -> None:
        held.append(one)

    asyncio.run(run_batch(blueprints, stage, keep))
    failures = Counter(one.failure.kind for one in held if one.failure)
    if failures:
        raise SystemExit(f"{failures.total()} of {len(held)} conversations failed: {dict(failures)}")
    return held


def show(name: str, blueprints: Sequence[Blueprint], rate: Rate, direct: Rate) -> None:
    """One line: how many blueprints, both rates, CPU per call, and how that compares."""
    print(
        f"{name:<18} {len(blueprints):>4} blueprints  {rate.conversations:8.1f} conversations/s  "
        f"{rate.calls:8.1f} model calls/s  {rate.cpu_milliseconds:6.2f} ms CPU per call  "
        f"({rate.calls / direct.calls:6.1%} of direct)"
    )


def open_library(settings: Settings) -> Library:
    """Catalog, graph and clusters of the built-in services."""
    tools = build_catalog(settings).tools
    edges = build_graph(tools)
    return Library(tools, edges, select_clusters(tools, edges, settings.clusters), load_services())


def make_blueprints(library: Library, settings: Settings) -> list[Blueprint]:
    """Blueprints of a regime that uses every operator alike."""
    plan = plan_round("r01", PlanHistory(), library.clusters, settings)
    even = dict.fromkeys(OPERATORS, 1 / len(OPERATORS))
    plan = plan.model_copy(update={"operator_weights": even, "cac_target": COMPLEXITY})
    drawn = plan_batch(plan, "r01-b01", library, (), settings.model_copy(update={"batch_size": BLUEPRINTS}))
    written, _ = asyncio.run(write_scenarios(drawn.blueprints, ScriptedTeacher(1.0), settings))
    return written


def every(model: ChatModel) -> dict[Role, ChatModel]:
    """The same model in every role."""
    return dict.fromkeys(SPEAKERS, model)


@contextmanager
def serve_over_http() -> Iterator[str]:
    """The base URL of a teacher that another process serves."""
    os.environ.setdefault("OPENAI_API_KEY", "none")
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    server = multiprocessing.get_context("spawn").Process(target=serve_teacher, args=("127.0.0.1", port, 1.0))
    server.start()
    try:
        wait_for(port)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.join()


def wait_for(port: int, seconds: float = 30.0) -> None:
    """Return when something answers on the port; SystemExit when nothing does in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"the teacher did not answer on port {port} within {seconds:g} s")


if __name__ == "__main__":
    main()
