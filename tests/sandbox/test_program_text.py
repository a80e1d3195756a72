"""Bytes of a stream in, the kept text out; a program's text in, its bytes out; an answer from inside, its result."""

import base64
from typing import Any

from tdscaling_assets.sandbox.program import kept_text, limits_from, outcome, program_bytes
from tdscaling_assets.settings import Settings


def answer(**changes: object) -> dict[str, Any]:
    """A good end with some output, but for the changes."""
    text = base64.b64encode(b"said").decode()
    plain = {"status": 0, "out": text, "err": "", "cut": [False, False], "why": "", "created": [], "seconds": 0.5}
    return {**plain, **changes}


def test_a_character_cut_at_the_limit_is_dropped() -> None:
    assert kept_text("aéé".encode()[:4], cut=True) == "aé"


def test_invalid_bytes_are_replaced() -> None:
    assert kept_text("aé".encode()[:2], cut=False) == "a\ufffd"


def test_lone_surrogates_become_question_marks() -> None:
    assert program_bytes("'\ud800'") == b"'?'"


def test_a_program_stopped_by_the_kernel_has_no_exit_code() -> None:
    assert outcome(answer(status=137)).exit_code is None


def test_exhausted_cpu_is_a_time_out() -> None:
    assert outcome(answer(status=152)).timed_out


def test_a_program_that_was_stopped_has_no_exit_code_and_keeps_its_output() -> None:
    result = outcome(answer(why="memory"))
    assert (result.exit_code, result.timed_out, result.stdout) == (None, False, "said")


def test_an_observation_has_no_duration() -> None:
    result = outcome(answer())
    assert result.seconds == 0.5
    assert "seconds" not in result.observation()


def test_limits_come_from_the_settings() -> None:
    settings = Settings(
        sandbox_seconds=3, sandbox_memory_mb=64, sandbox_processes=5, sandbox_output_bytes=99, sandbox_at_once=3
    )
    limits = limits_from(settings)
    assert (limits.seconds, limits.memory_mb, limits.processes, limits.output_bytes) == (3, 64, 5, 99)
    assert limits.at_once == 3
