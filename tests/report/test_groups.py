import polars as pl

from tdscaling_assets.report.groups import group_tables
from tdscaling_assets.schema import GroupRow

SCHEMA = {"ci_low": pl.Float64, "ci_high": pl.Float64}


def make_groups(
    *rows: tuple[str, str, str, float, int], batch: str = "r01-b01", scope: str = "cumulative"
) -> pl.DataFrame:
    """Rows of dimension, name, metric, value and n; mode entropies have an interval of a quarter."""
    records = [
        GroupRow.model_validate(
            {
                "batch": batch,
                "scope": scope,
                "dimension": dimension,
                "name": name,
                "metric": metric,
                "value": value,
                "n": n,
            }
            | ({"ci_low": value - 0.25, "ci_high": value + 0.25} if metric == "h_mode" else {})
        )
        for dimension, name, metric, value, n in rows
    ]
    return pl.DataFrame([record.model_dump() for record in records], schema_overrides=SCHEMA)


RETAIL = (("domain", "retail", "h_mode", 1.5, 3), ("domain", "retail", "share", 0.25, 3))


def test_the_largest_group_comes_first_with_its_figures() -> None:
    (table,) = group_tables(make_groups(*RETAIL, ("domain", "travel", "share", 0.75, 9)))

    assert table.headings == ("Kept", "Share", "Mode entropy")
    assert [(name, [cell.text for cell in cells]) for name, cells in table.rows] == [
        ("travel", ["9", "75.0%", "–"]),
        ("retail", ["3", "25.0%", "1.50"]),
    ]
    assert table.rows[1][1][2].interval == "1.25–1.75"
    assert table.rows[0][1][2].value is None


def test_operators_have_a_table_of_their_own() -> None:
    tables = group_tables(make_groups(*RETAIL, ("operator", "deepen", "cac_mean", 7.25, 4)))

    assert [(table.dimension, table.headings) for table in tables] == [
        ("domain", ("Kept", "Share", "Mode entropy")),
        ("operator", ("Kept", "Mean CAC")),
    ]


def test_only_the_newest_batch_and_what_it_accumulates_are_shown() -> None:
    old = make_groups(("domain", "old", "share", 1.0, 1), batch="r01-b99")
    alone = make_groups(("domain", "alone", "share", 1.0, 1), batch="r01-b100", scope="batch")
    new = make_groups(("domain", "new", "share", 1.0, 1), batch="r01-b100")

    (table,) = group_tables(pl.concat([new, old, alone]))

    assert [name for name, _ in table.rows] == ["new"]


def test_a_group_of_which_nothing_was_kept_is_shown_with_none() -> None:
    (table,) = group_tables(make_groups(("domain", "retail", "acceptance_rate", 0.0, 5)))

    assert [cell.text for cell in table.rows[0][1]] == ["0", "0.0%"]


def test_a_stored_number_of_kept_is_taken_as_it_is() -> None:
    (table,) = group_tables(
        make_groups(("domain", "retail", "n", 4.0, 4), ("domain", "retail", "acceptance_rate", 0.5, 8))
    )

    assert [cell.text for cell in table.rows[0][1]] == ["4", "50.0%"]


def test_no_rows_are_no_table() -> None:
    assert group_tables(make_groups(*RETAIL).clear()) == []
