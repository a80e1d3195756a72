"""What the last harvest left in the lake in, what the next one needs of it out: tools, records, versions, sources."""

from collections import defaultdict
from dataclasses import dataclass, field

from tdscaling_assets.schema import RejectedTool, Tool, ToolSource
from tdscaling_assets.storage.lake import Lake

VersionKey = tuple[str, str]
"""tool_id and content_hash."""


@dataclass(frozen=True)
class VersionMark:
    """A stored version, without its texts."""

    record_hash: str
    first_seen: str
    last_seen: str | None


@dataclass(frozen=True)
class State:
    """The last harvest; empty before the first. `tools` are by id, also those that are gone."""

    tools: dict[str, Tool] = field(default_factory=dict)
    rejected: tuple[RejectedTool, ...] = ()
    versions: dict[VersionKey, VersionMark] = field(default_factory=dict)
    sources: dict[tuple[str, str], ToolSource] = field(default_factory=dict)

    def by_record(self) -> dict[str, list[Tool]]:
        """Tools by the digest of the record that they were made of, in order of id."""
        found: dict[str, list[Tool]] = defaultdict(list)
        for tool in self.tools.values():
            mark = self.versions.get((tool.tool_id, tool.content_hash))
            if mark is not None:
                found[mark.record_hash].append(tool)
        return found

    def owned(self, source: str, server: str | None) -> list[Tool]:
        """The present tools of that source, or of that server of it."""
        return [
            tool
            for tool in self.tools.values()
            if tool.present and tool.source == source and server in (None, tool.server)
        ]


def read_state(lake: Lake) -> State:
    """The state that the lake holds."""
    marks = lake.read(
        "tool_versions", columns=["tool_id", "content_hash", "record_hash", "first_seen", "last_seen"]
    ).iter_rows()
    return State(
        tools={tool.tool_id: tool for tool in lake.records("tool_catalog", Tool)},
        rejected=tuple(lake.records("rejected_tools", RejectedTool)),
        versions={(tool_id, content): VersionMark(*rest) for tool_id, content, *rest in marks},
        sources={(one.source, one.server): one for one in lake.records("tool_sources", ToolSource)},
    )
