"""A folder of benchmark JSONL in, its word 13-grams out; a conversation that shares one must not be trained on."""

import gzip
import json
from pathlib import Path

from pydantic import JsonValue

from tdscaling_assets.errors import ConfigError
from tdscaling_assets.measures import leaves
from tdscaling_assets.schema import Trajectory
from tdscaling_assets.text import word_ngrams

NGRAM = 13


def benchmark_ngrams(folder: Path) -> set[str]:
    """All 13-grams of every string in the folder's *.jsonl and *.jsonl.gz. Raises ConfigError when it has none."""
    files = sorted([*folder.rglob("*.jsonl"), *folder.rglob("*.jsonl.gz")]) if folder.is_dir() else []
    if not files:
        raise ConfigError(
            f"TDS_DECONTAMINATE is {str(folder)!r}, which holds no .jsonl file: name a folder of benchmarks"
        )
    return {gram for path in files for row in _rows(path) for text in leaves(row) for gram in _long_ngrams(str(text))}


def shared_ngram(trajectory: Trajectory, grams: set[str]) -> str | None:
    """A benchmark 13-gram that a user message contains, or None."""
    texts = [message.content or "" for message in trajectory.messages if message.role == "user"]
    return next((gram for text in texts for gram in sorted(_long_ngrams(text) & grams)), None)


def _long_ngrams(text: str) -> set[str]:
    return {gram for gram in word_ngrams(text, NGRAM) if gram.count(" ") == NGRAM - 1}


def _rows(path: Path) -> list[JsonValue]:
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return [json.loads(line) for line in content.splitlines() if line.strip()]
    except (json.JSONDecodeError, OSError) as error:
        raise ConfigError(f"{path} is not JSON Lines ({error}): remove it or mend it") from error
