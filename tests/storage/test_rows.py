"""Promises of rows.py: records survive frames unchanged, and frames have the declared types whatever they hold."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdscaling_assets.errors import StorageError
from tdscaling_assets.schema import Failure, Message, MetricRow, Record, Step, Tool, ToolCall, Trajectory, Verdict
from tdscaling_assets.storage.rows import frame_schema, from_frame, to_frame
from tdscaling_assets.storage.tables import TABLES

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.lists(st.text(max_size=6), max_size=3).map(tuple)
CALLS = st.builds(ToolCall, id=st.text(max_size=4), name=st.text(max_size=4), arguments=st.text(max_size=9))
MESSAGES = st.builds(
    Message,
    content=st.none() | st.text(max_size=12),
    reasoning=st.none() | st.text(max_size=5),
    tool_calls=st.lists(CALLS, max_size=2).map(tuple),
    tool_call_id=st.none() | st.text(max_size=4),
    name=st.none() | st.text(max_size=4),
)


def extras(table: str) -> dict[str, str]:
    return {"batch": "r01-b01"} if table in ("verdicts", "evolution_plan") else {}


@pytest.mark.parametrize("table", TABLES)
def test_every_record_comes_back_equal(table: str, samples: dict[str, list[Record]]) -> None:
    frame = to_frame(table, samples[table], **extras(table))
    assert from_frame(TABLES[table].record, frame) == samples[table]


@pytest.mark.parametrize("table", TABLES)
def test_the_schema_is_declared_with_and_without_rows(table: str, samples: dict[str, list[Record]]) -> None:
    schema = pl.Schema(frame_schema(table))
    assert to_frame(table, samples[table], **extras(table)).schema == schema
    assert to_frame(table, [], **extras(table)).schema == schema


def test_a_column_of_nulls_keeps_its_type() -> None:
    frame = to_frame("verdicts", [Verdict(trajectory_id="t", position=0, rule="r", keep=True)], batch="r01-b01")
    assert frame.schema["score"] == pl.Float64
    assert frame["score"].to_list() == [None]


@settings(max_examples=60, deadline=None)
@given(
    messages=st.lists(MESSAGES, max_size=3).map(tuple),
    labels=NAMES,
    failure=st.none() | st.builds(Failure, kind=st.text(max_size=4), detail=st.text(max_size=4)),
    versions=st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2),
    seed=st.integers(-(2**63), 2**63 - 1),
    cac=st.floats(allow_nan=False),
)
def test_any_trajectory_comes_back_equal(
    messages: tuple[Message, ...],
    labels: tuple[str, ...],
    failure: Failure | None,
    versions: dict[str, str],
    seed: int,
    cac: float,
) -> None:
    trajectory = Trajectory(
        trajectory_id="t",
        round="r01",
        batch="r01-b01",
        blueprint_id="p",
        cluster_id="c",
        domain="d",
        tools=labels,
        messages=messages,
        labels=labels,
        mode=labels,
        cac=cac,
        outcome="completed",
        failure=failure,
        seed=seed,
        versions=versions,
    )
    assert from_frame(Trajectory, to_frame("raw_trajectories", [trajectory])) == [trajectory]


@settings(max_examples=60, deadline=None)
@given(schema=st.dictionaries(st.text(max_size=5), JSON, max_size=3))
def test_any_json_comes_back_equal_with_its_keys_in_order(schema: dict[str, object]) -> None:
    tool = Tool.model_validate(
        {"input_schema": schema, "executor": "mcp"}
        | dict.fromkeys(["tool_id", "server", "name", "description", "domain", "source", "content_hash"], "x")
    )
    (back,) = from_frame(Tool, to_frame("tool_catalog", [tool]))
    assert back == tool
    assert list(back.input_schema) == list(tool.input_schema)


def test_lone_surrogates_become_replacement_characters(trajectory: Trajectory) -> None:
    message = Message(role="user", content="a\ud800b")
    frame = to_frame("raw_trajectories", [trajectory.model_copy(update={"messages": (message,)})])
    assert from_frame(Trajectory, frame)[0].messages[0].content == "a�b"


def test_a_column_that_no_one_fills_is_named() -> None:
    with pytest.raises(StorageError, match="verdicts has a column batch that its records lack"):
        to_frame("verdicts", [Verdict(trajectory_id="t", position=0, rule="r", keep=True)])


def test_a_value_that_does_not_fit_is_named(trajectory: Trajectory) -> None:
    with pytest.raises(StorageError, match=r"does not fit raw_trajectories\.seed \(BIGINT\)"):
        to_frame("raw_trajectories", [trajectory.model_copy(update={"seed": 2**63})])


def test_json_without_meaning_is_refused(samples: dict[str, list[Record]]) -> None:
    tool = samples["tool_catalog"][0].model_copy(update={"input_schema": {"default": float("nan")}})
    with pytest.raises(StorageError, match=r"does not fit tool_catalog\.input_schema"):
        to_frame("tool_catalog", [tool])


def test_a_frame_of_some_columns_makes_no_record() -> None:
    frame = pl.DataFrame({"batch": ["b"], "scope": ["batch"], "metric": ["m"]})
    with pytest.raises(StorageError, match="MetricRow needs the columns value, ci_low, ci_high, n"):
        from_frame(MetricRow, frame)


def test_a_row_of_another_age_is_refused_with_its_field(trajectory: Trajectory) -> None:
    frame = to_frame("raw_trajectories", [trajectory]).with_columns(outcome=pl.lit("maybe"))
    with pytest.raises(StorageError, match=r"does not make a Trajectory \(outcome: "):
        from_frame(Trajectory, frame)


def test_a_record_without_a_table_has_no_frame() -> None:
    with pytest.raises(StorageError, match="no table holds Step records"):
        from_frame(Step, pl.DataFrame())
