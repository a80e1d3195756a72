"""Batch keys: `r01-b01` is the first batch of the first round. Order is by number, not by text."""

import re
from collections.abc import Iterable

from tdscaling_assets.errors import ConfigError

_KEY = re.compile(r"r(\d{2,})-b(\d{2,})")


def batch_key(round_number: int, batch_number: int) -> str:
    """The key of a batch; both numbers count from 1."""
    return f"r{round_number:02d}-b{batch_number:02d}"


def parse_key(key: str) -> tuple[int, int]:
    """(round, batch) of a key; raises ConfigError when it is not one."""
    match = _KEY.fullmatch(key)
    if match is None:
        raise ConfigError(f"{key!r} is not a batch key: write round and batch as in r01-b01")
    return int(match[1]), int(match[2])


def round_of(key: str) -> str:
    """The round a batch belongs to: `r01-b02` → `r01`."""
    return f"r{parse_key(key)[0]:02d}"


def newest(keys: Iterable[str]) -> str | None:
    """The last batch of the newest round, None when there is none."""
    return max(keys, key=parse_key, default=None)


def next_batch(keys: Iterable[str]) -> str:
    """The next batch of the newest round; `r01-b01` when there is none."""
    last = newest(keys)
    if last is None:
        return batch_key(1, 1)
    round_number, batch_number = parse_key(last)
    return batch_key(round_number, batch_number + 1)


def next_round(keys: Iterable[str]) -> str:
    """The first batch of the round after the newest; `r01-b01` when there is none."""
    last = newest(keys)
    return batch_key(1 if last is None else parse_key(last)[0] + 1, 1)
