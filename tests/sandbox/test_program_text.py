"""Bytes of a stream in, the kept text out; a program's text in, its bytes out."""

from tdscaling_assets.sandbox.program import Capture, limits_from, outcome, program_bytes
from tdscaling_assets.settings import Settings


def _fed(limit: int, *chunks: bytes) -> Capture:
    capture = Capture(limit)
    for chunk in chunks:
        capture.feed(chunk)
    return capture


def test_a_character_cut_at_the_limit_is_dropped() -> None:
    assert _fed(4, "aéé".encode()).text() == "aé"


def test_a_character_split_over_chunks_is_whole() -> None:
    assert _fed(9, b"a\xc3", b"\xa9b").text() == "aéb"


def test_output_at_the_limit_is_not_truncated() -> None:
    assert not _fed(4, b"ab", b"cd").truncated
    assert _fed(4, b"ab", b"cde").truncated


def test_memory_stays_at_the_limit() -> None:
    assert _fed(4, *[b"x" * 1000] * 50).text() == "xxxx"


def test_lone_surrogates_become_question_marks() -> None:
    assert program_bytes("'\ud800'") == b"'?'"


def test_a_program_stopped_by_the_kernel_has_no_exit_code() -> None:
    empty = Capture(1)
    assert outcome(137, empty, empty, killed=False, timed_out=False).exit_code is None


def test_exhausted_cpu_is_a_time_out() -> None:
    empty = Capture(1)
    assert outcome(152, empty, empty, killed=False, timed_out=False).timed_out


def test_limits_come_from_the_settings() -> None:
    settings = Settings(sandbox_seconds=3, sandbox_memory_mb=64, sandbox_processes=5, sandbox_output_bytes=99)
    limits = limits_from(settings)
    assert (limits.seconds, limits.memory_mb, limits.processes, limits.output_bytes) == (3, 64, 5, 99)
