"""The failure tree: every way this system says no.

    TdsError                 a person can act on it; the shell prints its one sentence and exits non-zero
    ├── ConfigError          a setting, file or source is missing or malformed
    ├── StorageError         the lake or the home folder cannot be read or written
    ├── SandboxError         no sandbox works on this machine, or the chosen one broke
    ├── ModelError           a model call failed; .kind says how, .retryable whether to try again
    ├── ToolError            a live tool's server cannot be reached, broke off or did not answer in time
    └── SpecError            a service spec is wrong; names file, operation and remedy

A failed *conversation* is not an exception: it is a stored row whose `failure` says what happened.
A message says what was seen and what to do.
"""

from typing import Literal

ModelFailure = Literal["throttled", "timeout", "server", "bad_request", "context_length", "content_filter", "malformed"]
RETRYABLE: frozenset[ModelFailure] = frozenset({"throttled", "timeout", "server"})


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


class ModelError(TdsError):
    """A model call failed."""

    def __init__(self, kind: ModelFailure, detail: str) -> None:
        super().__init__(f"model call failed ({kind}): {detail}")
        self.kind = kind
        self.detail = detail

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later."""
        return self.kind in RETRYABLE
