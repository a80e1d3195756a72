"""What is known about an exported set in, its dataset card (README.md) out."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tdscaling_assets.export.select import EntropyCounter
from tdscaling_assets.schema import MetricRow, Record, Trajectory

MODES_SHOWN = 20


class ExportInfo(Record):
    """Where an export comes from. `snapshot` is the lake's version it was read at, null outside a lake;
    `license` is the data's licence, empty when nobody has stated one."""

    name: str
    models: tuple[str, ...]
    simulated: bool
    snapshot: int | None = None
    sources: tuple[str, ...] = ()
    license: str = ""


class Refusal(Record):
    """A trajectory left out of the files because no trainer could use it, with why."""

    trajectory_id: str
    reason: str


def render_card(
    trajectories: Sequence[Trajectory], metrics: Sequence[MetricRow], info: ExportInfo, refused: Sequence[Refusal] = ()
) -> str:
    """Markdown with a Hugging Face front matter; `metrics` are figures of the kept set the export was chosen from."""
    domains = Counter(row.domain for row in trajectories)
    modes = Counter(" > ".join(row.mode) for row in trajectories)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, not HTML; `cell` escapes what tables need
    )
    environment.filters["cell"] = _cell
    return environment.get_template("card.md.jinja").render(
        info=info,
        count=len(trajectories),
        calls=sum(len(message.tool_calls) for row in trajectories for message in row.messages),
        tools=len({name for row in trajectories for name in row.tools}),
        simulated_observations=sum(message.simulated for row in trajectories for message in row.messages),
        mean_cac=sum(row.cac for row in trajectories) / len(trajectories) if trajectories else 0.0,
        domains=_by_count(domains),
        modes=_by_count(modes)[:MODES_SHOWN],
        n_modes=len(modes),
        h_dom=entropy(domains),
        h_mode=entropy(modes),
        metrics=metrics,
        refused=refused,
        size_category=_size_category(len(trajectories)),
    )


def entropy(counts: Counter[str]) -> float:
    """Plug-in Shannon entropy in bits."""
    counter = EntropyCounter()
    for category in counts.elements():
        counter.add(category)
    return counter.bits


def _by_count(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("[", "\\[").replace("<", "&lt;").split())


def _size_category(count: int) -> str:
    """The Hugging Face size class."""
    for bound, name in ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")):
        if count < bound:
            return name
    return "n>1M"
