"""Promises of `tds measure`: anybody's conversations, counted by hand; a file that is none is refused by line."""

import gzip
import json
import math
from pathlib import Path

import pytest

from tdscaling_assets.commands.foreign import measure_file
from tdscaling_assets.errors import ConfigError
from tdscaling_assets.settings import Settings

SHARED = Path(__file__).parents[3] / "shared" / "data" / "trajectories" / "tau2_openai.jsonl.gz"
CALL = {"id": "1", "type": "function", "function": {"name": "get_order", "arguments": '{"order_id": "O-77"}'}}
ANSWERED = [
    {"role": "user", "content": "Where is O-77?"},
    {"role": "assistant", "content": "It is on its way."},
]
RETRIEVED = [
    {"role": "developer", "content": "Be kind."},
    {"role": "user", "content": [{"type": "text", "text": "Where is"}, {"type": "text", "text": "O-77?"}]},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "1", "content": '{"status": "shipped"}'},
    {"role": "assistant", "content": "It is on its way."},
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, bootstrap=10)


def write(path: Path, rows: list[object]) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def values(path: Path, settings: Settings) -> dict[str, float]:
    frame = measure_file(path, settings)
    assert frame.columns == ["metric", "value", "ci_low", "ci_high", "n"]
    return dict(frame.select("metric", "value").iter_rows())


@pytest.mark.parametrize("name", ["some.jsonl", "some.jsonl.gz"])
def test_metrics_are_those_counted_by_hand(name: str, tmp_path: Path, settings: Settings) -> None:
    rows = [
        {"messages": ANSWERED, "domain": "retail"},
        {"messages": ANSWERED, "domain": "retail"},
        {"messages": RETRIEVED, "domain": "travel"},
        {"messages": RETRIEVED},
    ]
    measured = values(write(tmp_path / name, rows), settings)
    assert measured["h_dom"] == pytest.approx(1.5)  # retail twice, travel, unknown
    assert measured["h_mode"] == pytest.approx(1.0)  # answer twice, retrieve>answer twice
    assert measured["h_step"] == pytest.approx(-(4 / 6) * math.log2(4 / 6) - (2 / 6) * math.log2(2 / 6))
    assert measured["cac_mean"] == pytest.approx((1.5 + 1.5) / 4)  # a call is 1, its leaf argument 0.5


def test_blank_lines_are_no_conversations_but_count_as_lines(tmp_path: Path, settings: Settings) -> None:
    path = write(tmp_path / "some.jsonl", [{"messages": ANSWERED}])
    path.write_text("\n" + path.read_text() + "\n\n")
    assert values(path, settings)["h_dom"] == 0
    path.write_text(path.read_text() + "{}")
    with pytest.raises(ConfigError, match="line 5 of"):
        measure_file(path, settings)


def test_a_line_separator_inside_a_text_ends_no_line(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "some.jsonl"
    path.write_text('{"messages": [{"role": "user", "content": "one\u2028two"}]}\n', encoding="utf-8")
    assert values(path, settings)["h_dom"] == 0


@pytest.mark.parametrize(
    "row",
    [
        7,
        {"text": "no messages"},
        {"messages": "hello"},
        {"messages": [{"role": "narrator", "content": "x"}]},
        {"messages": [{"role": "assistant", "tool_calls": [{"id": "1"}]}]},
        {"messages": ["hello"]},
    ],
)
def test_a_line_that_is_no_conversation_is_named(row: object, tmp_path: Path, settings: Settings) -> None:
    path = write(tmp_path / "some.jsonl", [{"messages": ANSWERED}, row])
    with pytest.raises(ConfigError, match=r"line 2 of .* is no conversation"):
        measure_file(path, settings)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("none.jsonl", None, "cannot read"),
        ("empty.jsonl", b"\n", "holds no conversation"),
        ("wrong.jsonl.gz", b"plain", "cannot read"),
        ("cut.jsonl.gz", gzip.compress(b'{"messages": []}\n' * 99)[:40], "cannot read"),
        ("binary.jsonl", b"\xff\xfe\x00", "cannot read"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(
    name: str, content: bytes | None, told: str, tmp_path: Path, settings: Settings
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=told):
        measure_file(tmp_path / name, settings)


def test_a_published_benchmark_can_be_measured(settings: Settings) -> None:
    if not SHARED.is_file():
        pytest.skip(f"{SHARED} is not there")
    measured = values(SHARED, settings)
    assert measured["h_dom"] > 1
    assert measured["h_mode"] > 4
    assert measured["cac_mean"] > 10
