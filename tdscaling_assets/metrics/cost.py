"""Funnel counts and token totals in, rates and costs out; nothing that is unknown becomes a zero."""

from tdscaling_assets.metrics.context import MeasureContext
from tdscaling_assets.schema import MetricRow


def cost_rows(context: MeasureContext, bits: float | None) -> list[MetricRow]:
    """acceptance_rate, near_duplicate_rate, final_state_agreement, tokens and USD per kept trajectory and per bit.

    `bits` is the information of the kept set: kept trajectories × mode entropy. Costs are of everything generated,
    rejected or not. Those in USD are absent where a price is unknown.
    """
    rows = [
        *context.share("acceptance_rate", context.kept, context.generated),
        *context.share("near_duplicate_rate", context.near_duplicates, context.generated),
        *context.share("final_state_agreement", context.agreeing, context.checkable),
        *context.share("tokens_per_kept", context.tokens, context.kept),
    ]
    if context.usd is not None:
        rows += context.share("usd_per_kept", context.usd, context.kept)
    if bits and context.tokens:
        rows.append(context.row("tokens_per_bit", context.tokens / bits, context.kept))
    if bits and context.usd is not None:
        rows.append(context.row("usd_per_bit", context.usd / bits, context.kept))
    return rows
