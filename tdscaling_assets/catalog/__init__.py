"""Tool sources in, one catalog of legal, unique, checked Tools out, with a reason for every record left out.

sources.py      sources.yaml → source records        content.py       file → JSON value (yaml_text.py: YAML)
files.py        JSON value → raw tools or servers    execute.py       sources, Tools → which of them really run
mcp.py          MCP server → raw tools
openapi.py      API document → raw tools             api_calls.py     operation → schemas of a call
api_schemas.py  schemas → self-contained ones        api_keywords.py  one schema → the words of 2020-12
normalise.py    raw tool → Tool or RejectedTool
taxonomy.py     business domains                     vocabulary.py    their weighted words; a tool's texts → evidence
domains.py      Tools → Tools with a domain and a confidence
harvest.py      all of it, and the code tool
"""

from tdscaling_assets.catalog.harvest import Catalog, build_catalog, harvest

__all__ = ["Catalog", "build_catalog", "harvest"]
