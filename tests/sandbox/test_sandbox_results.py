"""Programs in, ExecResults out: what a well-meaning program sees, the same on both backends."""

import asyncio
from collections.abc import Callable

import pytest

from tdscaling_assets.sandbox.program import MAX_PROGRAM_BYTES, Limits
from tdscaling_assets.sandbox.protocol import ExecResult, Sandbox

ORDINARY = {
    "sets": "print({'pear', 'apple', 'fig', 'plum'}, hash('order'))",
    "json": "import json, statistics\nprint(json.dumps({'mean': statistics.mean([1, 2, 4])}))",
    "files": "from pathlib import Path\nPath('a.txt').write_text('hi')\nprint(Path('a.txt').read_text(), Path.cwd())",
    "errors": "def total(rows):\n    return sum(row['price'] for row in rows)\n\nprint(1)\ntotal([{'price': 1}, {}])",
    "standard library in a traceback": "import json\njson.loads('{')",
    "exit": "import sys\nsys.exit('no such order')",
    "processes": "import multiprocessing\npool = multiprocessing.Pool(2)\nprint(pool.map(abs, [-1, 2]))\n"
    "pool.close()\npool.join()",
    "threads": "import threading\nt = threading.Thread(target=print, args=('in a thread',))\nt.start()\nt.join()",
    "modules": "open('helper.py', 'w').write('x = 5')\nimport helper\nprint(helper.x)",
    "time zones": "import zoneinfo\nprint(zoneinfo.ZoneInfo('Europe/Rome').utcoffset(None))",
    "user": "import os\nprint(os.getuid(), os.getgid(), os.uname().nodename)",
}

Open = Callable[[Limits], Sandbox]


def run(sandbox: Sandbox, code: str) -> ExecResult:
    return timeless(asyncio.run(sandbox.run_python(code)))


def timeless(result: ExecResult) -> ExecResult:
    """The result but for its duration."""
    return result.model_copy(update={"seconds": 0.0})


def test_prints(sandbox: Sandbox) -> None:
    assert run(sandbox, "print('héllo', 6 * 7)") == ExecResult(exit_code=0, stdout="héllo 42\n", stderr="")


def test_keeps_stderr_and_exit_code(sandbox: Sandbox) -> None:
    result = run(sandbox, "import sys\nprint('bad order', file=sys.stderr)\nsys.exit(3)")
    assert result == ExecResult(exit_code=3, stdout="", stderr="bad order\n")


def test_a_syntax_error_is_a_result(sandbox: Sandbox) -> None:
    result = run(sandbox, "def (")
    assert result.exit_code == 1
    assert "SyntaxError" in result.stderr


def test_a_traceback_shows_the_program_and_no_host_path(sandbox: Sandbox) -> None:
    result = run(sandbox, "1 / 0")
    assert result.stderr.splitlines()[1:3] == ['  File "/tmp/main.py", line 1, in <module>', "    1 / 0"]
    assert result.stderr.count("File ") == 1


def test_a_signal_is_an_exit_code_above_128(sandbox: Sandbox) -> None:
    assert run(sandbox, "import os\nos.abort()").exit_code == 134


def test_input_is_empty(sandbox: Sandbox) -> None:
    assert "EOFError" in run(sandbox, "input()").stderr


def test_equal_programs_give_equal_results(sandbox: Sandbox) -> None:
    code = "import os\nprint({'pear', 'apple', 'fig'}, hash('x'), sorted(os.environ.items()))"
    assert run(sandbox, code) == run(sandbox, code)


def test_invalid_utf8_is_replaced(sandbox: Sandbox) -> None:
    assert run(sandbox, r"import os; os.write(1, b'a\xff\xfeb\n')").stdout == "a��b\n"


def test_terminal_escapes_stay_text(sandbox: Sandbox) -> None:
    assert run(sandbox, r"print('\x1b[31mred\x1b[0m')").stdout == "\x1b[31mred\x1b[0m\n"


@pytest.mark.parametrize("code", ["print(1)\x00", "print('\ud800')", ""])
def test_any_text_is_a_program(sandbox: Sandbox, code: str) -> None:
    assert run(sandbox, code).exit_code in (0, 1)


def test_a_long_program_runs(sandbox: Sandbox) -> None:
    assert run(sandbox, "#" * 700_000 + "\nprint('end')").stdout == "end\n"


def test_a_program_beyond_the_limit_is_refused(sandbox: Sandbox) -> None:
    result = run(sandbox, "#" * (MAX_PROGRAM_BYTES + 1))
    assert (result.exit_code, result.stderr) == (None, f"program is larger than {MAX_PROGRAM_BYTES} bytes\n")


def test_calls_run_side_by_side(sandbox: Sandbox) -> None:
    async def run_all() -> list[ExecResult]:
        return await asyncio.gather(*(sandbox.run_python(f"print({n})") for n in range(6)))

    assert [result.stdout for result in asyncio.run(run_all())] == [f"{n}\n" for n in range(6)]


def test_the_name_tells_backend_and_version(sandbox: Sandbox) -> None:
    assert sandbox.name.split()[0] in ("bubblewrap", "docker")
    assert any(character.isdigit() for character in sandbox.name)


@pytest.mark.docker
def test_both_backends_agree_on_ordinary_programs(bubblewrap: Open, docker: Open, limits: Limits) -> None:
    async def run_all(sandbox: Sandbox) -> dict[str, ExecResult]:
        results = await asyncio.gather(*map(sandbox.run_python, ORDINARY.values()))
        return dict(zip(ORDINARY, map(_comparable, results), strict=True))

    assert asyncio.run(run_all(bubblewrap(limits))) == asyncio.run(run_all(docker(limits)))


def _comparable(result: ExecResult) -> ExecResult:
    """Without the duration, and traceback lines of the standard library, whose version is the image's choice."""
    lines = result.stderr.splitlines()
    kept = [line for line in lines if not line.startswith("  ") or "/tmp/" in line]
    return result.model_copy(update={"stderr": "\n".join(kept), "seconds": 0.0})
