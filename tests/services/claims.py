"""Walks of the random caller, and a runner for programs of ours."""

import subprocess
import sys
import tempfile
from functools import cache

from tdscaling_assets.services.spec import load_services
from tdscaling_assets.services.trial import Visit, walk


@cache
def run_here(code: str) -> str:
    """What a program of ours prints, in a process of its own: nothing here was written by a model."""
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run([sys.executable, "-I", "-c", code], cwd=folder, capture_output=True, text=True).stdout


@cache
def walks(name: str) -> tuple[Visit, ...]:
    """Several walks through a packaged service, in worlds of different seeds."""
    return tuple(visit for seed in range(8) for visit in walk(load_services()[name], seed, calls=40, run=run_here))
