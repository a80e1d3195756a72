"""Built-in worlds: business services that really run, with in-memory state.

What belongs here: `specs/*.yaml` (the services, as data), the records of that format (grammar), its checks and loader
(checks, spec), JSON Schemas derived from it (schemas), the expression language (expressions, functions), seeded rows
(seeding, generators), plausible arguments (sampling), the engine that runs one operation (engine), the world that
holds state (world) and the MCP server (server). No service has code of its own.
"""
