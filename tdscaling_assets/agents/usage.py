"""What two parts of a conversation cost in, what they cost together out."""

from tdscaling_assets.schema import Usage


def add_usage(total: Usage, more: Usage) -> Usage:
    """Both together; the price is unknown as soon as one part's is."""
    if not (total.calls and more.calls):
        return more if more.calls else total
    usd = None if total.usd is None or more.usd is None else total.usd + more.usd
    return Usage(
        prompt_tokens=total.prompt_tokens + more.prompt_tokens,
        completion_tokens=total.completion_tokens + more.completion_tokens,
        usd=usd,
        model=more.model if total.model == more.model else "mixed",
        calls=total.calls + more.calls,
        seconds=total.seconds + more.seconds,
    )
