"""A weight is what its evidence adds up to."""

import pytest

from tdscaling_assets.evidence import is_telling, weight_of


@pytest.mark.parametrize(
    ("evidence", "weight"),
    [
        ("entity_key:order_id idf=2.5 same_server", 2.5),
        ("entity_key:order_id idf=2.5 same_server by_noun×0.8 lifecycle:list>get×1.5", 3.0),
        ("entity_key:order_id idf=2.5 same_format:^A×2 [0-9]+$×0.6 optional×0.5", 0.75),
    ],
)
def test_a_weight_is_the_rarity_times_every_factor(evidence: str, weight: float) -> None:
    assert weight_of(evidence) == pytest.approx(weight)


def test_a_text_without_rarity_is_no_evidence() -> None:
    with pytest.raises(ValueError, match="idf"):
        weight_of("entity_key:order_id same_server")


def test_a_format_is_telling_when_it_starts_with_letters() -> None:
    assert [is_telling(pattern) for pattern in ("^ORD-[0-9]+$", "^[0-9a-f]{32}$", "")] == [True, False, False]
