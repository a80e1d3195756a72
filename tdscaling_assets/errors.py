"""The failure tree: every way this system says no.

    TdsError                 a person can act on it; the shell prints its one sentence and exits non-zero
    ├── ConfigError          a setting, file or source is missing or malformed
    ├── StorageError         the lake or the home folder cannot be read or written
    ├── SandboxError         no sandbox works on this machine, or the chosen one broke
    ├── ModelError           a model call failed; .kind says how, .retryable whether to try again
    ├── EndpointDownError    an endpoint has answered nothing for longer than the set patience
    ├── BudgetReachedError   what may be spent on this batch or night is spent
    ├── ToolError            a live tool's server cannot be reached, broke off or did not answer in time
    └── SpecError            a service spec is wrong; names file, operation and remedy

A failed *conversation* is not an exception: it is a stored row whose `failure` says what happened.
A message says what was seen and what to do.
"""

from collections.abc import Mapping
from typing import Literal

ModelFailure = Literal[
    "throttled", "timeout", "server", "malformed", "refused", "bad_request", "context_length", "content_filter"
]
RETRYABLE: frozenset[ModelFailure] = frozenset({"throttled", "timeout", "server", "malformed", "refused"})


class TdsError(Exception):
    """Base of all failures that a person can act on."""


class ConfigError(TdsError):
    """A setting, file or source is missing or malformed."""


class StorageError(TdsError):
    """The lake or the home folder cannot be read or written."""


class SandboxError(TdsError):
    """No sandbox works on this machine, or the chosen one broke."""


class ToolError(TdsError):
    """A live tool's server cannot be reached, broke off or did not answer in time."""


class SpecError(TdsError):
    """A service spec is wrong."""


class EndpointDownError(TdsError):
    """An endpoint has answered nothing for longer than the set patience, or refuses every call."""


class BudgetReachedError(TdsError):
    """What may be spent on this batch or night is spent."""


class ModelError(TdsError):
    """A model call failed; `headers` are what the endpoint said of its limits, in lower case, and `tokens` (prompt,
    completion) what it counted all the same."""

    def __init__(
        self,
        kind: ModelFailure,
        detail: str,
        headers: Mapping[str, str] | None = None,
        tokens: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__(f"model call failed ({kind}): {detail}")
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})
        self.tokens = tokens

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.kind, self.detail, self.headers, self.tokens)

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later."""
        return self.kind in RETRYABLE
