"""`sources.yaml` is read as written, and what is wrong with it is said in one sentence."""

from pathlib import Path

import pytest

from tdscaling_assets.catalog.sources import BuiltinSource, FileSource, McpSource, OpenapiSource, read_sources
from tdscaling_assets.errors import ConfigError


def write(folder: Path, text: str) -> Path:
    path = folder / "sources.yaml"
    path.write_text(text)
    return path


def test_entries_keep_their_order_and_paths_start_at_the_sources_file(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text("{}")
    (tmp_path / "tools.jsonl").write_text("{}")
    (tmp_path / "api.yaml").write_text("openapi: 3.1.0")
    text = "sources:\n- openapi: api.yaml\n"
    text += "- mcp_config: mcp.json\n  timeout: 5\n  at_once: 20\n"
    text += "- builtin: [shop]\n- file: tools.jsonl\n  domain: travel\n"
    assert read_sources(write(tmp_path, text)) == (
        OpenapiSource(openapi=tmp_path / "api.yaml"),
        McpSource(mcp_config=tmp_path / "mcp.json", timeout=5, at_once=20),
        BuiltinSource(builtin=("shop",)),
        FileSource(file=tmp_path / "tools.jsonl", domain="travel"),
    )


def test_the_repository_default_is_all_builtin_services() -> None:
    default = Path(__file__).parents[2] / "sources.yaml"
    assert read_sources(default) == (BuiltinSource(builtin="all"),)


def test_a_bare_list_and_a_bare_word_are_understood(tmp_path: Path) -> None:
    assert read_sources(write(tmp_path, "- builtin\n")) == (BuiltinSource(builtin="all"),)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sources: [", "is not YAML"),
        ("", "lists no sources"),
        ("sources: []", "lists no sources"),
        ("tools: []", "unknown key 'tools'"),
        ("- builtin: all\n  colour: red\n", "unknown key 'colour'"),
        ("- file: missing.json\n", "is not a file"),
        ("- builtin: 3\n", "`all` or a list"),
        ("- mcp_config: m.json\n  timeout: 0\n", "seconds above 0"),
        ("- mcp_config: m.json\n  at_once: 0\n", "at least 1"),
        ("- openapi: api.yaml\n", "is not a file"),
        ("- openapi: 3\n", "the path of an OpenAPI document"),
        ("- openapi: api.yaml\n  timeout: 3\n", "unknown key 'timeout'"),
        ("- file: .\n", "is a folder, not a file"),
        ("- file: a\n  builtin: all\n", "exactly one of"),
        ("- 7\n", "write a mapping"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        read_sources(write(tmp_path, text))
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_file_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"does not exist.*TDS_SOURCES"):
        read_sources(tmp_path / "sources.yaml")
