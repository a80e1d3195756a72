"""Promises of summaries.py, against rows counted by hand."""

from collections.abc import Iterator

import pytest

from tdscaling_assets.schema import Blueprint, Lineage, Message, Record, RoundPlan, ToolCall, Trajectory, Usage, Verdict
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage import summaries
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.rows import to_frame

EARLY, LATE, NEXT_ROUND = "r01-b99", "r01-b100", "r02-b01"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, samples: dict[str, list[Record]]) -> Iterator[Lake]:
    """Early: a and b, of which a is kept. Late: c, kept. Next round: d, e and f, none kept."""
    plan = next(record for record in samples["evolution_plan"] if isinstance(record, RoundPlan))
    with Lake.open(Settings(home=tmp_path_factory.mktemp("home"), catalog="", lake_data="")) as lake:
        write(lake, EARLY, [talk("a", EARLY), talk("b", EARLY)], [refuse("b", 2, "grounding", "no such order")])
        write(lake, LATE, [talk("c", LATE)], [])
        write(
            lake,
            NEXT_ROUND,
            [talk(name, NEXT_ROUND) for name in "def"],
            [
                refuse("d", 5, "near_duplicate", "like a"),
                refuse("e", 1, "length", "too short"),
                refuse("f", 5, "near_duplicate", "like a"),
            ],
        )
        for batch, reason in ((EARLY, "first"), (LATE, "repeated")):
            plans = [plan.model_copy(update={"reason": reason})]
            lake.write({"evolution_plan": to_frame("evolution_plan", plans, batch=batch)}, batch=batch, message="t")
        yield lake


def write(lake: Lake, batch: str, raw: list[Trajectory], refusals: list[Verdict]) -> None:
    refused = {verdict.trajectory_id for verdict in refusals}
    kept = [one for one in raw if one.trajectory_id not in refused]
    approvals = [Verdict(trajectory_id=one.trajectory_id, position=0, rule="completed", keep=True) for one in raw]
    frames = {
        "raw_trajectories": to_frame("raw_trajectories", raw),
        "filtered_trajectories": to_frame("filtered_trajectories", kept),
        "verdicts": to_frame("verdicts", [*approvals, *refusals], batch=batch),
    }
    lake.write(frames, batch=batch, message="test")


def talk(name: str, batch: str) -> Trajectory:
    calls = tuple(ToolCall(id=f"{name}{tool}", name=tool, arguments="{}") for tool in ("shop_find", "shop_get"))
    return Trajectory(
        trajectory_id=name,
        round=batch[:3],
        batch=batch,
        blueprint_id=f"of-{name}",
        cluster_id="c1",
        domain="retail",
        tools=("shop_find", "shop_get", "shop_cancel"),
        messages=(
            Message(role="user", content="Hello"),
            Message(role="assistant", tool_calls=calls),
            Message(role="assistant", tool_calls=(ToolCall(id=f"{name}3", name="shop_cancel", arguments="{}"),)),
            Message(role="assistant", content="Done."),
        ),
        labels=("parallel", "act", "answer"),
        mode=("parallel", "act", "answer"),
        cac=4.5,
        unused_calls=1,
        outcome="completed",
        usage=Usage(prompt_tokens=10, completion_tokens=5, usd=None, model=f"model-{batch}", calls=3),
        lineage=Lineage(operators=("verify", "guard")),
        seed=1,
    )


def refuse(name: str, position: int, rule: str, reason: str) -> Verdict:
    return Verdict(trajectory_id=name, position=position, rule=rule, keep=False, reason=reason)


def test_outcomes_has_one_row_per_raw_trajectory_that_says_whether_it_was_kept(filled: Lake) -> None:
    rows = summaries.outcomes(filled)
    assert rows["trajectory_id"].to_list() == ["a", "b", "c", "d", "e", "f"]
    assert rows.filter("kept")["trajectory_id"].to_list() == ["a", "c"]


def test_outcomes_flattens_mode_operators_and_cost(filled: Lake) -> None:
    row = summaries.outcomes(filled).row(0, named=True)
    assert (row["round"], row["batch"], row["domain"], row["cac"]) == ("r01", EARLY, "retail", 4.5)
    assert row["mode"] == "parallel>act>answer"
    assert row["labels"] == ["parallel", "act", "answer"]
    assert row["operators"] == ["verify", "guard"]
    assert (row["calls"], row["tokens"], row["usd"]) == (3, 15, None)


def test_outcomes_before_a_batch_counts_batches_by_number(filled: Lake) -> None:
    assert summaries.outcomes_before(filled, LATE)["trajectory_id"].to_list() == ["a", "b"]
    assert summaries.outcomes_before(filled, EARLY).is_empty()


def test_kept_measures_list_the_calls_of_a_conversation_in_order(filled: Lake) -> None:
    rows = summaries.kept_measures(filled)
    assert rows["trajectory_id"].to_list() == ["a", "c"]
    assert rows["calls"].to_list() == [["shop_find", "shop_get", "shop_cancel"]] * 2
    assert rows["mode"].to_list()[0] == ["parallel", "act", "answer"]
    assert rows["unused_calls"].to_list() == [1, 1]


def test_final_states_compare_completed_runs_with_what_their_blueprints_foretell(
    lake: Lake, samples: dict[str, list[Record]]
) -> None:
    """a agrees, b does not, c did not complete, of d nothing is foretold, e ended in a state that nobody noted."""
    plan = next(record for record in samples["blueprints"] if isinstance(record, Blueprint))
    ends = {"a": "0a", "b": "0b", "c": "0a", "d": None, "e": None}
    foretold = {"a": "0a", "b": "0a", "c": "0a", "d": None, "e": "0a"}
    raw = [talk(name, EARLY).model_copy(update={"final_digest": end}) for name, end in ends.items()]
    raw[2] = raw[2].model_copy(update={"outcome": "failed"})
    plans = [
        plan.model_copy(update={"blueprint_id": f"of-{name}", "batch": EARLY, "expected_digest": end})
        for name, end in foretold.items()
    ]
    frames = {"raw_trajectories": to_frame("raw_trajectories", raw), "blueprints": to_frame("blueprints", plans)}
    lake.write(frames, batch=EARLY, message="test")
    assert summaries.final_states(lake).rows(named=True) == [{"batch": EARLY, "checkable": 3, "agreeing": 1}]


def test_counts_per_batch_are_in_batch_order(filled: Lake) -> None:
    rows = summaries.counts_per_batch(filled)
    assert rows.columns == ["batch", "blueprints", "rejected_blueprints", "raw", "kept"]
    assert rows.select("batch", "raw", "kept").rows() == [(EARLY, 2, 1), (LATE, 1, 1), (NEXT_ROUND, 3, 0)]


def test_rejections_count_refusals_only_with_rules_in_funnel_order(filled: Lake) -> None:
    assert summaries.rejections(filled).rows() == [
        (EARLY, "grounding", "no such order", 1),
        (NEXT_ROUND, "length", "too short", 1),
        (NEXT_ROUND, "near_duplicate", "like a", 2),
    ]


def test_the_plan_of_a_round_is_that_of_its_first_batch(filled: Lake) -> None:
    plan = summaries.plan_of_round(filled, "r01")
    assert plan is not None
    assert plan.reason == "first"
    assert summaries.plan_of_round(filled, "r02") is None


def test_the_last_plan_before_a_batch_is_that_of_the_newest_earlier_batch(filled: Lake) -> None:
    plan = summaries.last_plan_before(filled, NEXT_ROUND)
    assert plan is not None
    assert plan.reason == "repeated"
    assert summaries.last_plan_before(filled, EARLY) is None


def test_batches_until_a_batch_end_with_it_even_when_it_kept_nothing(filled: Lake) -> None:
    assert summaries.batches_until(filled, NEXT_ROUND) == [EARLY, LATE, NEXT_ROUND]
    assert summaries.batches_until(filled, EARLY) == [EARLY]


def test_speaking_models_are_sorted_and_named_once(filled: Lake) -> None:
    assert summaries.speaking_models(filled) == (f"model-{LATE}", f"model-{EARLY}", f"model-{NEXT_ROUND}")


def test_an_empty_lake_has_no_rows_and_no_plan(lake: Lake) -> None:
    frames = (summaries.outcomes, summaries.kept_measures, summaries.counts_per_batch, summaries.rejections)
    assert [read(lake).height for read in frames] == [0, 0, 0, 0]
    assert summaries.plan_of_round(lake, "r01") is None
    assert summaries.speaking_models(lake) == ()
