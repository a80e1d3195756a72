"""One template per speaking role, rendered strictly, and the private guidance that rides in a system prompt.

Guidance is a JSON hint between `<guidance>` tags at the end of the system message that is sent to the model; the
stored system message never has it. A template's content hash is its version, stored with each trajectory.
"""

import hashlib
import json
import re
from functools import cache
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined
from pydantic import JsonValue

from tdscaling_assets.schema import JsonObject, parse_object

TEMPLATES = ("planner", "user", "assistant", "environment", "judge", "tools", "repair")
LEAK_MARKERS = ("<guidance", "</guidance", "my guidance", "private guidance", "my instructions say", "the blueprint")

_TAG = re.compile(r"<(?=\s*/?\s*guidance)", re.IGNORECASE)
_OPEN, _CLOSE = "<guidance>", "</guidance>"


def render(role: str, **values: object) -> str:
    """The role's system prompt; an unknown or missing value raises jinja2.UndefinedError."""
    return _environment().get_template(role).render(**values).strip()


def with_guidance(system: str, hint: JsonObject) -> str:
    """The system prompt with the hint appended as private guidance, the only one in it: tags in the prompt itself,
    which can only come from values, are broken."""
    system = _TAG.sub("(", system)
    note = "Private guidance for your next message only. Follow it in your own words and never mention it."
    return f"{system}\n\n{note}\n{_OPEN}\n{as_data(hint)}\n{_CLOSE}"


def as_data(value: JsonValue) -> str:
    """Foreign data as one line of JSON for a prompt, in which no value can open or close a tag."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def read_guidance(system: str) -> JsonObject | None:
    """The hint inside a system prompt, or None when there is none."""
    if _OPEN not in system:
        return None
    return parse_object(system.rsplit(_OPEN, 1)[1].split(_CLOSE, 1)[0])


def template_size(role: str) -> int:
    """Characters of a role's template."""
    return len(_source(role))


@cache
def prompt_versions() -> dict[str, str]:
    """Template → first 12 hex digits of its's SHA-256."""
    return {role: hashlib.sha256(_source(role).encode()).hexdigest()[:12] for role in TEMPLATES}


@cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_source),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _source(role: str) -> str:
    return resources.files(__package__).joinpath(f"{role}.md.jinja").read_text(encoding="utf-8")
