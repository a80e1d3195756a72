"""What is known about an exported set in, its dataset card (README.md) out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tdscaling_assets.export.select import EntropyCounter
from tdscaling_assets.schema import MetricRow, Record, Trajectory

MODES_SHOWN = 20


class ExportInfo(Record):
    """Where an export comes from. `snapshot` is the lake's version it was read at, null outside a lake."""

    name: str
    models: tuple[str, ...]
    simulated: bool
    snapshot: int | None = None
    sources: tuple[str, ...] = ()


class Refusal(Record):
    """A trajectory left out of the files because no trainer could use it, with why."""

    trajectory_id: str
    reason: str


@dataclass
class Contents:
    """What the files hold, counted one conversation at a time; `cac` is a sum."""

    count: int = 0
    calls: int = 0
    simulated_observations: int = 0
    cac: float = 0.0
    tools: set[str] = field(default_factory=set)
    domains: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)

    def add(self, row: Trajectory) -> None:
        """Count one more."""
        self.count += 1
        self.calls += sum(len(message.tool_calls) for message in row.messages)
        self.simulated_observations += sum(message.simulated for message in row.messages)
        self.cac += row.cac
        self.tools.update(row.tools)
        self.domains[row.domain] += 1
        self.modes[" > ".join(row.mode)] += 1


def render_card(
    contents: Contents, metrics: Sequence[MetricRow], info: ExportInfo, refused: Sequence[Refusal] = ()
) -> str:
    """Markdown with a Hugging Face front matter; `metrics` are figures of the kept set the export was chosen from."""
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
        count=contents.count,
        calls=contents.calls,
        tools=len(contents.tools),
        simulated_observations=contents.simulated_observations,
        mean_cac=contents.cac / contents.count if contents.count else 0.0,
        domains=_by_count(contents.domains),
        modes=_by_count(contents.modes)[:MODES_SHOWN],
        n_modes=len(contents.modes),
        h_dom=entropy(contents.domains),
        h_mode=entropy(contents.modes),
        metrics=metrics,
        refused=refused,
        size_category=_size_category(contents.count),
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
