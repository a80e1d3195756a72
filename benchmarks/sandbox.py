"""Times one run of a trivial program in each sandbox that works here: python benchmarks/sandbox.py

The same program in a bare Python process is the baseline, so the difference is what isolation costs per call of the
code tool. Calls run one after another: wall-clock medians, with the 95th percentile beside them.
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from _timing import builtin_settings

from tdscaling_assets.errors import SandboxError
from tdscaling_assets.sandbox.protocol import Sandbox
from tdscaling_assets.sandbox.select import open_sandbox
from tdscaling_assets.settings import Settings

PROGRAM = "print(sum(range(100)))"
RUNS = 15
BACKENDS = ("bubblewrap", "docker")


def main() -> None:
    """The baseline, then one line per backend."""
    bare = sample(run_bare)
    print(f"bare process  {statistics.median(bare):7.1f} ms  p95 {p95(bare):7.1f} ms")
    with tempfile.TemporaryDirectory() as folder:
        for backend in BACKENDS:
            settings = builtin_settings(Path(folder), sandbox=backend)
            try:
                show(backend, asyncio.run(sample_sandbox(settings)), statistics.median(bare))
            except SandboxError as error:
                print(f"{backend:<12}  does not work here: {error}")


def show(backend: str, taken: list[float], bare: float) -> None:
    """Median, overhead over the bare process, and the ratio of the two."""
    median = statistics.median(taken)
    print(
        f"{backend:<12}  {median:7.1f} ms  p95 {p95(taken):7.1f} ms  "
        f"overhead {median - bare:7.1f} ms  {median / bare:5.1f}× the bare process"
    )


async def sample_sandbox(settings: Settings) -> list[float]:
    """Milliseconds of each run, without the opening of the sandbox."""
    sandbox: Sandbox = await asyncio.to_thread(open_sandbox, settings)
    taken: list[float] = []
    try:
        for _ in range(RUNS):
            start = time.perf_counter()
            await sandbox.run_python(PROGRAM)
            taken.append((time.perf_counter() - start) * 1000)
    finally:
        await sandbox.close()
    return taken


def sample(work: Callable[[], object]) -> list[float]:
    """Milliseconds of each of RUNS runs."""
    taken: list[float] = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        taken.append((time.perf_counter() - start) * 1000)
    return taken


def run_bare() -> None:
    """The program in a process of the Python that this environment was made from, with no isolation."""
    python = Path(sys.base_prefix) / "bin" / "python3"
    subprocess.run([python, "-s", "-u", "-c", PROGRAM], capture_output=True, check=True)


def p95(taken: list[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(taken, n=20)[-1]


if __name__ == "__main__":
    main()
