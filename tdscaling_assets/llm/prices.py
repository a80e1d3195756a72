"""A model and its tokens in, US dollars out: by the settings' prices, else by litellm's list, else None."""

from functools import cache

from tdscaling_assets.llm.library import load_litellm
from tdscaling_assets.settings import Settings

MILLION = 1_000_000


def price(model: str, prompt_tokens: float, completion_tokens: float, settings: Settings) -> float | None:
    """USD of so many tokens, without discounts for cached ones."""
    own = settings.prices.get(model)
    if own is None:
        own = listed_price(model)
    return None if own is None else (prompt_tokens * own[0] + completion_tokens * own[1]) / MILLION


@cache
def listed_price(model: str) -> tuple[float, float] | None:
    """USD per million prompt and completion tokens in litellm's list, under the provider that the name says."""
    litellm = load_litellm()
    try:
        known = litellm.get_model_info(model)
    except litellm.exceptions.ModelNotMappedError:
        return None
    prices = known.get("input_cost_per_token"), known.get("output_cost_per_token")
    if prices[0] is None or prices[1] is None:
        return None
    return prices[0] * MILLION, prices[1] * MILLION
