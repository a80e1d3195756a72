"""JSON value and dotted path (`orders.0.order_id`) in, value out; a pattern (`orders[].order_id`) matches any index."""

from pydantic import JsonValue


def value_at(value: JsonValue, path: str) -> JsonValue:
    """The value at a concrete path; an empty path is the value itself. KeyError when there is none."""
    for part in path.split(".") if path else ():
        if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, dict) and part in value:
            value = value[part]
        else:
            raise KeyError(path)
    return value


def concrete_paths(value: JsonValue, pattern: str) -> list[str]:
    """All concrete paths in the value that match the pattern and hold a scalar."""
    found = [("", value)]
    for part in pattern.replace("[]", ".[]").removeprefix(".").split(".") if pattern else ():
        found = [step for path, inner in found for step in _steps(path, inner, part)]
    return [path for path, inner in found if inner is not None and not isinstance(inner, dict | list)]


def _steps(path: str, value: JsonValue, part: str) -> list[tuple[str, JsonValue]]:
    prefix = f"{path}." if path else ""
    if part == "[]":
        return [(f"{prefix}{index}", item) for index, item in enumerate(value)] if isinstance(value, list) else []
    return [(f"{prefix}{part}", value[part])] if isinstance(value, dict) and part in value else []
