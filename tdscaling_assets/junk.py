"""Tools of one server in, the names of parameters that are none out: what crawlers took for parameters.

Registry pages are crawled into schemas that hold words of a description (`Update`, `the`), values (`True`) and names
of tools. Only a parameter that nobody described and nobody requires can be junk. Every rule here is our own
definition.
"""

from collections.abc import Sequence

from tdscaling_assets.entities import is_verb
from tdscaling_assets.schema import Tool
from tdscaling_assets.text import identifier_words
from tdscaling_assets.vocabulary import vocabulary

_WORDS = vocabulary(
    "a an the all if it you your we know true false null none and or not no yes by for from to with in on of at as via "
    "is are be this that which when use used using returns return required optional default args arg arguments "
    "parameters parameter param params keyword example examples usage note notes input output"
)


def find_junk(tools: Sequence[Tool]) -> dict[str, frozenset[str]]:
    """Tool id → names of its parameters that are junk, for the tools of one server that have any."""
    names = {"".join(identifier_words(tool.name)) for tool in tools}
    found = {tool.tool_id: _junk(tool, names) for tool in tools}
    return {tool_id: junk for tool_id, junk in found.items() if junk}


def _junk(tool: Tool, names: set[str]) -> frozenset[str]:
    """Words that are plainly none. Among words of a sentence every single word is one; beside the name of a tool,
    every single word of the tool's own text."""
    doubtful = _doubtful(tool)
    words = {name for name in doubtful if _is_word(name)}
    tools = {name for name in doubtful if _is_tool(name, tool, names)}
    single = {name for name in doubtful if len(identifier_words(name)) == 1}
    if words:
        return frozenset(words | tools | single)
    text = set(identifier_words(f"{tool.name} {tool.description}")) if tools else set()
    return frozenset(tools | {name for name in single if name.lower() in text})


def _doubtful(tool: Tool) -> list[str]:
    """Parameters that nobody described and nobody requires."""
    properties, required = tool.input_schema.get("properties"), tool.input_schema.get("required")
    needed = required if isinstance(required, list) else []
    if not isinstance(properties, dict):
        return []
    return [name for name, schema in properties.items() if name not in needed and _is_bare(schema)]


def _is_bare(schema: object) -> bool:
    """Whether the schema says no more than a type."""
    return isinstance(schema, dict) and set(schema) <= {"type"}


def _is_word(name: str) -> bool:
    """A word of a sentence: a particle, or one word that starts with a capital."""
    return name.lower() in _WORDS or (name.istitle() and name.isalpha())


def _is_tool(name: str, tool: Tool, names: set[str]) -> bool:
    """The name of a tool of the server, or one that starts with the tool's own."""
    words = identifier_words(name)
    joined = "".join(words)
    own = "".join(identifier_words(tool.name))
    if joined == own:
        return True
    return len(words) > 1 and any(map(is_verb, words[:3])) and (joined in names or joined.startswith(own))
