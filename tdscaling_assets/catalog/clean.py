"""Foreign text in, text that shows all it holds out: what cannot be seen, or moves what can, is taken out.

Gone are ANSI escape sequences, control characters except line feed and tab, bidirectional overrides and marks,
zero-width characters, tag characters and lone surrogates. Joiners (U+200C, U+200D) stay: scripts and emoji need them.
"""

import json
import re

from pydantic import JsonValue

_ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)|\x1b[ -/]*[0-~]"
)
_UNSEEN = (
    "\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
    "\ud800-\udfff"
)
_STRIPPED = re.compile(f"[\x00-\x08\x0b-\x1f{_UNSEEN}]")
_IN_JSON = re.compile(rf"\\u00[01]|\\[bfr]|[{_UNSEEN}]")
_RAW_IN_JSON = re.compile(f"[{_UNSEEN}]")


def clean_text(text: str) -> str:
    """The text without what cannot be seen; line ends are line feeds."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    return _STRIPPED.sub("", _ANSI.sub("", text))


def clean_json(value: JsonValue, text: str) -> JsonValue:
    """The value with every name and text in it cleaned; `text` is its `json_text`.

    ValueError when two names of one object differ in nothing else.
    """
    return _clean(value) if _IN_JSON.search(text) else value


def json_text(value: JsonValue) -> str:
    """The value as JSON that a terminal can show: what cannot be seen is escaped, and reads back equal."""
    text = json.dumps(value, ensure_ascii=False)
    return _RAW_IN_JSON.sub(lambda found: json.dumps(found[0])[1:-1], text)


def _clean(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        cleaned = {clean_text(name): _clean(item) for name, item in value.items()}
        if len(cleaned) < len(value):
            raise ValueError("two names differ only in characters that cannot be seen")
        return cleaned
    return value
