"""Text of an endpoint in, the same without credentials out: some endpoints repeat the key that they refuse."""

import os
import re

_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_SHORTEST = 6
"""Characters below which a value is too common a word to be hidden."""


def hide_secrets(text: str, *more: str) -> str:
    """`***` for each value of an environment variable whose name tells that it is secret, and for each of `more`."""
    values = {value for name, value in os.environ.items() if _SECRET_NAME.search(name)} | set(more)
    for secret in sorted((value for value in values if len(value) >= _SHORTEST), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
