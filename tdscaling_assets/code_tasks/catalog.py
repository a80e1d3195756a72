"""All kinds of code step, by name and by family."""

from tdscaling_assets.code_tasks import functions, logs, rows, sql
from tdscaling_assets.code_tasks.kinds import Kind

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (*rows.KINDS, *logs.KINDS, *functions.WRITTEN, *functions.REPAIRED, *sql.KINDS)
}

FAMILIES: dict[str, tuple[Kind, ...]] = {
    family: tuple(kind for kind in KINDS.values() if kind.family == family)
    for family in dict.fromkeys(kind.family for kind in KINDS.values())
}
"""aggregate, clean, validate, simulate, parse_log, write_function, repair_test, sql."""
