"""MCP servers that others run: how to reach them, what to hide of them, and calls of their tools.

config.py      `mcpServers` entries → servers
transport.py   server → an open connection, kept quiet  session.py   one server → its calls, over one lasting session
results.py     a call's result → a JSON value           live.py      Tools and arguments → results, for a whole batch
"""
