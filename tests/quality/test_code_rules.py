"""The answer to a code step came out of the sandbox: a liar of every sort is found, a sound conversation is kept."""

import json
from collections.abc import Callable

import pytest

from tdscaling_assets.quality.case import Case
from tdscaling_assets.quality.code_rules import answered_from_sandbox, code_result_right
from tdscaling_assets.schema import CODE_TOOL, CODE_TOOLS, JsonObject, Message, Step

Coded = dict[str, Case]
Mutate = Callable[..., Case]
Messages = tuple[Message, ...]


def last_step(case: Case) -> Step:
    """The call that prints the result."""
    return next(step for step in case.blueprint.steps if step.task and step.task.expected)


def result_of(case: Case) -> str:
    task = last_step(case).task
    assert task is not None
    return task.expected


def answer_place(case: Case) -> int:
    """Where the assistant reports the result."""
    place = len(case.trajectory.messages) - 1
    assert result_of(case).split(",")[0] in (case.trajectory.messages[place].content or "")
    return place


def put(case: Case, place: int, **changes: object) -> list[Message]:
    """The messages with one of them changed."""
    messages = case.trajectory.messages
    return [item.model_copy(update=changes) if at == place else item for at, item in enumerate(messages)]


def say(case: Case, words: str, mutate: Mutate) -> Case:
    """The conversation with these words as the answer."""
    return mutate(case, messages=tuple(put(case, answer_place(case), content=words)))


def code_places(case: Case) -> list[int]:
    """Where the code tools answer."""
    return [at for at, item in enumerate(case.trajectory.messages) if item.name in CODE_TOOLS]


def without(case: Case, places: list[int]) -> Messages:
    """The messages without these answers and what they answer."""
    ids = {case.trajectory.messages[place].tool_call_id for place in places}
    return tuple(
        message
        for message in case.trajectory.messages
        if message.tool_call_id not in ids and not {call.id for call in message.tool_calls} & ids
    )


def with_arguments(case: Case, name: str, how: Callable[[JsonObject], JsonObject]) -> Messages:
    """The messages with the arguments of every call of the tool changed."""
    return tuple(
        message.model_copy(
            update={
                "tool_calls": tuple(
                    call.model_copy(update={"arguments": json.dumps(how(json.loads(call.arguments)))})
                    if call.name == name
                    else call
                    for call in message.tool_calls
                )
            }
        )
        for message in case.trajectory.messages
    )


def with_stdout(case: Case, place: int, text: str) -> Messages:
    """The messages with something else printed at a place."""
    told = {**json.loads(case.trajectory.messages[place].content or ""), "stdout": text}
    return tuple(put(case, place, content=json.dumps(told)))


@pytest.mark.parametrize("rule", [answered_from_sandbox, code_result_right])
@pytest.mark.parametrize("kind", ["total", "tally", "log_levels", "write_initials", "repair_initials", "sql_distinct"])
def test_a_sound_code_step_passes(rule: Callable[[Case], str | None], kind: str, coded: Coded) -> None:
    assert rule(coded[kind]) is None


@pytest.mark.parametrize("kind", ["total", "tally", "log_levels", "write_initials", "sql_distinct"])
def test_a_result_that_is_only_asserted_is_rejected(kind: str, coded: Coded, mutate: Mutate) -> None:
    case = coded[kind]
    reason = answered_from_sandbox(mutate(case, messages=without(case, code_places(case))))
    assert reason == f"no {last_step(case).tool_id} gave what the answer reports"


@pytest.mark.parametrize("kind", ["total", "tally", "log_levels", "write_initials", "repair_initials", "sql_distinct"])
def test_an_answer_that_tells_another_result_is_rejected(kind: str, coded: Coded, mutate: Mutate) -> None:
    case = coded[kind]
    told = case.trajectory.messages[answer_place(case)].content or ""
    other = told.replace(result_of(case), "9 passed" if kind.startswith("repair") else "zzz=99")
    reason = answered_from_sandbox(say(case, other, mutate))
    assert reason == f"the answer does not tell {result_of(case)!r}, which the sandbox printed"


@pytest.mark.parametrize("around", ["1{}", "{}1", "-{}"])
def test_a_number_inside_another_number_is_another_result(around: str, coded: Coded, mutate: Mutate) -> None:
    lie = say(coded["total"], f"The total is {around.format(result_of(coded['total']))}.", mutate)
    assert (answered_from_sandbox(lie) or "").startswith("the answer does not tell")


def test_the_result_in_other_words_is_kept(coded: Coded, mutate: Mutate) -> None:
    number = float(result_of(coded["total"]))
    assert answered_from_sandbox(say(coded["total"], f"It comes to **{number:,}** in all.", mutate)) is None
    count = result_of(coded["repair_initials"]).split()[0]
    assert answered_from_sandbox(say(coded["repair_initials"], f"All {count} tests pass now!", mutate)) is None
    pairs = result_of(coded["log_levels"]).replace("=", ": ")
    assert answered_from_sandbox(say(coded["log_levels"], f"Levels: {pairs}", mutate)) is None


def test_a_result_that_was_told_in_an_earlier_turn_only_is_rejected(coded: Coded, mutate: Mutate) -> None:
    case = coded["total"]
    messages = put(case, answer_place(case), content="That should be all.")
    messages[1] = messages[1].model_copy(update={"content": f"{messages[1].content} {result_of(case)}"})
    assert answered_from_sandbox(mutate(case, messages=tuple(messages))) is not None


def test_code_that_ran_before_its_rows_were_known_is_rejected(coded: Coded, mutate: Mutate) -> None:
    case = coded["total"]
    (place,) = code_places(case)
    messages = list(case.trajectory.messages)
    exchange = messages[place - 1 : place + 1]
    del messages[place - 1 : place + 1]
    reason = answered_from_sandbox(mutate(case, messages=(*messages[:2], *exchange, *messages[2:])))
    assert reason is not None and "before it had what to work on" in reason


@pytest.mark.parametrize(
    "program", ["print({!r})", "result = {!r}\nprint(result)", "answer = f'{}'\nprint(answer, end='')"]
)
def test_a_program_that_only_prints_is_rejected(program: str, coded: Coded, mutate: Mutate) -> None:
    case = coded["total"]
    messages = with_arguments(case, CODE_TOOL, lambda given: {"code": program.format(result_of(case))})
    assert (answered_from_sandbox(mutate(case, messages=messages)) or "").endswith("computes nothing")


@pytest.mark.parametrize("kind", ["total", "tally", "log_levels"])
def test_a_program_that_holds_its_result_is_rejected(kind: str, coded: Coded, mutate: Mutate) -> None:
    case = coded[kind]
    code = f"values = [1, 2]\nif sum(values):\n    print({result_of(case)!r})\n"
    messages = with_arguments(case, CODE_TOOL, lambda given: {"code": code})
    assert "literally" in (answered_from_sandbox(mutate(case, messages=messages)) or "")


def test_a_function_that_holds_its_results_is_rejected(coded: Coded, mutate: Mutate) -> None:
    case = coded["write_initials"]

    def cheat(given: JsonObject) -> JsonObject:
        is_test = str(given["path"]).startswith("test_")
        return given if is_test else {**given, "content": f"RESULTS = {result_of(case)!r}\n"}

    messages = with_arguments(case, "code__write_file", cheat)
    reason = answered_from_sandbox(mutate(case, messages=messages))
    assert reason is not None and "literally" in reason


def test_tests_may_name_the_result(coded: Coded, mutate: Mutate) -> None:
    case = coded["write_initials"]

    def name_it(given: JsonObject) -> JsonObject:
        is_test = str(given["path"]).startswith("test_")
        return {**given, "content": f"{given['content']}\n# {result_of(case)}\n"} if is_test else given

    assert answered_from_sandbox(mutate(case, messages=with_arguments(case, "code__write_file", name_it))) is None


@pytest.mark.parametrize(
    ("sql", "reason"), [("SELECT '{}'", "reads nothing"), ("SELECT '{}' FROM records LIMIT 1", "literally")]
)
def test_a_query_that_holds_its_result_is_rejected(sql: str, reason: str, coded: Coded, mutate: Mutate) -> None:
    case = coded["sql_distinct"]
    query = sql.format(result_of(case))
    messages = with_arguments(case, "code__query_sqlite", lambda given: {**given, "sql": query})
    assert reason in (answered_from_sandbox(mutate(case, messages=messages)) or "")


def test_a_result_that_was_given_may_be_in_the_program(coded: Coded, mutate: Mutate) -> None:
    case = coded["total"]
    messages = list(with_arguments(case, CODE_TOOL, lambda given: {"code": f"{given['code']}# {result_of(case)}"}))
    assert answered_from_sandbox(mutate(case, messages=tuple(messages))) is not None
    messages[1] = messages[1].model_copy(update={"content": f"{messages[1].content} Is it {result_of(case)}?"})
    assert answered_from_sandbox(mutate(case, messages=tuple(messages))) is None


def test_a_repair_whose_tests_never_failed_is_rejected(coded: Coded, mutate: Mutate) -> None:
    case = coded["repair_initials"]
    failing = next(at for at in code_places(case) if '"exit_code": 1' in (case.trajectory.messages[at].content or ""))
    reason = answered_from_sandbox(mutate(case, messages=without(case, [failing])))
    assert reason == "the tests were not seen to fail before they passed"


def test_a_repair_of_the_tests_is_rejected(coded: Coded, mutate: Mutate) -> None:
    case = coded["repair_initials"]

    def weaken(given: JsonObject) -> JsonObject:
        content = str(given["content"])
        is_test = str(given["path"]).startswith("test_")
        return {**given, "content": content.replace("==", "is not")} if is_test else given

    reason = answered_from_sandbox(mutate(case, messages=with_arguments(case, "code__write_file", weaken)))
    assert reason == "test_initials.py was changed, and not the code that it tests"


def test_a_repair_that_drops_a_test_is_rejected(coded: Coded, mutate: Mutate) -> None:
    case = coded["repair_initials"]
    verdict = json.loads(json.loads(case.trajectory.messages[code_places(case)[-1]].content or "")["stdout"])
    verdict["tests"] = verdict["tests"][1:]
    messages = with_stdout(case, code_places(case)[-1], json.dumps(verdict))
    assert "or are gone: ['test_initials.py::test_1']" in (answered_from_sandbox(mutate(case, messages=messages)) or "")


# ── code_result_right ────────────────────────────────────────────────────────────────────────────────────────


def test_a_wrong_result_of_the_code_is_rejected(coded: Coded, mutate: Mutate) -> None:
    case = coded["total"]
    reason = code_result_right(mutate(case, messages=with_stdout(case, code_places(case)[-1], "-1.00\n")))
    assert reason == f"the code printed '-1.00' instead of {result_of(case)!r}"


def test_a_code_step_that_was_never_run_is_rejected(coded: Coded, mutate: Mutate) -> None:
    case = coded["total"]
    reason = code_result_right(mutate(case, messages=without(case, code_places(case))))
    assert reason == f"the code printed '' instead of {result_of(case)!r}"


def test_a_second_run_that_is_right_counts(coded: Coded, mutate: Mutate) -> None:
    case = coded["total"]
    (place,) = code_places(case)
    asked, told = case.trajectory.messages[place - 1 : place + 1]
    call = asked.tool_calls[0].model_copy(update={"id": "call_before"})
    first = told.model_copy(update={"tool_call_id": "call_before", "content": '{"exit_code": 0, "stdout": "[1, 2]"}'})
    before = (*case.trajectory.messages[: place - 1], asked.model_copy(update={"tool_calls": (call,)}), first)
    again = mutate(case, messages=(*before, *case.trajectory.messages[place - 1 :]))
    labels = case.trajectory.labels
    again = mutate(again, labels=(*labels[:-1], "compute", labels[-1]))
    assert code_result_right(again) is None
    assert answered_from_sandbox(again) is None
