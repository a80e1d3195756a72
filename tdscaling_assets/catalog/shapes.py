"""A tool's input schema in draft 2020-12 in, one whose parameters stand at its root out; sizes are measured here too.

What functions take is read from the root's `properties` and `required`, here as in function-calling APIs. So what
stands behind a `$ref`, an `allOf`, or in the branches of an `anyOf` or `oneOf` at the root is brought up. Two slips of
real servers are repaired: a schema wrapped in `properties`, and entries of `required` that name no parameter.
"""

from pydantic import JsonValue

from tdscaling_assets.schema import JsonObject

_HOPS = 8


def unwrapped(schema: JsonObject) -> JsonObject:
    """The schema, out of the `properties` that some generators wrap it in: `{"properties": {"type": "object", …}}`."""
    inner = schema.get("properties")
    if isinstance(inner, dict) and inner.get("type") == "object" and isinstance(inner.get("properties"), dict):
        return inner
    return schema


def with_parameters_at_root(schema: JsonObject) -> JsonObject:
    """An object schema that takes the same calls, with all parameters in `properties` and none but those `required`.

    A parameter of only some branches of a choice is optional at the root; the choice itself stays.
    """
    whole = _merged(schema, schema, 0)
    properties: JsonObject = dict(_mapping(whole.get("properties")))
    variants: dict[str, list[JsonValue]] = {}
    for choice in ("anyOf", "oneOf"):
        for branch in _listing(whole.get(choice)):
            for name, part in _mapping(_merged(branch, schema, 0).get("properties")).items():
                if name not in properties and part not in variants.setdefault(name, []):
                    variants[name].append(part)
    for name, parts in variants.items():
        properties[name] = parts[0] if len(parts) == 1 else {"anyOf": parts}
    whole = {"type": "object"} | whole | {"properties": properties}
    if "required" in whole:
        known = [name for name in dict.fromkeys(_names(whole["required"])) if name in properties]
        whole["required"] = [*known]
    return whole


def measure_json(value: JsonValue) -> tuple[int, int]:
    """Levels of objects and lists, and named properties at all levels; without recursion."""
    deepest, total, left = 0, 0, [(value, 1)]
    while left:
        item, level = left.pop()
        if isinstance(item, dict):
            named = item.get("properties")
            total += len(named) if isinstance(named, dict) else 0
            left += [(part, level + 1) for part in item.values() if isinstance(part, dict | list)]
        elif isinstance(item, list):
            left += [(part, level + 1) for part in item if isinstance(part, dict | list)]
        deepest = max(deepest, level)
    return deepest, total


def _merged(schema: JsonValue, root: JsonObject, hops: int) -> JsonObject:
    """The schema with its own `$ref` and `allOf` taken in; references that lead in circles end."""
    if not isinstance(schema, dict):
        return {}
    reference = schema.get("$ref")
    parts = [_target(reference, root)] if isinstance(reference, str) else []
    parts += _listing(schema.get("allOf"))
    if not parts or hops > _HOPS:
        return schema
    merged = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
    left: list[JsonValue] = []
    for part in (_merged(part, root, hops + 1) for part in parts):
        shared = {**_mapping(part.get("properties")), **_mapping(merged.get("properties"))}
        needed = [*_names(merged.get("required")), *_names(part.get("required"))]
        if any(key in merged and merged[key] != value for key, value in part.items() if key not in _JOINED):
            left.append(part)
        else:
            merged = part | merged
        clashes = _mapping(part.get("properties")).items()
        if any(shared[name] != value for name, value in clashes) and part not in left:
            left.append(part)
        merged |= {"properties": shared, "required": list(dict.fromkeys(needed))}
    return merged | ({"allOf": left} if left else {})


_JOINED = ("properties", "required", "title", "description", "$defs")


def _target(reference: str, root: JsonObject) -> JsonValue:
    value: JsonValue = root
    for part in reference.removeprefix("#").split("/")[1:]:
        value = _mapping(value).get(part.replace("~1", "/").replace("~0", "~"))
    return value


def _mapping(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _listing(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _names(value: JsonValue) -> list[str]:
    return [name for name in _listing(value) if isinstance(name, str)]
