"""Promises of queries.py: each named read answers from the batches it says, in numeric order."""

from collections.abc import Iterator

import pytest

from tdscaling_assets.schema import Blueprint, MetricRow, Record, RoundPlan, TrainingRow, Trajectory, Verdict
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage import queries
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.rows import CHUNK_ROWS, to_frame

BATCHES = ["r01-b99", "r01-b100", "r02-b01"]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, samples: dict[str, list[Record]]) -> Iterator[Lake]:
    """Three batches: two conversations each, of which one is kept; one blueprint rejected; two metrics."""
    with Lake.open(Settings(home=tmp_path_factory.mktemp("home"), catalog="", lake_data="")) as lake:
        fill(lake, samples)
        yield lake


def fill(lake: Lake, samples: dict[str, list[Record]]) -> None:
    for number, batch in enumerate(BATCHES):
        raw = [record.model_copy(update={"batch": batch}) for record in samples["raw_trajectories"]]
        tables: dict[str, list[Record]] = {
            "blueprints": [
                record.model_copy(update={"batch": batch, "cluster_id": f"c{number}"})
                for record in samples["blueprints"]
                if isinstance(record, Blueprint)
            ],
            "rejected_blueprints": [r.model_copy(update={"batch": batch}) for r in samples["rejected_blueprints"]],
            "pending_blueprints": [r.model_copy(update={"batch": batch}) for r in samples["pending_blueprints"]],
            "raw_trajectories": raw,
            "filtered_trajectories": raw[:1],
            "diversity_report": [
                MetricRow(batch=batch, scope=scope, metric=metric, value=number, n=2)
                for scope in ("batch", "cumulative")
                for metric in ("h_mode", "h_dom")
            ],
        }
        verdicts = [Verdict(trajectory_id="t2", position=i, rule=f"rule{i}", keep=False) for i in range(2)]
        frames = {name: to_frame(name, records) for name, records in tables.items()}
        frames["verdicts"] = to_frame("verdicts", [*verdicts, *samples["verdicts"][:1]], batch=batch)
        if number:
            frames["evolution_plan"] = to_frame("evolution_plan", samples["evolution_plan"], batch=batch)
        lake.write(frames, batch=batch, message="fixture")


def test_metric_history_is_one_scope_in_batch_order(filled: Lake) -> None:
    history = queries.metric_history(filled, "cumulative")
    assert history.columns == ["batch", "metric", "value", "ci_low", "ci_high", "n"]
    assert history.select("batch", "metric", "value").rows() == [
        (batch, metric, float(number)) for number, batch in enumerate(BATCHES) for metric in ("h_dom", "h_mode")
    ]


def test_reported_batches_are_in_numeric_order(filled: Lake) -> None:
    assert queries.reported_batches(filled) == BATCHES


def test_batch_counts_count_a_trajectory_with_two_rejections_once(filled: Lake) -> None:
    assert queries.batch_counts(filled, "r02-b01") == {
        "blueprints": 2,
        "rejected_blueprints": 1,
        "pending_blueprints": 1,
        "raw_trajectories": 2,
        "rejected_trajectories": 1,
        "filtered_trajectories": 1,
    }


def test_batch_counts_of_an_unknown_batch_are_zero(filled: Lake) -> None:
    assert set(queries.batch_counts(filled, "r09-b09").values()) == {0}


def test_kept_before_leaves_out_the_batch_itself_and_later_ones(filled: Lake, trajectory: Trajectory) -> None:
    kept = list(queries.kept_before(filled, "r02-b01"))
    assert kept == [trajectory.model_copy(update={"batch": batch}) for batch in ("r01-b99", "r01-b100")]
    assert not list(queries.kept_before(filled, "r01-b99"))


def test_a_sample_of_kept_blueprints_is_some_of_the_earlier_ones_and_is_up_to_the_seed(
    lake: Lake, trajectory: Trajectory, samples: dict[str, list[Record]]
) -> None:
    first = samples["blueprints"][0]
    made = [first.model_copy(update={"blueprint_id": f"p{number}"}) for number in range(20)]
    kept = [trajectory.model_copy(update={"trajectory_id": f"t{n}", "blueprint_id": f"p{n}"}) for n in range(0, 20, 2)]
    frames = {
        "blueprints": to_frame("blueprints", made),
        "filtered_trajectories": to_frame("filtered_trajectories", kept),
    }
    lake.write(frames, batch="r01-b01", message="fixture")
    every = queries.sample_kept_blueprints(lake, "r01-b02", 99, seed=1)
    assert {one.blueprint_id for one in every} == {one.blueprint_id for one in kept}
    drawn = [queries.sample_kept_blueprints(lake, "r01-b02", 3, seed) for seed in (1, 1, 2)]
    assert [len(one) for one in drawn] == [3, 3, 3]
    assert drawn[0] == drawn[1] != drawn[2]
    assert all(one in every for one in drawn[0])
    assert queries.sample_kept_blueprints(lake, "r01-b01", 3, seed=1) == []


def test_plan_of_a_batch_is_its_plan_or_none(filled: Lake, samples: dict[str, list[Record]]) -> None:
    plan = queries.plan_of(filled, "r02-b01")
    assert isinstance(plan, RoundPlan)
    assert plan == samples["evolution_plan"][0]
    assert queries.plan_of(filled, "r01-b99") is None


def test_named_rows_are_those_of_the_ids_and_no_others(filled: Lake, trajectory: Trajectory) -> None:
    assert {one.batch for one in queries.named_trajectories(filled, [trajectory.trajectory_id])} == set(BATCHES)
    assert {one.trajectory_id for one in queries.named_verdicts(filled, ["t2"])} == {"t2"}
    assert queries.named_verdicts(filled, ["nobody"]) == queries.named_trajectories(filled, []) == []


def test_chosen_trajectories_come_in_the_order_of_the_training_set(lake: Lake, trajectory: Trajectory) -> None:
    kept = [trajectory.model_copy(update={"trajectory_id": f"t{number}"}) for number in range(CHUNK_ROWS + 2)]
    order = [
        TrainingRow(order=number, trajectory_id=one.trajectory_id, gain=0) for number, one in enumerate(kept[::-1])
    ]
    lake.write({"filtered_trajectories": to_frame("filtered_trajectories", kept)}, batch="r01-b01", message="kept")
    lake.write({"training_set": to_frame("training_set", order)}, batch=None, message="chosen")
    assert list(queries.chosen_trajectories(lake)) == kept[::-1]
    assert list(queries.chosen_trajectories(lake, sorted_rows=100)) == kept[::-1]
    assert queries.count_gone_choices(lake) == 0
    lake.write({"filtered_trajectories": to_frame("filtered_trajectories", kept[2:])}, batch="r01-b01", message="fewer")
    assert queries.count_gone_choices(lake) == 2
