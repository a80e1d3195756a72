"""One conversation in, its reasoning-mode labels and Cumulative Action Complexity out.

Everything is computed from the messages alone, plus the tools' read-only annotations where there are any, so
it works on anybody's dataset. The rules are our own definition (docs/metrics.md).
"""

import ast
import json
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

from tdscaling_assets.schema import CODE_TOOL, JsonObject, Label, Message, ToolCall, parse_object
from tdscaling_assets.settings import CacWeights
from tdscaling_assets.text import identifier_words

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
_FAILED = re.compile(r"^\W*((\w*error|\w*exception|failed|failure)\b|traceback \()", re.IGNORECASE)
_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}")

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_QUESTION = re.compile(r"\?[^\w?]*(\(.*\))?\W*$")
_OPEN_CLAUSE = re.compile(r"\b(how|what|which|where|when|who)\b[^,:;]*$")
_PLEASANTRY = re.compile(
    r"(any|some)(thing|one)? ?(else|other|more|further)|(else|other|more|further) (i can|you need|you('d| would) like)|"
    r"(help|assist) you (further|with (anything|something))|"
    r"(let me know|reach out|feel free)\b.*\bif you('re)? (need|have|run|experience|encounter|still)|"
    r"if you (need|have|run|experience|encounter|still)\b.*"
    r"\b(let me know|reach out|feel free|just ask)(?! (which|what|your|the))"
)
_LEAVE_QUESTION = re.compile(
    r"\b((shall|should) (i|we)|(may|can) i (?!please|have|get|ask|know|help|assist)|do you want me to|"
    r"would you like (me|us) to|do you (confirm|approve|agree|authori[sz]e)|"
    r"do i have your (permission|approval|consent|confirmation|authori[sz]ation)|"
    r"(is|does|are) (that|this|these|it|everything|all)( of (this|that))?( look| sound| seem)? "
    r"(ok|okay|correct|fine|right|good|accurate)|proceed|go ahead)\b"
)
_LEAVE_REQUEST = re.compile(
    r"\b(((please|can you|could you)( please)?( explicitly)? confirm)\b"
    r"(?! (which|what|where|when|how|who|your|their)\b)"
    r"(?! (if|whether) (you're|you are|you have|you can|you see|your|the|any)\b)"
    r"(?! the (\w+ ){0,2}(name|email|e-mail|number|id|zip|phone)\b)|"
    r"(reply|respond|answer|say|type|tell me|write)( back)?( with)? ?\W{0,2}(yes|confirm|approve|go ahead|proceed)\b|"
    r"(i|we)('ll)?( will)?( just)? need your (explicit |final )?(confirmation|approval|consent|permission|go-ahead)\b|"
    r"(let me know|tell me) (if|whether) (you('d| would) like me to|you want me to|i (should|may|can))\b|"
    r"yes ?/ ?no\b)"
)
_DECLINE = re.compile(
    r"\b(i ((still |currently |unfortunately )?(can ?not|can't)|(am|'m) (not able|unable)|won't be able)|"
    r"i'm (unable|not able|sorry, but)|(i was|unfortunately,?) unable to (?!find|locate|verify)|not possible for me|"
    r"we ((can ?not|can't)|are (unable|not able))|there is no (tool|way)|(is|are) not (possible|eligible|allowed)|"
    r"(can ?not|can't) be (cancel|chang|modif|return|exchang|refund|process|done|complet)\w*|"
    r"i (do not|don't) have (a|the|any) (tool|ability|way|access|permission))"
)
_DONE = re.compile(r"\b(success\w*|submitted|completed?|all set|done|in place|(has|have) been|i've (now )?\w+ed)\b")
_REQUEST = re.compile(
    r"\b(please|could you|can you|would you|kindly)( also| first| please)? "
    r"(provide|tell me|share|specify|give me|send me|enter your|choose|select|pick|clarify|describe|indicate|"
    r"confirm|reply with|let me know)\b|"
    r"\b(i|we)('ll)?( will)?( still)? (need|require) "
    r"(your|the|to know|some|a few|one|two|more|you to (provide|tell))\b|"
    r"\b(let me know|tell me) (which|what|how|where|when|who|your|the)\b"
)
_OFFER = re.compile(r"\b(would you (like|prefer)|do you want)\b")


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
    """CAC: sum over calls of call + leaf·leaves + flow·arguments taken from observations + ast·log2(1 + nodes)."""
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
        return _spoken_label(message.content or "")
    if any(call.name in failed for call in calls):
        return "recover"
    if len(calls) > 1:
        return "parallel"
    if _is_code(calls[0].name):
        return "compute"
    if not is_read_only(calls[0].name, read_only):
        return "act"
    return "verify" if _references(parse_object(calls[0].arguments)) & written else "retrieve"


def _spoken_label(content: str) -> Label:
    sentences = _sentences(content)
    questions = [sentence for sentence in sentences if _QUESTION.search(sentence)]
    if any(map(_asks_leave, questions)) or any(map(_LEAVE_REQUEST.search, sentences)):
        return "confirm"
    declines = _declines(sentences)
    if declines:
        questions = [question for question in questions if not _OFFER.search(question)]
    if questions or any(map(_REQUEST.search, sentences)):
        return "clarify"
    return "decline" if declines else "answer"


def _asks_leave(question: str) -> bool:
    """Asks yes or no: `should I cancel it?`, but not `which order should I cancel?`."""
    match = _LEAVE_QUESTION.search(question)
    return match is not None and not _OPEN_CLAUSE.search(question[: match.start()])


def _declines(sentences: Sequence[str]) -> bool:
    """A refusal before any report of something done; after one it is a remark, not the message."""
    first = next((i for i, sentence in enumerate(sentences) if _DECLINE.search(sentence)), None)
    return first is not None and not any(map(_DONE.search, sentences[:first]))


def _sentences(content: str) -> list[str]:
    """Lower-case sentences and lines without the closing pleasantries; a JSON answer counts by the texts inside it."""
    body = parse_object(content)
    text = content if body is None else "\n".join(str(leaf) for leaf in leaves(body))
    parts = _SENTENCE.split(text.lower().replace("’", "'").replace("*", ""))
    return [part.strip() for part in parts if part.strip() and not _PLEASANTRY.search(part)]


def _call_complexity(call: ToolCall, observed: set[str], weights: CacWeights) -> float:
    arguments = parse_object(call.arguments) or {}
    if _is_code(call.name):
        return weights.call + weights.ast * math.log2(1 + _ast_nodes(_source(arguments)))
    total = weights.call
    for value in arguments.values():
        parts = [str(leaf) for leaf in leaves(value)]
        total += weights.leaf * len(parts)
        total += weights.flow * any(part in observed for part in parts if _telling(part))
    return total


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
    try:
        value: JsonValue = json.loads(content or "")
    except json.JSONDecodeError:
        return content
    return value


def _words(text: str) -> set[str]:
    return {word.strip(".,;:!?()[]{}'\"`") for word in text.split()}


def _telling(value: str) -> bool:
    return len(value) >= 3 and value not in ("True", "False")


def _references(value: JsonValue) -> set[str]:
    """Scalars that name a thing: ids, paths, addresses, not words, dates or prices."""
    texts = map(str, leaves(value))
    return {text for text in texts if _telling(text) and re.search(r"[\d@/._#]", text) and not _DATE.match(text)}
