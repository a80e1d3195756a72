"""A selection of trajectories in, one export folder out: written beside its place, then renamed, never half there."""

import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tdscaling_assets.export.card import Contents, ExportInfo, Refusal, render_card
from tdscaling_assets.export.openai import openai_row
from tdscaling_assets.export.rows import JsonLines, ParquetRows
from tdscaling_assets.export.sharegpt import sharegpt_row
from tdscaling_assets.export.sound import find_fault
from tdscaling_assets.schema import MetricRow, Record, Tool, Trajectory

Offered = tuple[Trajectory, Mapping[str, Tool]]
"""A trajectory and the tools that it was offered, by id."""


class ExportSummary(Record):
    """What an export holds: `exported` + `refused` = trajectories given. `size_bytes` is by file name."""

    folder: Path
    exported: int
    refused: tuple[Refusal, ...]
    size_bytes: dict[str, int]


def write_export(
    folder: Path,
    offered: Iterable[Offered],
    metrics: Sequence[MetricRow],
    info: ExportInfo,
) -> ExportSummary:
    """Write train.jsonl, sharegpt.jsonl, train.parquet and README.md into `folder`, replacing what it held.

    What is offered keeps its order, and little of it is in memory at a time. A trajectory that no trainer could use is
    left out, named in the summary and on the card.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        new = Path(temporary) / "new"
        new.mkdir()
        contents, refused = _write_rows(new, offered)
        (new / "README.md").write_text(render_card(contents, metrics, info, refused), encoding="utf-8")
        _replace(folder, new, Path(temporary) / "old")
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    return ExportSummary(folder=folder, exported=contents.count, refused=tuple(refused), size_bytes=sizes)


def _write_rows(folder: Path, offered: Iterable[Offered]) -> tuple[Contents, list[Refusal]]:
    """Every sound trajectory into the three files of rows, the others refused."""
    contents, refused = Contents(), []
    with (
        JsonLines(folder / "train.jsonl") as openai,
        JsonLines(folder / "sharegpt.jsonl") as sharegpt,
        ParquetRows(folder / "train.parquet") as parquet,
    ):
        for trajectory, tools in offered:
            if fault := find_fault(trajectory, tools):
                refused.append(Refusal(trajectory_id=trajectory.trajectory_id, reason=fault))
                continue
            row = openai_row(trajectory, tools, checked=True)
            openai.write(row)
            parquet.write(row)
            sharegpt.write(sharegpt_row(trajectory, tools, checked=True))
            contents.add(trajectory)
    return contents, refused


def _replace(folder: Path, new: Path, old: Path) -> None:
    """Put `new` in the place of `folder`; a directory cannot be renamed onto a full one, so that goes aside first."""
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if old.exists():
            shutil.move(old, folder)
        raise
