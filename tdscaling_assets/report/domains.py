"""Outcomes in, a figure of domains out: a histogram per round, domains in one order, so that a tail is seen to fill.

Columns as in data.py's ReportData; canvas.py turns a figure into text.
"""

from collections.abc import Mapping, Sequence

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdscaling_assets.report.canvas import INK, MUTED, colour, in_style, new_figure, say_empty
from tdscaling_assets.report.rounds import ordered, spread

ROUNDS_SHOWN = 6
NAMED = 60  # domains up to which each is named
LETTERS = 22
FREQUENT, RARE, UNSEEN = colour(0), colour(1), colour(2)


@in_style
def domain_figure(outcomes: pl.DataFrame) -> Figure:
    """Share of kept trajectories per domain, a panel per round from the first to the last; domains stand as frequent as
    in the first round, whose outline later panels carry."""
    kept = outcomes.filter("kept")
    rounds = ordered(kept["round"])
    if not rounds:
        figure, (panel,) = new_figure(1.2)
        say_empty(panel, "no trajectory kept yet")
        return figure
    shares = {name: domain_shares(kept.filter(pl.col("round") == name)) for name in rounds}
    first = shares[rounds[0]]
    domains = domain_order(first, kept)
    shown = spread(rounds, ROUNDS_SHOWN)
    figure, panels = new_figure(1.35 + 0.85 * len(shown), columns=2, rows=len(shown), across=1)
    highest = max(max(own.values()) for own in shares.values())
    for panel, name in zip(panels, shown, strict=True):
        own = shares[name]
        _draw_bars(panel, domains, own, first)
        if name != rounds[0]:
            outline = [100 * first.get(domain, 0.0) for domain in domains]
            panel.stairs(outline, [row - 0.5 for row in range(len(domains) + 1)], color=MUTED, linewidth=0.7)
        panel.set_ylim(0, 118 * highest)
        n = kept.filter(pl.col("round") == name).height
        rare = 100 * tail_share(own, first)
        text = f"{name}: {n:,} kept, {len(own)} domains, {rare:.0f} % outside the frequent half"
        panel.set_title(text, loc="left", fontsize=8.5, color=INK, pad=3)
    _name_domains(panels, domains)
    _explain(panels[0], rounds[0], len(domains) > len(first))
    return figure


def domain_shares(kept: pl.DataFrame) -> dict[str, float]:
    """Share of the trajectories in each domain that has any."""
    return {name: count / kept.height for name, count in kept.group_by("domain").len().sort("domain").iter_rows()}


def domain_order(first: Mapping[str, float], kept: pl.DataFrame) -> list[str]:
    """Every domain of the kept: by share in the first round, those it lacks by their number in all."""
    counts = dict(kept.group_by("domain").len().iter_rows())
    return sorted(counts, key=lambda name: (-first.get(name, 0.0), -counts[name], name))


def tail_share(own: Mapping[str, float], first: Mapping[str, float]) -> float:
    """Share outside the half of the first round's domains that were the most frequent there."""
    return sum(share for name, share in own.items() if name not in frequent_half(first))


def frequent_half(first: Mapping[str, float]) -> set[str]:
    """The more frequent half of the domains, the middle one with it; ties by name."""
    return set(sorted(first, key=lambda name: (-first[name], name))[: (len(first) + 1) // 2])


def _draw_bars(panel: Axes, domains: Sequence[str], own: Mapping[str, float], first: Mapping[str, float]) -> None:
    frequent = frequent_half(first)
    shades = [FREQUENT if name in frequent else RARE if name in first else UNSEEN for name in domains]
    panel.bar(range(len(domains)), [100 * own.get(name, 0.0) for name in domains], width=0.8, color=shades)
    panel.set_xlim(-0.7, len(domains) - 0.3)
    panel.set_xticks([])
    panel.set_ylabel("%")


def _name_domains(panels: Sequence[Axes], domains: Sequence[str]) -> None:
    if len(domains) > NAMED:
        panels[-1].set_xlabel(f"{len(domains)} domains, the most frequent of the first round on the left")
        return
    names = [name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…" for name in domains]
    panels[-1].set_xticks(range(len(domains)), names, rotation=90, fontsize=6.8)


def _explain(panel: Axes, first: str, unseen: bool) -> None:
    legend = [(FREQUENT, f"more frequent half of {first}'s domains"), (RARE, "rarer half")]
    legend += [(UNSEEN, f"not in {first}")] if unseen else []
    for row, (shade, text) in enumerate(legend):
        panel.text(
            0.995, 0.95 - 0.19 * row, text, transform=panel.transAxes, ha="right", va="top", color=shade, fontsize=7.5
        )
