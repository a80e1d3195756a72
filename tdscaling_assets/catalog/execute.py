"""Sources and Tools in, the same Tools out with who answers a call: their live server where `execute` says so, else a
model.

`execute: {server: true}` runs what does no harm: tools that declare no destructiveHint of true and are read-only, by
annotation or else by the verb in their name, or declare a destructiveHint of false. A list runs exactly the tools that
it names. Changes of the rules change tools that their server lists as before.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from tdscaling_assets.catalog.files import read_mcp_config
from tdscaling_assets.catalog.sources import McpSource, Source, label_sources
from tdscaling_assets.errors import ConfigError
from tdscaling_assets.measures import only_reads
from tdscaling_assets.remote.config import McpServer, RefusedServer
from tdscaling_assets.remote.live import ServerKey
from tdscaling_assets.schema import Tool

Rule = Literal[True] | tuple[str, ...]
Servers = dict[ServerKey, McpServer | RefusedServer]


def live_servers(sources: Sequence[Source], environment: Mapping[str, str]) -> Servers:
    """The servers with tools that may run, by how tools name them. ConfigError where `execute` names an unknown one."""
    found: Servers = {}
    for source, label in zip(sources, label_sources(sources), strict=True):
        if isinstance(source, McpSource) and source.execute:
            servers = {server.name: server for server in read_mcp_config(source.mcp_config, environment)}
            check_servers(source, servers)
            found |= {(label, name): servers[name] for name in source.execute}
    return found


def check_servers(source: McpSource, servers: Iterable[str]) -> None:
    """Raise ConfigError where `execute` names a server that the configuration does not have."""
    known = sorted(servers)
    for name in source.execute:
        if name not in known:
            raise ConfigError(
                f"`execute` names the server {name!r}, which {source.mcp_config} does not have: "
                f"choose from {', '.join(known)}"
            )


def choose_executors(tools: Sequence[Tool], sources: Sequence[Source]) -> list[Tool]:
    """The tools, in order, those of live servers with the executor that `execute` now gives them."""
    rules = {
        label: source.execute
        for source, label in zip(sources, label_sources(sources), strict=True)
        if isinstance(source, McpSource)
    }
    return [_with_executor(tool, rules.get(tool.source, {}).get(tool.server, ())) for tool in tools]


def withdraw_executors(tools: Sequence[Tool], sources: Sequence[Source]) -> list[Tool]:
    """The tools, in order; those that `execute` let run at the last harvest and no longer does are simulated."""
    return [choose_executors([tool], sources)[0] if tool.executor == "mcp" else tool for tool in tools]


def missing_tools(rule: Rule, names: Iterable[str]) -> list[str]:
    """Tools that the rule names and the server does not have."""
    return [] if rule is True else sorted(set(rule) - set(names))


def may_run(tool: Tool, rule: Rule) -> bool:
    """Whether a call of the tool goes to its server."""
    if rule is not True:
        return tool.name in rule
    harmless = tool.destructive is False or only_reads(tool)
    return harmless and tool.destructive is not True


def _with_executor(tool: Tool, rule: Rule) -> Tool:
    if tool.executor not in ("mcp", "simulated"):
        return tool
    executor = "mcp" if may_run(tool, rule) else "simulated"
    return tool if tool.executor == executor else tool.model_copy(update={"executor": executor})
