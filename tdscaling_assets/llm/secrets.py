"""Text of an endpoint in, the same without credentials out: some endpoints repeat the key that they refuse."""

import os
import re
from urllib.parse import urlsplit

from pydantic import JsonValue

from tdscaling_assets.settings import ModelOptions

_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|HEADERS|AUTH", re.IGNORECASE)
_SHORTEST = 6
"""Characters below which a value is too common a word to be hidden."""


def hide_secrets(text: str, *more: str) -> str:
    """`***` for each value of an environment variable whose name tells that it is secret, and for each of `more`."""
    values = {value for name, value in os.environ.items() if _SECRET_NAME.search(name)} | set(more)
    stripped = {value.strip() for value in values}
    for secret in sorted((value for value in stripped if len(value) >= _SHORTEST), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def secrets_of(options: ModelOptions) -> list[str]:
    """The key, the password of the base URL, and the texts of parameters whose names tell that they are secret."""
    password = urlsplit(options.base_url).password or ""
    named = [value for name, value in options.parameters.items() if _SECRET_NAME.search(name)]
    return [options.key.get_secret_value(), password, *(text for value in named for text in _texts(value))]


def without_login(url: str) -> str:
    """The URL as it may be shown."""
    return re.sub(r"(?<=://)[^/@]*@", "", url)


def _texts(value: JsonValue) -> list[str]:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [text for item in inner for text in _texts(item)]
    return [value] if isinstance(value, str) else []
