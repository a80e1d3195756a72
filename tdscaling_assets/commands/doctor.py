"""This machine and these settings in, findings out: what works, and what to do about what does not."""

import shutil
import sys

from tdscaling_assets.catalog.sources import read_sources
from tdscaling_assets.errors import TdsError
from tdscaling_assets.llm.prices import price
from tdscaling_assets.llm.roles import open_models
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.sandbox.select import probe_sandboxes
from tdscaling_assets.schema import Record
from tdscaling_assets.settings import ModelOptions, Settings
from tdscaling_assets.storage.lake import Lake

LOW_DISK_BYTES = 1_000_000_000


class Finding(Record):
    """One thing looked at. `needed` is false for what has a substitute."""

    name: str
    ok: bool
    detail: str
    needed: bool = True


def examine(settings: Settings) -> list[Finding]:
    """Every finding, in the order in which a run needs them."""
    return [
        Finding(name="python", ok=True, detail=sys.version.split()[0]),
        _lake(settings),
        _disk(settings),
        _sources(settings),
        _models(settings),
        *_sandboxes(settings),
    ]


def _lake(settings: Settings) -> Finding:
    try:
        with Lake.open(settings) as lake:
            return Finding(name="lake", ok=True, detail=f"{settings.home} at snapshot {lake.snapshot()}")
    except TdsError as error:
        return Finding(name="lake", ok=False, detail=str(error))


def _disk(settings: Settings) -> Finding:
    home = settings.home.absolute()
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    detail = f"{free / 1e9:.1f} GB free at {there}"
    return Finding(name="disk", ok=free > LOW_DISK_BYTES, detail=detail if free > LOW_DISK_BYTES else f"only {detail}")


def _sources(settings: Settings) -> Finding:
    try:
        count = len(read_sources(settings.sources))
    except TdsError as error:
        return Finding(name="sources", ok=False, detail=str(error))
    return Finding(name="sources", ok=True, detail=f"{count} in {settings.sources}")


def _models(settings: Settings) -> Finding:
    try:
        spoken = sorted({_described(settings.model_options(role), settings) for role in open_models(settings)})
    except TdsError as error:
        return Finding(name="model", ok=False, detail=str(error))
    return Finding(name="model", ok=True, detail="; ".join(spoken))


def _described(options: ModelOptions, settings: Settings) -> str:
    """A model as a person should know of it: which, where, and whether its price is known."""
    if options.model == ScriptedTeacher.name:
        return "teacher (scripted: for trying the pipeline; set TDS_MODEL for training data)"
    place = f" at {options.base_url}" if options.base_url else ""
    priced = price(options.model, 1, 1, settings) is not None
    return f"{options.model}{place} (not called; price {'known' if priced else 'unknown: see TDS_PRICES'})"


def _sandboxes(settings: Settings) -> list[Finding]:
    probes = probe_sandboxes(settings)
    usable = [ok for name, ok, _ in probes if settings.sandbox in ("auto", name)]
    return [
        Finding(name=name, ok=ok, detail=detail, needed=settings.sandbox in ("auto", name) and not any(usable))
        for name, ok, detail in probes
    ]
