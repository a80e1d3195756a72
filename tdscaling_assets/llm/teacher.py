"""The scripted teacher: a deterministic stand-in for a model, driven by the guidance in the system prompt.

It answers every role through the `ChatModel` protocol, so the whole system runs with no key and no network. Its
reply is a function of the messages and the seed alone, so it is the same in process and over HTTP. It has habits:
it prefers some phrasings, and follows a hint only with probability `compliance`; otherwise it takes a short cut or
makes one of the mistakes that models make. It proves the machinery; its text is not training data.
"""

import json
import random
from collections.abc import Iterable

from jsonschema import Draft202012Validator
from pydantic import JsonValue

from tdscaling_assets.code_tasks import KINDS, Material
from tdscaling_assets.entities import Act
from tdscaling_assets.examples import example_object
from tdscaling_assets.llm import mistakes, phrases
from tdscaling_assets.llm.mistakes import Draft, as_object
from tdscaling_assets.llm.phrases import pick
from tdscaling_assets.llm.protocol import ChatReply, ChatRequest
from tdscaling_assets.llm.text_tools import is_asked_in_text, write_calls
from tdscaling_assets.observed import Entity, Known, find_demands
from tdscaling_assets.prompts import read_guidance
from tdscaling_assets.schema import JsonObject, ToolCall, Usage, canonical_json, digest


class ScriptedTeacher:
    """A `ChatModel` that follows hints with probability `compliance`, in [0, 1]."""

    name = "teacher"

    def __init__(self, compliance: float) -> None:
        self.compliance = compliance

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The scripted reply; never raises for a well-formed request."""
        prompt = canonical_json([_said(message) for message in request.messages])
        stem = digest(prompt, request.seed)
        rng = random.Random(stem)
        content, calls = self._draft(_hint(request.messages), rng)
        usage = Usage(
            prompt_tokens=len(prompt) // 4,
            completion_tokens=(len(content or "") + len(json.dumps(calls))) // 4,
            usd=0.0,
            model=self.name,
            calls=1,
        )
        told = _tool_calls(calls, stem)
        if told and is_asked_in_text(request):
            return ChatReply(content=write_calls(content, told), usage=usage)
        return ChatReply(content=content, tool_calls=told, usage=usage)

    def _draft(self, hint: JsonObject, rng: random.Random) -> Draft:
        role = hint.get("role")
        if role == "assistant":
            deviate = rng.random() >= self.compliance
            return _deviation(hint, rng) if deviate else _obedient(hint, rng)
        speak = {"user": _user, "planner": _planner, "environment": _environment, "judge": _judge}.get(str(role))
        return (speak(hint, rng) if speak else "I am a scripted teacher and speak only when guided."), []


def _said(message: JsonObject) -> JsonObject:
    """The message without its nulls, which some clients send and others leave out."""
    return {key: value for key, value in message.items() if value is not None}


def _hint(messages: tuple[JsonObject, ...]) -> JsonObject:
    system = next((str(item["content"]) for item in messages if item.get("role") == "system"), "")
    return read_guidance(system) or {}


def _tool_calls(calls: list[JsonObject], stem: str) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(id=f"call_{stem[:12]}{index}", name=str(call["tool"]), arguments=_arguments_text(call["arguments"]))
        for index, call in enumerate(calls)
    )


def _arguments_text(arguments: JsonValue) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


# ── roles other than the assistant ───────────────────────────────────────────────────────────────────────────


def _user(hint: JsonObject, rng: random.Random) -> str:
    stock = {"inform": phrases.INFORM, "approve": phrases.APPROVE, "pivot": phrases.PIVOT}.get(
        str(hint["do"]), phrases.REQUEST
    )
    reveals = as_object(hint.get("reveals"))
    facts = " ".join(
        pick(phrases.FACT, rng).format(name=_plain(name), value=_told(value)) for name, value in reveals.items()
    )
    also = pick(phrases.ALSO, rng).format(also=hint["also"]) if hint.get("also") else ""
    return f"{pick(stock, rng).format(intent=hint.get('intent', ''), facts=facts).strip()} {also}".strip()


def _planner(hint: JsonObject, rng: random.Random) -> str:
    intents = [str(item) for item in _list(hint.get("intents"))]
    goal = "Wants to " + ", then ".join(intents) + "."
    title = " ".join((intents[0] if intents else "talk").split()[:8]).capitalize()
    return json.dumps({"title": title, "persona": pick(phrases.PERSONAS, rng), "goal": goal})


def _environment(hint: JsonObject, rng: random.Random) -> str:
    """An example of the schema that keeps to what is known, as far as the schema lets it."""
    arguments, schema = as_object(hint.get("arguments")), as_object(hint.get("output_schema"))
    stable = random.Random(digest(hint.get("tool"), arguments))
    value: JsonObject = {"status": "ok", **arguments, "reference": f"REF-{stable.randint(10_000, 99_999)}"}
    if schema:
        value = example_object(schema, arguments, stable)
    validator = Draft202012Validator(schema)
    for _ in range(2):  # first which thing it is about, then what is known of that
        for demand in find_demands(value, arguments, _act(hint), _known(hint)):
            said = demand.holder[demand.name]
            demand.holder[demand.name] = demand.wanted
            if not validator.is_valid(value):
                demand.holder[demand.name] = said
    return json.dumps(value, ensure_ascii=False)


def _act(hint: JsonObject) -> Act:
    verb, nouns, stage = [*_list(hint.get("act")), "", [], None][:3]
    return Act(str(verb), tuple(map(str, _list(nouns))), stage if isinstance(stage, int) else None)


def _known(hint: JsonObject) -> Known:
    things = map(as_object, _list(hint.get("known")))
    return {Entity(str(thing["key"]), str(thing["mark"])): as_object(thing["fields"]) for thing in things}


def _judge(hint: JsonObject, rng: random.Random) -> str:
    return json.dumps(
        {"score": round(rng.uniform(0.6, 1.0), 2), "reason": "Scripted score; it says nothing of quality."}
    )


# ── the assistant ────────────────────────────────────────────────────────────────────────────────────────────


def _obedient(hint: JsonObject, rng: random.Random) -> Draft:
    if hint["do"] == "call":
        opening = phrases.RECOVER if hint.get("retry") else phrases.CALL
        return pick(opening, rng) or None, [_call(as_object(item)) for item in _list(hint["calls"])]
    if hint["do"] == "clarify":
        names = " and the ".join(_plain(str(name)) for name in _list(hint["ask"]))
        return pick(phrases.CLARIFY, rng).format(names=names), []
    if hint["do"] == "confirm":
        return pick(phrases.CONFIRM, rng).format(action=hint["action"]), []
    if hint["do"] == "decline":
        return pick(phrases.DECLINE, rng).format(intent=hint["intent"]), []
    report = "; ".join(f"{name}: {_spoken(value)}" for name, value in as_object(hint.get("report")).items())
    return (pick(phrases.ANSWER, rng).format(report=f"{report}.") if report else pick(phrases.IDLE, rng)), []


def _call(item: JsonObject) -> JsonObject:
    """The call itself; a task is solved first."""
    task = item.get("task")
    if not isinstance(task, dict):
        return {"tool": item["tool"], "arguments": item["arguments"]}
    material = Material(
        field=str(task["field"]),
        rows=tuple(map(as_object, _list(task["rows"]))),
        facts=as_object(task["given"]),
    )
    stage = int(str(task["stage"]))
    return {"tool": item["tool"], "arguments": KINDS[str(task["kind"])].calls[stage].arguments(material)}


def _deviation(hint: JsonObject, rng: random.Random) -> Draft:
    """Half of the deviations take the short cut that models take; the others are plain mistakes."""
    text, calls = _obedient(hint, rng)
    if rng.random() < 0.5:
        return _short_cut(hint, calls, rng)
    if "result" in as_object(hint.get("report")) and rng.random() < 0.5:
        return _misreported(hint, rng), []
    if not calls:
        return phrases.LEAK + (text or ""), []
    program = "code" in as_object(calls[0]["arguments"])
    return rng.choice(mistakes.OF_CODE if program else mistakes.OF_CALLS)(text, calls, rng)


def _short_cut(hint: JsonObject, calls: list[JsonObject], rng: random.Random) -> Draft:
    if len(calls) > 1:
        return None, calls[:1]
    if hint["do"] == "confirm":
        return None, [_call(as_object(hint["call"]))]
    if calls and "task" in as_object(_list(hint["calls"])[0]):
        return pick(phrases.ANSWER, rng).format(report=f"result: {mistakes.guess(rng)}."), []
    return pick(phrases.IDLE, rng), []


def _misreported(hint: JsonObject, rng: random.Random) -> str:
    """An answer whose result is not the one that the sandbox printed."""
    report = {**as_object(hint["report"]), "result": mistakes.guess(rng)}
    return _obedient({**hint, "report": report}, rng)[0] or ""


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _spoken(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _told(value: JsonValue) -> str:
    """A value as a user says it: several lines stand on their own."""
    text = _spoken(value)
    return f"\n{text}\n" if "\n" in text else text


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def is_simulated(models: Iterable[str]) -> bool:
    """Whether the scripted teacher is among these models, in process or behind an endpoint."""
    return any(model.rsplit("/", 1)[-1] == ScriptedTeacher.name for model in models)
