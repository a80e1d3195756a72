"""What a call printed becomes one line."""

import pytest

from tdscaling_assets.code_tasks import result_line


@pytest.mark.parametrize(
    ("printed", "line"),
    [
        ("12.50\n", "12.50"),
        ('{"passed": 3, "skipped": 0, "failed": 0, "errors": 0, "tests": []}', "3 passed"),
        ('{"passed": 2, "skipped": 0, "failed": 1, "errors": 1, "tests": []}', "2 passed, 2 failed"),
        ('{"columns": ["a", "n"], "rows": [["x", 2], ["y", null]], "truncated": false}', "x=2, y=None"),
        ('{"columns": ["n"], "rows": [], "truncated": false}', ""),
        ('{"total": 3}', '{"total": 3}'),
        ("", ""),
    ],
)
def test_a_result_is_one_line(printed: str, line: str) -> None:
    assert result_line(printed) == line
