"""A steered round: over-produced blueprints are chosen or stored as less novel; a person's plan file is followed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tdscaling_assets.schema import Blueprint, RoundPlan
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.queries import plan_of
from tdscaling_assets.storage.summaries import outcomes

SIZE = 24


def open_lake(home: Path) -> Lake:
    return Lake.open(Settings(home=home, catalog="", lake_data=""), read_only=True)


def test_planned_messages_are_those_of_the_blueprints(home: Path) -> None:
    with open_lake(home) as lake:
        told = dict(outcomes(lake).group_by("batch").agg("planned_messages").iter_rows())
        blueprints = lake.records("blueprints", Blueprint)
    for batch, numbers in told.items():
        assert sorted(numbers) == sorted(one.planned_messages for one in blueprints if one.batch == batch)
    assert len(told) > 1


def test_a_later_round_chooses_a_quarter_of_what_it_draws_and_keeps_the_rest_with_a_reason(home: Path) -> None:
    with open_lake(home) as lake:
        chosen = lake.read("blueprints", batch="r02-b01")
        left = lake.query("SELECT * FROM rejected_blueprints WHERE batch = 'r02-b01' AND reason = 'less_novel'")
    assert (chosen.height, left.height) == (SIZE, 3 * SIZE)
    assert not set(chosen["blueprint_id"]) & set(left["blueprint_id"])
    assert left["detail"].str.contains(r"would add -?\d+\.\d{3} bits per message; those chosen add at least -?\d").all()


def test_a_first_round_chooses_all_that_it_draws(home: Path) -> None:
    with open_lake(home) as lake:
        assert lake.query("SELECT * FROM rejected_blueprints WHERE round = 'r01' AND reason = 'less_novel'").is_empty()


def test_a_steered_batch_has_more_modes_than_one_that_is_not(home: Path) -> None:
    sql = "SELECT batch, count(DISTINCT target_mode) AS modes FROM blueprints GROUP BY batch"
    with open_lake(home) as lake:
        modes = dict(lake.query(sql).iter_rows())
    assert modes["r02-b01"] > 1.5 * modes["r01-b02"]


def test_every_decision_of_a_stored_plan_has_its_sentence(home: Path) -> None:
    with open_lake(home) as lake:
        plan = plan_of(lake, "r02-b01")
    assert plan is not None
    assert set(plan.reasons) == {
        "domain_weights",
        "cluster_weights",
        "mode_weights",
        "mode_targets",
        "operator_weights",
        "cac_target",
        "temperature",
        "candidates",
    }
    assert set(plan.reasons) <= set(RoundPlan.model_fields)


@pytest.fixture
def start_round(young_copy: Path, tds: Callable[..., object]) -> Callable[[str], tuple[int, str]]:
    """Runs `tds round --plan` with a file of that text: exit code and standard error."""

    def start(text: str) -> tuple[int, str]:
        file = young_copy.parent / "plan.yaml"
        file.write_text(text, encoding="utf-8")
        process = tds(young_copy, "round", "--size", "10", "--plan", str(file))
        _, told = process.communicate()  # type: ignore[attr-defined]
        return process.returncode, told  # type: ignore[attr-defined]

    return start


def test_a_plan_file_overrides_the_round(start_round: Callable[[str], tuple[int, str]], young_copy: Path) -> None:
    text = 'domain_weights: {banking: 2, travel: 2}\nmode_targets: {"clarify>act>answer": 1}\ncandidates: 2\n'
    assert start_round("cac_target: -1")[0] == 1
    assert start_round(text)[0] == 0  # nothing of the refused round is in the way
    with open_lake(young_copy) as lake:
        plan = plan_of(lake, "r02-b01")
        domains = set(lake.read("blueprints", batch="r02-b01", columns=["domain"])["domain"])
    assert plan is not None
    assert plan.domain_weights == {"banking": 0.5, "travel": 0.5}
    assert plan.candidates == 2.0 and plan.reasons["candidates"].startswith("Set by hand in ")
    assert domains == {"banking", "travel"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("domain_weights: {lawn: 1}", "domain_weights has 'lawn': it must be one of"),
        ("cac_target: [", "cannot be read"),
        ("- cac_target", "write fields of a plan"),
    ],
)
def test_a_plan_file_that_cannot_be_followed_starts_nothing(
    start_round: Callable[[str], tuple[int, str]], young_copy: Path, text: str, sentence: str
) -> None:
    code, told = start_round(text)
    assert code == 1 and sentence in told and len(told.splitlines()) == 1
    with open_lake(young_copy) as lake:
        assert plan_of(lake, "r02-b01") is None
