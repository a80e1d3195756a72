"""Times the harvest of real tools, and what a second one costs: python benchmarks/harvest.py

The tools of ../shared/data/mcp_catalog, read and stored three ways, each on a copy of the same lake: cold (an empty
lake), warm (nothing changed), and with 1 % of the records edited. Medians of CPU seconds; rows written; peak memory.
"""

import gzip
import json
import resource
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from tdscaling_assets.catalog.changes import copy_counts
from tdscaling_assets.catalog.harvest import Catalog, build_catalog
from tdscaling_assets.catalog.schemas import _meta_fault
from tdscaling_assets.catalog.state import read_state
from tdscaling_assets.catalog.store import write_catalog
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake

REAL = Path(__file__).parents[2] / "shared" / "data" / "mcp_catalog"
REPEATS = 3
EVERY = 100  # one record in so many is edited


def main() -> None:
    """One line per way."""
    files = sorted(REAL.glob("*.jsonl.gz"))
    if not files:
        print(f"no figures: {REAL} is not there")
        return
    with tempfile.TemporaryDirectory() as folder:
        runs = [one_round(Path(folder) / str(number), files) for number in range(REPEATS)]
    for way in runs[0]:
        seconds = statistics.median(run[way][0] for run in runs)
        print(f"{way:<16} {seconds:6.2f} s CPU  {runs[0][way][1]:>6} rows written")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def one_round(home: Path, files: list[Path]) -> dict[str, tuple[float, int]]:
    """CPU seconds and rows written of each way."""
    home.mkdir()
    for file in files:
        shutil.copyfile(file, home / file.name)
    (home / "sources.yaml").write_text("".join(f"- file: {file.name}\n" for file in files), encoding="utf-8")
    settings = Settings(home=home, sources=home / "sources.yaml", catalog="", lake_data="")
    _meta_fault.cache_clear()
    taken = {"cold": timed(settings, "2026-01-01"), "warm, unchanged": timed(settings, "2026-01-02")}
    for file in files:
        edit(home / file.name)
    taken["warm, 1 % edited"] = timed(settings, "2026-01-03")
    return taken


def timed(settings: Settings, seen_at: str) -> tuple[float, int]:
    """Read the state, harvest, write."""
    start = time.process_time()
    with Lake.open(settings) as lake:
        state = read_state(lake)
        catalog = build_catalog(settings, state, seen_at)
        update = write_catalog(lake, catalog, seen_at, "benchmark")
    seconds = time.process_time() - start
    if not state.tools:
        describe(catalog)
    return seconds, sum(update.rows.values())


def describe(catalog: Catalog) -> None:
    """The counts, which add up."""
    print(f"{catalog.entries} records: {len(catalog.rejected)} rejected, {copy_counts(catalog)}")


def edit(path: Path) -> None:
    """Change the description of every hundredth record."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = file.read().splitlines()
    for at in range(0, len(lines), EVERY):
        record = json.loads(lines[at])
        record["description"] = f"{record['description']} Edited."
        lines[at] = json.dumps(record)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join(lines))


if __name__ == "__main__":
    main()
