"""The fast sandbox, and material that a kind can work on."""

import random
from collections.abc import Callable, Iterator

import pytest
from sandboxes import sandbox_or_skip

from tdscaling_assets.code_tasks import Kind, Material
from tdscaling_assets.sandbox.protocol import Sandbox
from tdscaling_assets.schema import JsonObject
from tdscaling_assets.settings import Settings

FIELDS = ("amount", "größe", "it's", 'a "quoted" one', "back\\slash", "{braces}", "two words")
TEXTS = ("north", "süd x", "it's", 'say "x"', "a=b", "b🙂", "back\\slash", "x{0}", "North West-Side", "a")
DAYS = ("2025-05-19", "2024-02-29T10:00:00Z", "2025-12-31 08:00", "2025-05-20")
IDENTIFIERS = ("ORD-17", "ORD-18", "x", "A-1", "ABCDEF-1", "ORD-17 ")

Draw = Callable[[Kind, random.Random], Material]


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """Bubblewrap; skipped where it cannot work, failed where CI promises it."""
    with sandbox_or_skip(Settings(sandbox="bubblewrap")) as opened:
        yield opened


@pytest.fixture(scope="session")
def draw_material() -> Draw:
    """Makes material of odd names and values that fits the kind."""

    def draw(kind: Kind, rng: random.Random) -> Material:
        if kind.fields is None:
            assert kind.draw is not None
            return Material(facts=kind.draw(rng, ["get_order", "list_items", "add_line"]))
        for _ in range(400):
            field = rng.choice(("order id", *FIELDS))
            values = _values(rng)
            rows: list[JsonObject] = [{field: values(), "other": None} for _ in range(rng.randint(2, 12))]
            if field in kind.fields(rows):
                return Material(field=field, rows=tuple(rows))
        raise AssertionError(f"nothing drawn fits {kind.name}")

    return draw


def _values(rng: random.Random) -> Callable[[], int | float | str]:
    """Draws values of one sort."""
    sorts: tuple[Callable[[], int | float | str], ...] = (
        lambda: rng.choice((rng.randint(-999, 999), 0, 10**12)),
        lambda: rng.randint(1, 40),
        lambda: round(rng.uniform(-999, 999), rng.randint(1, 4)),
        lambda: round(rng.uniform(0.001, 99), 3),
        lambda: rng.choice(TEXTS),
        lambda: rng.choice(DAYS),
        lambda: rng.choice(IDENTIFIERS[:5]),
    )
    return rng.choice(sorts)
