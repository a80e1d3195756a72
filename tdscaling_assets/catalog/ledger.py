"""Records of one harvest in, its tools out, against what the last harvest left: reused, changed, new or gone.

Every record becomes exactly one Tool or one RejectedTool. A record that was read before gives the tool it gave then,
without a look inside. A changed one keeps its id: it takes the id of the tool of that server and name which nothing
else claims. Ids that were ever used are not given to others.
"""

from collections import defaultdict

from pydantic import JsonValue

from tdscaling_assets.catalog.clean import clean_text
from tdscaling_assets.catalog.names import free_id
from tdscaling_assets.catalog.normalise import Origin, UnusableError, raw_text, read_tool, record_hash
from tdscaling_assets.catalog.state import State, VersionKey
from tdscaling_assets.schema import RejectedTool, Tool, ToolVersion

EMPTY = State()


class Ledger:
    """Collects what the sources hold now. `tools` are all tools after `settle`, by id, gone ones included."""

    def __init__(self, state: State = EMPTY) -> None:
        self.tools: dict[str, Tool] = {}
        self.rejected: list[RejectedTool] = []
        self.fresh: frozenset[str] = frozenset()
        self._state = state
        self._by_record = state.by_record()
        self._pending: list[tuple[Tool, str, str]] = []
        self._read: dict[VersionKey, tuple[str, str]] = {}

    def add(self, raw: JsonValue, origin: Origin) -> None:
        """Take one record: it is a Tool, or a RejectedTool that says why not."""
        try:
            mark = record_hash(raw, origin)
        except RecursionError:  # too deep: the rules below say so
            mark = ""
        if known := self._by_record.get(mark):
            self._take_again(known.pop(0), raw, mark)
            return
        try:
            tool = read_tool(raw, origin)
        except UnusableError as error:
            self.reject(raw, origin, str(error))
            return
        self._pending.append((tool, raw_text(raw), mark))

    def add_own(self, tool: Tool) -> None:
        """Take a tool of our own under the id that it has."""
        mark = f"own:{tool.content_hash}"
        old = self._state.tools.get(tool.tool_id)
        if old is None or old.model_copy(update={"canonical_id": None, "present": True}) != tool:
            self._read[tool.tool_id, tool.content_hash] = ("", mark)
        self.tools[tool.tool_id] = tool

    def keep(self, tools: list[Tool]) -> None:
        """Take over tools of a source that was not read, because it is unchanged or does not answer."""
        self.tools |= {tool.tool_id: tool for tool in tools}

    def reject(self, raw: JsonValue, origin: Origin, reason: str) -> None:
        """Record what cannot be used; `raw` is cut at the size limit."""
        body = raw.get("function", raw) if isinstance(raw, dict) else None
        name = body.get("name") if isinstance(body, dict) else None
        shown = clean_text(name)[:200] if isinstance(name, str) else ""
        self.rejected.append(
            RejectedTool(
                source=origin.source, name=shown or origin.server, raw=raw_text(raw), reason=clean_text(reason)
            )
        )

    def settle(self) -> None:
        """Give new tools their ids, and mark as absent what no source has any more."""
        unclaimed: dict[tuple[str, str], list[Tool]] = defaultdict(list)
        for old in self._state.tools.values():
            if old.tool_id not in self.tools:
                unclaimed[old.server, old.name].append(old)
        taken = {*self._state.tools, *self.tools}
        for tool, raw, mark in self._pending:
            heirs = unclaimed[tool.server, tool.name]
            heirs.sort(key=lambda old: (_likeness(tool, old), old.tool_id))
            tool_id = heirs.pop(0).tool_id if heirs else free_id(tool.server, tool.name, tool.content_hash, taken)
            taken.add(tool_id)
            self.tools[tool_id] = tool.model_copy(update={"tool_id": tool_id})
            self._read[tool_id, tool.content_hash] = (raw, mark)
        self.fresh = frozenset(tool_id for tool_id, _ in self._read)
        for old in self._state.tools.values():
            if old.tool_id not in self.tools:
                self.tools[old.tool_id] = old.model_copy(update={"present": False})

    def versions(self, seen_at: str) -> tuple[ToolVersion, ...]:
        """New and rewritten versions, by key; a version that comes back keeps the time it was first seen."""
        stored = self._state.versions
        return tuple(
            ToolVersion(
                tool_id=key[0],
                content_hash=key[1],
                definition=self.tools[key[0]].model_dump(mode="json"),
                raw=raw,
                record_hash=mark,
                first_seen=stored[key].first_seen if key in stored else seen_at,
            )
            for key, (raw, mark) in sorted(self._read.items())
        )

    def ended(self) -> tuple[VersionKey, ...]:
        """Stored versions that were current until now: their tool has changed or is gone."""
        current = {(tool.tool_id, tool.content_hash) for tool in self.tools.values() if tool.present}
        return tuple(
            sorted(key for key, mark in self._state.versions.items() if mark.last_seen is None and key not in current)
        )

    def _take_again(self, tool: Tool, raw: JsonValue, mark: str) -> None:
        self.tools[tool.tool_id] = tool.model_copy(update={"present": True})
        if not tool.present:
            self._read[tool.tool_id, tool.content_hash] = (raw_text(raw), mark)


def _likeness(tool: Tool, old: Tool) -> tuple[bool, bool, bool]:
    """Sorts first the tool whose content, source and presence agree."""
    return old.content_hash != tool.content_hash, old.source != tool.source, not old.present
