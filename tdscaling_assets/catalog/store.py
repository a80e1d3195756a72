"""A harvest in, the lake brought level with it in one transaction: only rows that differ are written."""

from tdscaling_assets.catalog.harvest import Catalog
from tdscaling_assets.storage.lake import Lake, Update
from tdscaling_assets.storage.queries import stored_versions
from tdscaling_assets.storage.rows import to_frame


def write_catalog(lake: Lake, catalog: Catalog, seen_at: str, message: str) -> Update:
    """Store tools, rejects, sources and versions; versions that have ended were last seen at `seen_at`."""
    ended = [one.model_copy(update={"last_seen": seen_at}) for one in stored_versions(lake, catalog.ended)]
    frames = {
        "tool_catalog": to_frame("tool_catalog", catalog.tools),
        "rejected_tools": to_frame("rejected_tools", catalog.rejected),
        "tool_sources": to_frame("tool_sources", catalog.sources),
        "tool_versions": to_frame("tool_versions", [*catalog.versions, *ended]),
    }
    return lake.update(frames, message=message, partial=("tool_versions",))
