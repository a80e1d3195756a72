"""Kept trajectories of a batch and of the one before it in, signs of collapse out: entropies that fell, and a persona,
opening or template that repeats. The definitions are our own."""

import math
from collections.abc import Callable, Mapping, Sequence

import polars as pl

from tdscaling_assets.metrics.diversity import domain_counts, mode_counts, step_counts, transition_counts
from tdscaling_assets.metrics.entropy import rarefied_entropy
from tdscaling_assets.schema import Record

OPENING_WORDS, SPOKEN_WORDS = 6, 3
LEAST_KEPT = 100
"""Trajectories below which a batch's entropies are not compared: chance alone moves them too far."""
LEAST_REPEATS = 5
"""Repeats below which a share says nothing."""
SHOWN = 3
_WORD = r"[\p{L}\p{M}]+"
_ENTROPIES: Mapping[str, Callable[[pl.DataFrame], list[int]]] = {
    "h_dom": domain_counts,
    "h_mode": mode_counts,
    "h_transition": transition_counts,
    "h_step": step_counts,
}


class Change(Record):
    """An entropy of the previous batch and of this one, in bits, both rarefied to the `n` items of the smaller."""

    metric: str
    before: float
    after: float
    n: int

    @property
    def gain(self) -> float:
        """Relative gain, negative for a fall; 0 from nothing."""
        return (self.after - self.before) / self.before if self.before > 0 else 0.0


class Repeat(Record):
    """A persona, opening or template that `count` trajectories have in common; `share` is of the batch."""

    kind: str
    text: str
    count: int
    share: float

    @property
    def error(self) -> float:
        """Standard error of the share, of as many independent draws."""
        return self.share * math.sqrt((1 - self.share) / self.count)


def entropy_changes(before: pl.DataFrame, after: pl.DataFrame) -> list[Change]:
    """How each entropy changed between two frames of trajectory_id, domain, mode, labels; [] when one has too few."""
    if min(before.height, after.height) < LEAST_KEPT:
        return []
    return [_change(metric, count(before), count(after)) for metric, count in _ENTROPIES.items()]


def commonest(frame: pl.DataFrame) -> list[Repeat]:
    """The SHOWN commonest personas, openings and templates, most common first.

    `frame` holds persona, opening (the first user message), labels and spoken (text per assistant message, in the same
    order). An opening counts by its first OPENING_WORDS words, a template by every label with the first SPOKEN_WORDS
    words said there. What is empty counts for nothing.
    """
    kinds = {"persona": pl.col("persona"), "opening": _words("opening", OPENING_WORDS), "template": pl.col("template")}
    named = frame.with_columns(template=_templates(frame)).select(**kinds)
    return [repeat for kind in kinds for repeat in _repeats(named[kind], frame.height)]


def collapse_signs(
    changes: Sequence[Change], repeats: Sequence[Repeat], fall: float, shares: Mapping[str, float]
) -> list[str]:
    """A sentence per entropy that fell by more than `fall`, and per repeat beyond the share of its kind.

    A repeat is beyond it when it is by more than its standard error, so that small batches do not cry wolf.
    """
    fallen = [
        f"{one.metric} fell by {-one.gain:.1%}, from {one.before:.2f} to {one.after:.2f} bits at n = {one.n}"
        for one in changes
        if -one.gain > fall
    ]
    repeated = [
        f"{one.share:.1%} share the {one.kind} {one.text!r}"
        for one in repeats
        if one.share - one.error > shares[one.kind] and one.count >= LEAST_REPEATS
    ]
    return fallen + repeated


def _change(metric: str, before: list[int], after: list[int]) -> Change:
    n = min(sum(before), sum(after))
    return Change(metric=metric, before=rarefied_entropy(before, n), after=rarefied_entropy(after, n), n=n)


def _repeats(texts: pl.Series, total: int) -> list[Repeat]:
    counted = texts.drop_nulls().rename("text").to_frame().filter(pl.col("text") != "").group_by("text").len("n")
    top = counted.sort("n", "text", descending=[True, False]).head(SHOWN)
    return [Repeat(kind=texts.name, text=text, count=n, share=n / total) for text, n in top.iter_rows()]


def _templates(frame: pl.DataFrame) -> pl.Series:
    """Per trajectory its messages as `label words`, joined by `>`."""
    messages = (
        frame.select("labels", "spoken", place=pl.int_range(pl.len()))
        .explode("labels", "spoken")
        .select("place", said=pl.concat_str("labels", _words("spoken", SPOKEN_WORDS), separator=" ").str.strip_chars())
    )
    joined = messages.group_by("place", maintain_order=True).agg(pl.col("said").str.join(" > "))
    return joined["said"]


def _words(column: str, count: int) -> pl.Expr:
    """The first words of a text, in lower case and without what is no letter."""
    return pl.col(column).str.to_lowercase().str.extract_all(_WORD).list.head(count).list.join(" ")
