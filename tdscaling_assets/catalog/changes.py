"""A harvest and what the last one left in, what changed out: counts, and the rejections by reason."""

import re
from collections import Counter

from tdscaling_assets.catalog.harvest import Catalog
from tdscaling_assets.catalog.state import State
from tdscaling_assets.schema import Record, Tool

REASONS_SHOWN = 5
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


class Changes(Record):
    """Tools by what happened to them since the last harvest; a tool that came back is new. `unreachable` are servers
    whose last known tools stay."""

    new: int
    changed: int
    unchanged: int
    gone: int
    rejected: int
    unreachable: int


def find_changes(state: State, catalog: Catalog) -> Changes:
    """What the harvest changed."""
    old = {tool_id: tool for tool_id, tool in state.tools.items() if tool.present}
    present = [tool for tool in catalog.tools if tool.present]
    known = [tool for tool in present if tool.tool_id in old]
    changed = sum(_says_and_runs(old[tool.tool_id]) != _says_and_runs(tool) for tool in known)
    return Changes(
        new=len(present) - len(known),
        changed=changed,
        unchanged=len(known) - changed,
        gone=len(old) - len(known),
        rejected=len(catalog.rejected),
        unreachable=sum(bool(source.failure) for source in catalog.sources),
    )


def _says_and_runs(tool: Tool) -> tuple[str, str]:
    return tool.content_hash, tool.executor


def copy_counts(catalog: Catalog) -> dict[str, int]:
    """Present tools: canonical ones, their exact copies and their near copies, and the tools that are gone."""
    by_id = {tool.tool_id: tool for tool in catalog.tools}
    first: dict[str, int] = Counter(tool.content_hash for tool in catalog.tools if tool.present)
    canonical = sum(tool.present and tool.canonical_id is None for tool in by_id.values())
    present = sum(tool.present for tool in by_id.values())
    exact = present - len(first)
    return {
        "canonical_tools": canonical,
        "exact_copies": exact,
        "near_copies": present - canonical - exact,
        "absent_tools": len(by_id) - present,
    }


def rejections_by_reason(catalog: Catalog) -> list[tuple[str, int]]:
    """Kinds of reasons (what stands before the first colon, without names) and how often, most frequent first."""
    kinds = Counter(_QUOTED.sub("…", one.reason).split(":")[0] for one in catalog.rejected)
    return sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
