"""Tool sources in, one catalog of legal, unique, checked Tools out, with a reason for every record left out.

sources.py    sources.yaml → source records          files.py      file → raw tools
mcp.py        MCP server → raw tools                 normalise.py  raw tool → Tool or RejectedTool
taxonomy.py   business domains            vocabulary.py  their weighted words; a tool's texts → evidence
domains.py    Tools → Tools with a domain and a confidence
harvest.py    all of it, and the code tool
"""

from tdscaling_assets.catalog.harvest import Catalog, build_catalog, harvest

__all__ = ["Catalog", "build_catalog", "harvest"]
