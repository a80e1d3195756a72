"""What a call of a code tool printed in, the one line that an answer tells out."""

from pydantic import JsonValue

from tdscaling_assets.schema import JsonObject, parse_object


def result_line(printed: str) -> str:
    """A verdict of tests as `3 passed, 1 failed`, the rows of a query as `cell=cell` joined by `, `, all else as it
    is."""
    told = parse_object(printed)
    if told is not None and isinstance(told.get("tests"), list):
        return _verdict(told)
    if told is not None and isinstance(rows := told.get("rows"), list):
        return ", ".join("=".join(map(str, _cells(row))) for row in rows)
    return printed.strip()


def _verdict(told: JsonObject) -> str:
    bad = sum(count for key in ("failed", "errors") if isinstance(count := told.get(key), int))
    return f"{told.get('passed')} passed" + (f", {bad} failed" if bad else "")


def _cells(row: JsonValue) -> list[JsonValue]:
    return row if isinstance(row, list) else [row]
