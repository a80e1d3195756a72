"""A model and its tokens in, US dollars out: by the settings' prices, else by litellm's list, else None."""

from functools import cache

from tdscaling_assets.llm.library import load_litellm
from tdscaling_assets.llm.provider import free_entry
from tdscaling_assets.settings import Settings

MILLION = 1_000_000
_PLAIN = ("openai", "hosted_vllm")
"""Providers of anybody's models, of whose entries in the list litellm reads nothing but prices."""


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


def spare_unlisted(model: str, provider: str) -> None:
    """Spare litellm its search for the price of a model that its list does not have, a third of a millisecond of CPU
    per call: it gets one of zero, which nobody reads, because `listed_price` is known by then."""
    if provider in _PLAIN and listed_price(model) is None:
        load_litellm().register_model({model: free_entry(provider)})
