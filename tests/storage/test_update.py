"""Promises of Lake.update: rows that differ are written, no others, and nothing where nothing differs."""

from tdscaling_assets.schema import RejectedTool
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.rows import to_frame


def rows(*names: str, reason: str = "why") -> dict[str, object]:
    records = [RejectedTool(source="s", name=name, raw="{}", reason=reason) for name in names]
    return {"rejected_tools": to_frame("rejected_tools", records)}


def names(lake: Lake) -> list[str]:
    return lake.read("rejected_tools")["name"].to_list()


def test_a_table_becomes_equal_to_the_frame(lake: Lake) -> None:
    lake.update(rows("a", "b", "b"), message="one")
    assert names(lake) == ["a", "b", "b"]
    assert lake.update(rows("b", "c"), message="two").rows == {"rejected_tools": 3}
    assert names(lake) == ["b", "c"]


def test_only_rows_that_differ_are_written(lake: Lake) -> None:
    lake.update(rows("a", "b"), message="one")
    update = lake.update(rows("a", "b", "c"), message="two")
    assert update.rows == {"rejected_tools": 1}
    changes = lake.query(f"SELECT name FROM lake.table_changes('rejected_tools', {update.snapshot}, {update.snapshot})")
    assert changes["name"].to_list() == ["c"]


def test_an_equal_frame_makes_no_snapshot(lake: Lake) -> None:
    first = lake.update(rows("a", "b"), message="one")
    second = lake.update(rows("b", "a"), message="two")
    assert (second.snapshot, second.rows) == (first.snapshot, {"rejected_tools": 0})
    assert lake.snapshot() == first.snapshot


def test_a_partial_frame_leaves_other_keys_alone(lake: Lake) -> None:
    lake.update(rows("a", "b"), message="one")
    lake.update(rows("c"), message="two", partial=["rejected_tools"])
    assert names(lake) == ["a", "b", "c"]
