"""A selection of trajectories in, one export folder out: written beside its place, then renamed, never half there."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tdscaling_assets.export.card import ExportInfo, Refusal, render_card
from tdscaling_assets.export.openai import write_openai
from tdscaling_assets.export.parquet import write_parquet
from tdscaling_assets.export.sharegpt import write_sharegpt
from tdscaling_assets.export.sound import find_fault
from tdscaling_assets.schema import MetricRow, Record, Tool, Trajectory


class ExportSummary(Record):
    """What an export holds: `exported` + `refused` = trajectories given. `size_bytes` is by file name."""

    folder: Path
    exported: int
    refused: tuple[Refusal, ...]
    size_bytes: dict[str, int]


def write_export(
    folder: Path,
    trajectories: Sequence[Trajectory],
    tools: Mapping[str, Tool],
    metrics: Sequence[MetricRow],
    info: ExportInfo,
) -> ExportSummary:
    """Write train.jsonl, sharegpt.jsonl, train.parquet and README.md into `folder`, replacing what it held.

    Trajectories keep their order. One that no trainer could use is left out, named in the summary and on the card.
    """
    faults = [(row, find_fault(row, tools)) for row in trajectories]
    sound = [row for row, fault in faults if not fault]
    refused = tuple(Refusal(trajectory_id=row.trajectory_id, reason=fault) for row, fault in faults if fault)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        new = Path(temporary) / "new"
        new.mkdir()
        write_openai(new / "train.jsonl", sound, tools)
        write_sharegpt(new / "sharegpt.jsonl", sound, tools)
        write_parquet(new / "train.parquet", sound, tools)
        (new / "README.md").write_text(render_card(sound, metrics, info, refused), encoding="utf-8")
        _replace(folder, new, Path(temporary) / "old")
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    return ExportSummary(folder=folder, exported=len(sound), refused=refused, size_bytes=sizes)


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
