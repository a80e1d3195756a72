"""Anybody's conversations in OpenAI's format in, the same metrics as for our own out."""

import gzip
import json
import zlib
from pathlib import Path

import polars as pl
from pydantic import ValidationError

from tdscaling_assets.errors import ConfigError
from tdscaling_assets.measures import action_complexity, reasoning_labels, reasoning_mode, unused_calls
from tdscaling_assets.metrics.context import MeasureContext
from tdscaling_assets.metrics.measure import measure
from tdscaling_assets.schema import Message
from tdscaling_assets.settings import Settings

_SCHEMA: dict[str, pl.DataType] = {
    "trajectory_id": pl.String(),
    "domain": pl.String(),
    "mode": pl.List(pl.String()),
    "labels": pl.List(pl.String()),
    "cac": pl.Float64(),
    "unused_calls": pl.Int64(),
    "cluster_id": pl.String(),
    "calls": pl.List(pl.String()),
}


def measure_file(path: Path, settings: Settings) -> pl.DataFrame:
    """metric, value, ci_low, ci_high, n of a JSONL file (or .gz); rows without a domain count as `unknown`.

    Raises ConfigError naming the line that is not a conversation.
    """
    lines = enumerate(_lines(path), start=1)
    rows = [_measured(number, line, path, settings) for number, line in lines if line.strip()]
    if not rows:
        raise ConfigError(f"{path} holds no conversation: give a JSONL file with one object with `messages` per line")
    context = MeasureContext(
        batch="", scope="batch", rarefaction=settings.rarefaction, resamples=settings.bootstrap, seed=settings.seed
    )
    measured = measure(pl.DataFrame(rows, schema=_SCHEMA), context)
    return pl.DataFrame([row.model_dump(exclude={"batch", "scope"}) for row in measured])


def _lines(path: Path) -> list[str]:
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path} ({error}): give a JSONL file of conversations") from error
    return text.split("\n")  # not splitlines: JSON may hold other line separators as they are


def _measured(number: int, line: str, path: Path, settings: Settings) -> dict[str, object]:
    try:
        row = json.loads(line)
        messages = tuple(_message(message) for message in row["messages"])
    except (json.JSONDecodeError, AttributeError, KeyError, TypeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"line {number} of {path} is no conversation ({type(error).__name__}: {reason}): each line needs a list "
            "`messages` in OpenAI's format"
        ) from error
    labels = reasoning_labels(messages, {})
    return {
        "trajectory_id": str(row.get("id", number)),
        "domain": str(row.get("domain") or "unknown"),
        "mode": list(reasoning_mode(labels)),
        "labels": list(labels),
        "cac": action_complexity(messages, settings.cac),
        "unused_calls": unused_calls(messages, {}),
        "cluster_id": "",
        "calls": [call.name for message in messages for call in message.tool_calls],
    }


def _message(wire: dict[str, object]) -> Message:
    """A wire message as a record; content parts are joined, fields that do not matter here are left out."""
    content = wire.get("content")
    if isinstance(content, list):
        content = "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    calls = wire.get("tool_calls")
    return Message.model_validate(
        {
            "role": "system" if wire.get("role") == "developer" else wire.get("role"),
            "content": content,
            "tool_call_id": wire.get("tool_call_id"),
            "tool_calls": [
                {
                    "id": call.get("id") or str(place),
                    "name": call["function"]["name"],
                    "arguments": _text(call["function"].get("arguments", "{}")),
                }
                for place, call in enumerate(calls if isinstance(calls, list) else [])
            ],
        }
    )


def _text(arguments: object) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)
