"""What a plan is made from: counts and figures of everything kept before, read once."""

from pydantic import Field

from tdscaling_assets.evolution.bandit import OperatorStats
from tdscaling_assets.schema import Record, RoundPlan


class PlanHistory(Record):
    """All kept trajectories of earlier batches, of this round too. `kept_by_label` counts trajectories whose mode has
    the label.

    `share_above` is the share of the previous round's trajectories, rejects too, that were kept and reached its CAC
    target, null when there are none; `decay` is how the chance of being kept falls with planned messages
    (novelty.keeping_decay); `metrics` are the last cumulative figures.
    """

    kept_by_domain: dict[str, int] = Field(default_factory=dict)
    kept_by_cluster: dict[str, int] = Field(default_factory=dict)
    kept_by_label: dict[str, int] = Field(default_factory=dict)
    kept_by_mode: dict[str, int] = Field(default_factory=dict)
    share_above: float | None = None
    decay: float = 0.0
    operators: dict[str, OperatorStats] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    previous: RoundPlan | None = None

    @property
    def kept(self) -> int:
        """Kept trajectories."""
        return sum(self.kept_by_domain.values())
