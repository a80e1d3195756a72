"""What a sandbox promises: a command in, a plain result out; whatever it does is a result, never an exception."""

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from tdscaling_assets.schema import JsonObject, Record


class ExecResult(Record):
    """`exit_code` is null when the program was killed at a limit; texts are cut at the output limit.

    `created` are the workspace's new files, sorted, at most 100. `seconds` is how long it ran, which nobody else sees.
    """

    exit_code: int | None
    stdout: str
    stderr: str
    timed_out: bool = False
    truncated: bool = False
    created: tuple[str, ...] = ()
    seconds: float = 0.0

    def observation(self) -> JsonObject:
        """What the assistant sees: no timings, no addresses, so equal runs look equal."""
        return self.model_dump(mode="json", exclude={"seconds"})

    def last_words(self) -> str:
        """What the program printed; where it did not end well, why."""
        if self.exit_code == 0:
            return self.stdout
        return "out of time" if self.timed_out else self.stderr or "killed at a limit"


def observation_schema() -> JsonObject:
    """JSON Schema of `ExecResult.observation`."""
    schema = ExecResult.model_json_schema()
    schema["properties"].pop("seconds")
    return schema


class Session(Protocol):
    """One conversation's workspace. What a call leaves in its files the next one finds; nothing else survives a call:
    no variable and no process."""

    async def run(self, command: Sequence[str], given: bytes = b"") -> ExecResult:
        """Run a command in the workspace, with `given` as its standard input."""
        ...

    async def run_python(self, code: str) -> ExecResult:
        """Run a Python program in the workspace."""
        ...

    async def close(self) -> None:
        """Forget the workspace; a second time does nothing."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Sandbox(Protocol):
    """Runs untrusted code, of any number of event loops. Raises SandboxError only when the sandbox itself is broken."""

    @property
    def name(self) -> str:
        """Backend and versions, stored with each trajectory."""
        ...

    def open(self, workspace_id: str) -> Session:
        """A session with a fresh workspace; it takes up room only from its first call on. Failures name the id."""
        ...

    async def run_python(self, code: str) -> ExecResult:
        """Run a Python program in a workspace of its own."""
        ...

    async def close(self) -> None:
        """Release whatever the backend keeps."""
        ...
