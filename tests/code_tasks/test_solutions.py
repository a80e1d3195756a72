"""The reference solution of every kind, really run, ends in the result that was known beforehand."""

import asyncio
import json
import random
from collections.abc import Callable

import pytest

from tdscaling_assets.code_tasks import KINDS, Kind, Material, result_line
from tdscaling_assets.sandbox.protocol import ExecResult, Sandbox
from tdscaling_assets.sandbox.tools import TOOLS, use_tool
from tdscaling_assets.schema import CODE_TOOL, JsonObject

Draw = Callable[[Kind, random.Random], Material]

PROGRAMS = [name for name, kind in KINDS.items() if kind.tool_ids == (CODE_TOOL,)]
WORKSHOPS = [name for name in KINDS if name not in PROGRAMS]
REPAIRS = [name for name, kind in KINDS.items() if kind.family == "repair_test"]


def solve_for_real(kind: Kind, material: Material, sandbox: Sandbox) -> list[ExecResult]:
    """The results of all calls, in one workspace."""

    async def work() -> list[ExecResult]:
        async with sandbox.open(kind.name) as session:
            return [
                await use_tool(session, call.tool_id.split("__")[-1], call.arguments(material)) for call in kind.calls
            ]

    return asyncio.run(work())


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_prints_the_known_result(name: str, sandbox: Sandbox, draw_material: Draw) -> None:
    """Many materials in one run of the sandbox: each program in a namespace of its own, results one to a line."""
    rng = random.Random(name)
    materials = [draw_material(KINDS[name], rng) for _ in range(25)]
    programs = [KINDS[name].calls[0].arguments(material)["code"] for material in materials]
    result = asyncio.run(sandbox.run_python(f"for program in {programs!r}:\n    exec(program, {{'__name__': 'x'}})\n"))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [KINDS[name].solve(material) for material in materials]


@pytest.mark.parametrize("name", WORKSHOPS)
def test_several_calls_end_in_the_known_result(name: str, sandbox: Sandbox, draw_material: Draw) -> None:
    kind, rng = KINDS[name], random.Random(name)
    for _ in range(1 if kind.family in ("repair_test", "write_function") else 6):
        material = draw_material(kind, rng)
        results = solve_for_real(kind, material, sandbox)
        assert [result.exit_code != 0 for result in results] == [call.fails for call in kind.calls]
        assert [result.created for result in results] == [call.creates for call in kind.calls]
        assert result_line(results[-1].stdout) == kind.solve(material)


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.family == "write_function"])
def test_a_written_function_is_applied_to_what_the_user_gives(name: str, sandbox: Sandbox) -> None:
    kind = KINDS[name]
    assert kind.draw is not None
    material = Material(facts=kind.draw(random.Random(3), ["get_order", "list_items"]))
    last = kind.calls[-1]
    files = {call.arguments(material)["path"]: call.arguments(material)["content"] for call in kind.calls[:2]}
    module = next(str(text) for path, text in files.items() if not str(path).startswith("test_"))
    code = str(last.arguments(material)["code"]).split("\n", 1)[1]
    assert asyncio.run(sandbox.run_python(f"{module}\n{code}")).stdout.strip() == kind.solve(material)


@pytest.mark.parametrize("name", REPAIRS)
def test_a_broken_function_fails_some_of_its_tests_and_not_by_a_crash(name: str, sandbox: Sandbox) -> None:
    kind = KINDS[name]
    for seed in range(2):
        assert kind.draw is not None
        failed = solve_for_real(kind, Material(facts=kind.draw(random.Random(seed), ())), sandbox)[2]
        told = json.loads(failed.stdout)
        assert told["failed"] >= 1
        assert told["errors"] == 0


def test_the_tools_are_called_as_they_are_described(draw_material: Draw) -> None:
    described = {tool.name: tool for tool in TOOLS}
    for kind in KINDS.values():
        material = draw_material(kind, random.Random(1))
        for call in kind.calls:
            tool = described[call.tool_id.split("__")[-1]]
            given = call.arguments(material)
            assert set(tool.parameters) - tool.optional <= set(given) <= set(tool.parameters)


def test_a_program_holds_only_the_field_it_needs() -> None:
    rows: tuple[JsonObject, ...] = ({"amount": 1, "iban": "secret"}, {"amount": 2, "iban": "secret"})
    for name in ("total", "sql_above"):
        program = KINDS[name].calls[0].arguments(Material(field="amount", rows=rows))["code"]
        assert "secret" not in str(program)
