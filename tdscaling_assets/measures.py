"""One conversation in, its reasoning-mode labels and Cumulative Action Complexity out.

Everything is computed from the messages alone, plus the tools' read-only annotations where there are any, so
it works on anybody's dataset. The rules are our own definition (docs/metrics.md).
"""

import ast
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

from tdscaling_assets.schema import CODE_TOOL, JsonObject, Label, Message, Tool, ToolCall, parse_json, parse_object
from tdscaling_assets.settings import CacWeights
from tdscaling_assets.speech import spoken_label
from tdscaling_assets.text import identifier_words

Fact = frozenset[str]
"""Words that tell something together."""

READ_VERBS = frozenset(
    identifier_words(
        "get list search find read fetch query lookup check show view describe count calculate compute estimate "
        "retrieve browse compare track validate verify preview inspect quote convert explain analyze analyse download "
        "resolve filter is has can who whois what which think ping parse extract evaluate"
    )
)
_WRITE_VERBS = frozenset(  # not those that are as often nouns (order, book, schedule): the default is to change state
    identifier_words(
        "create add update set delete remove send put patch insert write edit modify cancel submit save move rename "
        "reset enable disable start stop toggle assign reschedule make approve reject upload install commit"
    )
)
_READ_NOUNS = frozenset(
    identifier_words(
        "status count log logs diff info details history summary balance version time weather forecast news price "
        "prices"
    )
)
_CODE_NAMES = frozenset({CODE_TOOL, "python", "execute_python", "code_interpreter", "run_code", "execute_code"})
_RUN_NAMES = frozenset(  # they run what is no Python text of an argument
    {
        "run_query",
        "run_sql",
        "execute_query",
        "execute_sql",
        "run_saved_query",
        "query_sqlite",
        "run_tests",
        "run_shell",
    }
)
_FILE_NAMES = frozenset({"write_file", "create_file"})
_FAILED = re.compile(r"^\W*((\w*error|\w*exception|failed|failure)\b|traceback \()", re.IGNORECASE)
_MARKS = re.compile(r"(?:(?<!\d):|:(?!\d)|[\s=|,;()\[\]{}\"'`*<>$€£%])+")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3})")
_NUMBER = re.compile(r"^(\d+)(?:(\.\d*[1-9])0*|\.0+)?[a-z]{0,2}$")  # with a unit: 15GB
_NAMING = re.compile(r"[\d@/._#]")
_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}")


def reasoning_labels(messages: Sequence[Message], read_only: Mapping[str, bool | None]) -> list[Label]:
    """One label per assistant message, first rule that fits, in order of the messages."""
    labels: list[Label] = []
    failed: set[str] = set()
    written: set[str] = set()
    seen: set[str] = set()
    calls: dict[str, ToolCall] = {}
    for message in messages:
        if message.role == "assistant":
            labels.append(_label(message, read_only, failed, written))
            calls |= {call.id: call for call in message.tool_calls}
        elif message.role == "tool" and message.tool_call_id in calls:
            call = calls[message.tool_call_id]
            broken = observation_failed(message.content or "")
            (failed.add if broken else failed.discard)(call.name)
            shown = _references(_parse(message.content))
            if not broken and not is_read_only(call.name, read_only) and not _is_code(call.name):
                written |= _references(parse_object(call.arguments)) | (shown - seen)
            seen |= shown
    return labels


def reasoning_mode(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels in order of first occurrence: a conversation's reasoning mode."""
    return tuple(dict.fromkeys(labels))


def action_complexity(messages: Sequence[Message], weights: CacWeights) -> float:
    """CAC: sum over calls of call + leaf·leaves + flow·arguments taken from observations + ast·log2(1 + nodes).

    Nodes are those of a program that is run, or of a Python file that is written.
    """
    observed: set[str] = set()
    said: set[str] = set()
    spoken = ""
    total = 0.0
    for message in messages:
        if message.role == "tool":
            values = _observed_values(message.content or "") - said
            observed |= {value for value in values if " " not in value or value not in spoken}
            continue
        spoken += "\n" + (message.content or "")
        said |= _words(message.content or "") - observed
        if message.role == "assistant":
            total += sum(_call_complexity(call, observed, weights) for call in message.tool_calls)
            said |= {
                str(leaf) for call in message.tool_calls for leaf in leaves(parse_object(call.arguments))
            } - observed
    return round(total, 4)


def unused_calls(messages: Sequence[Message], read_only: Mapping[str, bool | None]) -> int:
    """How many tool calls gave an output that nothing used: padding.

    A call is used when it failed, changed state, gave no value at all, or gave one that was neither in its arguments
    nor said by the user before, and that a later message or call of the assistant has; or when it is the first that
    reads back a value which a write named or brought forth. A call without an output is not counted.
    """
    uses = _last_uses(messages)
    said: set[str] = set()
    seen: set[Fact] = set()
    written: set[Fact] = set()
    calls: dict[str, ToolCall] = {}
    unused = 0
    for place, message in enumerate(messages):
        if message.role == "user":
            said |= _content_words(message.content or "")
        elif message.role == "assistant":
            calls |= {call.id: call for call in message.tool_calls}
        elif message.role == "tool" and message.tool_call_id in calls:
            call, content = calls.pop(message.tool_call_id), message.content or ""
            given, shown = _facts(parse_object(call.arguments)), _facts(_printed(content))
            if _changes_state(call, content, read_only):
                written |= given | (shown - seen)
            elif shown and not observation_failed(content):
                news = shown if _runs_code(call.name) else {fact for fact in shown - given if not fact <= said}
                told = any(place < min(uses.get(word, -1) for word in fact) for fact in news)
                unused += not told and not any(map(_names_a_thing, written & (given | shown)))
                written -= shown
            seen |= shown
    return unused


def only_reads(tool: Tool) -> bool:
    """Whether a tool is read-only, by its annotation, else by the verb in its name."""
    return is_read_only(tool.name, {tool.name: tool.read_only})


def is_read_only(tool: str, read_only: Mapping[str, bool | None]) -> bool:
    """By annotation, else by the first verb in the tool's name (the part after a `server__` prefix), else by a last
    word that is something one reads, such as `status`; a tool whose name says nothing is taken to change state."""
    annotated = read_only.get(tool)
    if annotated is not None:
        return annotated
    words = identifier_words(_local_name(tool))
    for word in words[:3]:
        if word in READ_VERBS or word in _WRITE_VERBS:
            return word in READ_VERBS
    return bool(words) and words[-1] in _READ_NOUNS


def observation_failed(content: str) -> bool:
    """Whether a tool's answer reports a failure: an error field, a flag that denies success, an exit code that is
    not zero (null: killed at a limit), or text that opens by saying so."""
    body = parse_object(content)
    if body is None:
        return bool(_FAILED.match(content))
    if "exit_code" in body and (body["exit_code"] != 0 or bool(body.get("timed_out"))):
        return True
    told = any(bool(body.get(key)) for key in ("error", "isError", "is_error", "exception"))
    return told or any(body.get(key) is False for key in ("success", "ok")) or body.get("status") == "error"


def leaves(value: JsonValue) -> Iterator[JsonValue]:
    """All scalar values inside a JSON value, depth first; null is not one."""
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    elif value is not None:
        yield value


def _label(message: Message, read_only: Mapping[str, bool | None], failed: set[str], written: set[str]) -> Label:
    calls = message.tool_calls
    if not calls:
        return spoken_label(_spoken_text(message.content or ""))
    if any(call.name in failed for call in calls):
        return "recover"
    if len(calls) > 1:
        return "parallel"
    if _runs_code(calls[0].name):
        return "compute"
    if not is_read_only(calls[0].name, read_only):
        return "act"
    return "verify" if _references(parse_object(calls[0].arguments)) & written else "retrieve"


def _spoken_text(content: str) -> str:
    """What a message says; a JSON answer says the texts inside it."""
    body = parse_object(content)
    return content if body is None else "\n".join(str(leaf) for leaf in leaves(body))


def _call_complexity(call: ToolCall, observed: set[str], weights: CacWeights) -> float:
    arguments = parse_object(call.arguments) or {}
    if _is_code(call.name):
        return weights.call + weights.ast * math.log2(1 + _ast_nodes(_source(arguments)))
    total = weights.call
    if _local_name(call.name) in _FILE_NAMES and str(arguments.get("path", "")).endswith(".py"):
        total += weights.ast * math.log2(1 + _ast_nodes(str(arguments.pop("content", ""))))
    for value in arguments.values():
        parts = [str(leaf) for leaf in leaves(value)]
        total += weights.leaf * len(parts)
        total += weights.flow * any(part in observed for part in parts if _telling(part))
    return total


def _last_uses(messages: Sequence[Message]) -> dict[str, int]:
    """Word → place of the last message in which the assistant says it or passes it to a tool."""
    uses: dict[str, int] = {}
    for place, message in enumerate(messages):
        if message.role == "assistant":
            words = _content_words(message.content or "").union(*map(_passed_words, message.tool_calls))
            uses.update(dict.fromkeys(words, place))
    return uses


def _passed_words(call: ToolCall) -> set[str]:
    """Words of the arguments and of their names."""
    arguments = parse_object(call.arguments)
    if arguments is None:
        return _content_words(call.arguments)
    return set(identifier_words(" ".join(arguments))).union(*(_content_words(str(leaf)) for leaf in leaves(arguments)))


def _changes_state(call: ToolCall, content: str, read_only: Mapping[str, bool | None]) -> bool:
    """Whether a call succeeded and left something behind; code and queries do when they create a file."""
    if observation_failed(content):
        return False
    if _runs_code(call.name):
        return bool((parse_object(content) or {}).get("created"))
    return not is_read_only(call.name, read_only)


def _runs_code(tool: str) -> bool:
    return _is_code(tool) or _local_name(tool) in _RUN_NAMES


def _printed(content: str) -> JsonValue:
    """An output as JSON; of a program's, what it printed."""
    body = _parse(content)
    printed = body.get("stdout") if isinstance(body, dict) else None
    return _parse(printed) if isinstance(printed, str) else body


def _facts(value: JsonValue, name: str = "") -> set[Fact]:
    """The words of each line of the scalars in a JSON value, and alone each word that names a thing.

    One word that names nothing (`open`, 15, true) tells nothing alone: the words of its field's name belong to it.
    """
    if isinstance(value, dict):
        return set[Fact]().union(*(_facts(item, key) for key, item in value.items()))
    if isinstance(value, list):
        return set[Fact]().union(*(_facts(item, name) for item in value))
    facts: set[Fact] = set()
    for line in () if value is None else str(value).splitlines():
        words = _content_words(line)
        things = {fact for word in words if _names_a_thing(fact := frozenset({word}))}
        named = identifier_words(name) if len(words) == 1 and not things else ()
        facts |= things | ({frozenset(words.union(named))} if words else set())
    return facts


def _names_a_thing(fact: Fact) -> bool:
    """Whether this is one word that names a thing: it is telling, has a digit or a mark, and is no date."""
    return len(fact) == 1 and all(_telling(word) and _NAMING.search(word) and not _DATE.match(word) for word in fact)


def _content_words(text: str) -> set[str]:
    """Words in lower case without marks around them, numbers without thousands marks and closing zeros."""
    words = (word.strip(".-/!?").casefold() for word in _MARKS.split(_THOUSANDS.sub("", text)))
    return {_NUMBER.sub(r"\1\2", word) for word in words} - {""}


def _source(arguments: JsonObject) -> str:
    texts = [value for value in arguments.values() if isinstance(value, str)]
    code = arguments.get("code")
    return code if isinstance(code, str) else max(texts, key=len, default="")


def _ast_nodes(code: str) -> int:
    """0 for what is not Python; code of any depth is only parsed, never run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return sum(1 for _ in ast.walk(ast.parse(code)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return 0


def _local_name(tool: str) -> str:
    return tool.rsplit("__", 1)[-1]


def _is_code(tool: str) -> bool:
    return _local_name(tool) in _CODE_NAMES


def _observed_values(content: str) -> set[str]:
    body = _parse(content)
    if isinstance(body, dict | list):
        return {str(leaf) for leaf in leaves(body)}
    return _words(content) | {content.strip()}


def _parse(content: str | None) -> JsonValue:
    return parse_json(content or "", content)


def _words(text: str) -> set[str]:
    return {word.strip(".,;:!?()[]{}'\"`") for word in text.split()}


def _telling(value: str) -> bool:
    return len(value) >= 3 and value not in ("True", "False")


def _references(value: JsonValue) -> set[str]:
    """Scalars that name a thing: ids, paths, addresses, not words, dates or prices."""
    texts = map(str, leaves(value))
    return {text for text in texts if _telling(text) and _NAMING.search(text) and not _DATE.match(text)}
