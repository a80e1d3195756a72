"""Durable checkpoint of one batch: a line of JSON per finished conversation, on disk before the next one counts.

A run that dies resumes from here. A killed write loses at most its own line. A line counts only for the blueprint it
was made from, so a changed blueprint is talked through again.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tdscaling_assets.errors import StorageError
from tdscaling_assets.schema import Trajectory
from tdscaling_assets.storage.locks import try_lock

_BATCH = re.compile(r"[A-Za-z0-9_-]+")


class _Line(NamedTuple):
    """Where a line is in the file, in bytes."""

    start: int
    size: int


class Spool:
    """The open spool of one batch, held by one process at a time. Raises StorageError."""

    def __init__(self, home: Path, batch: str) -> None:
        if not _BATCH.fullmatch(batch):
            raise StorageError(f"{batch!r} is not a batch key: use letters, digits, - and _, such as r01-b01")
        self._path = home / "spool" / f"{batch}.jsonl"
        with self._errors("open"):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = _open_locked(self._path)
            self._end = _end_last_line(self._file)
        self._held: dict[str, _Line] = {}

    def close(self) -> None:
        """Release the lock, keep the lines; closing twice is harmless."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, trajectory: Trajectory, blueprint_digest: str) -> None:
        """Keep the conversation; when this returns, it survives a crash of the machine."""
        line = json.dumps({"digest": blueprint_digest, "trajectory": trajectory.model_dump()}).encode() + b"\n"
        with self._errors("write"):
            try:
                _write_all(self._file, line)
                os.fsync(self._file)
            except OSError:
                os.ftruncate(self._file, self._end)
                raise
            self._held[trajectory.blueprint_id] = _Line(self._end, len(line))
            self._end += len(line)

    def load(self, digests: Mapping[str, str]) -> list[str]:
        """Ids of the blueprints with a kept conversation whose digest is still that of `digests`, in order of lines.

        Lines that a crash tore or an older version wrote are left out: their conversations run again.
        """
        self._held.clear()
        place = 0
        with self._errors("read"), self._path.open("rb") as file:
            for line in file:
                parsed = _parse(line)
                if parsed is not None and digests.get(parsed[1].blueprint_id) == parsed[0]:
                    self._held[parsed[1].blueprint_id] = _Line(place, len(line))
                place += len(line)
        return list(self._held)

    def read(self, blueprint_id: str) -> Trajectory:
        """The newest conversation of a blueprint that was loaded or appended; KeyError of any other."""
        line = self._held[blueprint_id]
        with self._errors("read"):
            parsed = _parse(os.pread(self._file, line.size, line.start))
        if parsed is None:
            raise StorageError(f"the spool {self._path} was changed while it was in use: run the batch again")
        return parsed[1]

    def clear(self) -> None:
        """Delete the lines once the batch is in the lake, and close."""
        with self._errors("clear"):
            self._path.unlink(missing_ok=True)
        self.close()

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            detail = error.strerror or str(error)
            raise StorageError(
                f"cannot {doing} the spool {self._path}: {detail}; check the disk and TDS_HOME"
            ) from None


def _open_locked(path: Path) -> int:
    """Descriptor of the file, created if need be and locked; StorageError when another process holds it."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        if not try_lock(file):
            os.close(file)
            raise StorageError(f"another process is running batch {path.stem}: wait for it to end, or stop it")
        if os.fstat(file).st_nlink:
            _sync_folder(path.parent)
            return file
        os.close(file)  # its last holder deleted it between our open and our lock


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _end_last_line(file: int) -> int:
    """Close a torn last line, so that the next one starts fresh; the file's size."""
    size = os.fstat(file).st_size
    if size and os.pread(file, 1, size - 1) != b"\n":
        _write_all(file, b"\n")
        size += 1
    return size


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _parse(line: bytes) -> tuple[str, Trajectory] | None:
    """Digest and conversation of a line; None when it is torn or of another version."""
    try:
        value = json.loads(line)
        return str(value["digest"]), Trajectory.model_validate(value["trajectory"])
    except (ValueError, KeyError, TypeError):
        return None
