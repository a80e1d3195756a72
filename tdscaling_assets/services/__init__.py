"""Built-in worlds: business services that really run, with in-memory state.

What belongs here: `specs/*.yaml` (the services, as data), the records of that format (grammar), its checks and loader
(checks, spec), JSON Schemas derived from it (schemas), the expression language (expressions, functions), seeded rows
(seeding, generators), plausible arguments (sampling), the engine that runs one operation (engine), what its steps do
to the state (effects), programs for the sandbox (programs), the world that holds state (world), the random caller
that tries a service (trial) and the MCP server (server). No service has code of its own.
"""
