"""What a sandbox promises: code in, a plain result out; whatever the code does is a result, never an exception."""

from typing import Protocol

from tdscaling_assets.schema import JsonObject, Record


class ExecResult(Record):
    """`exit_code` is null when the program was killed at a limit; texts are cut at the output limit."""

    exit_code: int | None
    stdout: str
    stderr: str
    timed_out: bool = False
    truncated: bool = False

    def observation(self) -> JsonObject:
        """What the assistant sees: no timings, no addresses, so equal runs look equal."""
        return self.model_dump()

    def last_words(self) -> str:
        """What the program printed; where it did not end well, why."""
        if self.exit_code == 0:
            return self.stdout
        return "out of time" if self.timed_out else self.stderr or "killed at a limit"


class Sandbox(Protocol):
    """Runs untrusted code. Raises SandboxError only when the sandbox itself cannot start."""

    @property
    def name(self) -> str:
        """Backend and version, stored with each trajectory."""
        ...

    async def run_python(self, code: str) -> ExecResult:
        """Run a Python program with no network and no host files."""
        ...

    async def close(self) -> None:
        """Release whatever the backend keeps."""
        ...
