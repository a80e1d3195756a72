"""Chat completions per second through litellm, curator and our client: python benchmarks/model_calls.py [--calls N]

All against benchmarks/endpoint.py with its fixed latency, on this machine, the endpoint included. The ideal rate is
calls in flight ÷ latency. Each run has processes of its own and is warmed up first; contestants take turns, so that
what else the machine does hits all of them. CPU is that of all processes of a contestant. Then the same with faults:
every tenth request fails with HTTP 500 and every twentieth with 429, and what counts is the rows that are lost.

bespokelabs-curator cannot be installed beside our pins, so the first run makes `.venv-curator` for it.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import venv
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from _contestants import ROUNDS_TO_WARM_UP, Run, run_litellm, run_ours
from endpoint import LATENCY, NO_FAULTS, Faults, call_bare, serving

CURATOR = Path(__file__).parent.parent / ".venv-curator"
IN_FLIGHT = (64, 256)
FAULTS = Faults(server=0.1, throttled=0.05)
FAULTY_CALLS = 1000
Contestant = Callable[[str, int, int], Run]


def main() -> None:
    """Medians at both concurrencies, then the rows lost to faults."""
    arguments = argparse.ArgumentParser(description="Chat completions per second")
    arguments.add_argument("--calls", type=int, default=5000)
    arguments.add_argument("--repeats", type=int, default=3)
    given = arguments.parse_args()
    contestants: dict[str, Contestant] = {"sockets": _run_sockets, "litellm": _apart(run_litellm)}
    if _install_curator():
        contestants["curator"] = _run_curator
    contestants["ours"] = _apart(run_ours)
    for in_flight in IN_FLIGHT:
        runs: dict[str, list[Run]] = {name: [] for name in contestants}
        for _ in range(given.repeats):
            for name, contestant in contestants.items():
                with serving(LATENCY, NO_FAULTS) as url:
                    runs[name].append(contestant(url, in_flight, given.calls))
        for name, its in runs.items():
            _show(name, in_flight, given.calls, its)
    _show_losses(contestants, min(given.calls, FAULTY_CALLS))


def _show(name: str, in_flight: int, calls: int, runs: list[Run]) -> None:
    rates = sorted(run.answered / run.seconds for run in runs)
    ideal = statistics.median(rates) * LATENCY / in_flight
    cpu = statistics.median(run.cpu / calls * 1000 for run in runs)
    lost = f"  {sum(calls - run.answered for run in runs)} lost" if any(run.answered < calls for run in runs) else ""
    print(
        f"{name:<8} {in_flight:>4} in flight  {statistics.median(rates):6.1f} calls/s "
        f"({rates[0]:.1f} to {rates[-1]:.1f})  {ideal:6.1%} of ideal  {cpu:5.2f} ms CPU per call{lost}",
        flush=True,
    )


def _show_losses(contestants: dict[str, Contestant], calls: int) -> None:
    print(f"\n{calls} calls, {FAULTS.server:.0%} answered with HTTP 500 and {FAULTS.throttled:.0%} with 429:")
    for name, contestant in contestants.items():
        if name != "sockets":
            with serving(LATENCY, FAULTS) as url:
                run = contestant(url, IN_FLIGHT[0], calls)
            print(f"{name:<8} lost {calls - run.answered:>4}  in {run.seconds:5.1f} s", flush=True)


def _apart(contestant: Contestant) -> Contestant:
    """The contestant in a process of its own."""
    return partial(_run_apart, contestant)


def _run_apart(contestant: Contestant, url: str, in_flight: int, calls: int) -> Run:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        return executor.submit(contestant, url, in_flight, calls).result()


def _run_sockets(url: str, in_flight: int, calls: int) -> Run:
    """The endpoint's own ceiling."""
    return Run(calls / asyncio.run(call_bare(url, calls, in_flight)), 0.0, calls)


def _run_curator(url: str, in_flight: int, calls: int) -> Run:
    script = str(Path(__file__).with_name("_curator.py"))
    command = [CURATOR / "bin" / "python", script, url, str(in_flight), str(calls), str(ROUNDS_TO_WARM_UP * in_flight)]
    environment = {**os.environ, "TELEMETRY_ENABLED": "0", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"curator failed:\n{done.stderr[-2000:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    return Run(said["seconds"], said["cpu"], said["answered"])


def _install_curator() -> bool:
    """Whether there is a virtual environment with bespokelabs-curator; makes one the first time."""
    done = CURATOR / ".installed"
    if done.exists():
        return True
    print("installing bespokelabs-curator into .venv-curator, once", file=sys.stderr)
    venv.create(CURATOR, with_pip=True, clear=True)
    pip = [CURATOR / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    tried = subprocess.run([*pip, "bespokelabs-curator"], capture_output=True, text=True, check=False)
    if tried.returncode:
        print(f"no figures of curator, which cannot be installed: {tried.stderr.strip().splitlines()[-1]}")
        return False
    done.touch()
    return True


if __name__ == "__main__":
    main()
