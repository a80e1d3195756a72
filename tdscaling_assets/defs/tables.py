"""What every table asset has in common: its definition's facts, and the metadata of a materialization."""

import html
import re
from collections.abc import Callable, Mapping, Sequence
from inspect import iscoroutinefunction
from typing import Any

import dagster as dg
import polars as pl
from matplotlib.figure import Figure

from tdscaling_assets.defs.interrupt import interruptible
from tdscaling_assets.report.canvas import markdown_image
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.tables import find_table

OWNERS = ["team:synthesis"]
GROUP = "tdscaling"
"""One group, so that the UI opens on the whole graph."""
PREVIEW_ROWS = 5
PREVIEW_WIDTH = 60
_MARKUP = re.compile(
    r"[\\`*_\[\]!|~#:]"
)  # with & < > as entities: no emphasis, links, images, cells, or bare addresses

batches = dg.DynamicPartitionsDefinition(name="batch")
"""One partition per batch, keyed `r01-b01`."""


def table_asset(
    table: str, *kinds: str, deps: Sequence[str] = ()
) -> Callable[[Callable[..., object]], dg.AssetsDefinition]:
    """`dg.asset` with the facts that the table's declaration already holds; batched tables are partitioned."""
    declared = find_table(table)
    columns = [dg.TableColumn(name, kind) for name, kind in declared.columns.items()]
    define = dg.asset(
        group_name=GROUP,
        kinds={"duckdb", *kinds},
        owners=OWNERS,
        deps=list(deps),
        partitions_def=batches if declared.batched else None,
        metadata={"dagster/column_schema": dg.TableSchema(columns), "dagster/table_name": f"lake.{table}"},
    )
    return lambda function: define(interruptible(function) if iscoroutinefunction(function) else function)


def store(
    lake: Lake,
    frames: Mapping[str, pl.DataFrame],
    *,
    batch: str | None,
    run_id: str,
    metadata: Mapping[str, Any] | None = None,
) -> dg.MaterializeResult[None]:
    """Write the frames in one transaction; the first is the asset's own table, whose facts become metadata,
    after what is given."""
    own = next(iter(frames.values()))
    snapshot = lake.write(frames, batch=batch, message=run_id)
    return dg.MaterializeResult(
        metadata={
            **{name: _shown(value) for name, value in (metadata or {}).items()},
            "dagster/row_count": own.height,
            "snapshot": snapshot,
            "preview": preview(own),
        }
    )


def preview(frame: pl.DataFrame, rows: int = PREVIEW_ROWS, width: int = PREVIEW_WIDTH) -> dg.MarkdownMetadataValue:
    """The first rows as a table, values of more than `width` characters cut."""
    if frame.is_empty():
        return dg.MetadataValue.md("*no rows*")
    cells = [[_cell(value, width) for value in row] for row in frame.head(rows).iter_rows()]
    lines = [frame.columns, ["---"] * frame.width, *cells]
    return dg.MetadataValue.md("\n".join(f"| {' | '.join(line)} |" for line in lines))


def picture(figure: Figure, name: str) -> dg.MarkdownMetadataValue:
    """A figure to look at in the UI."""
    return dg.MetadataValue.md(markdown_image(figure, name))


def _cell(value: object, width: int) -> str:
    """The value as text of a Markdown table: nothing of it is rendered, neither Markdown nor HTML."""
    text = " ".join(str(_shown(value)).split())
    text = text if len(text) <= width else text[: width - 1] + "…"
    return _MARKUP.sub(r"\\\g<0>", html.escape(text, quote=False))


def _shown(value: object) -> Any:
    """The value as the UI shows it: fractions to six significant digits."""
    return float(f"{value:.6g}") if isinstance(value, float) else value
