"""Frames on the socket between the pool and a worker: what it is, whose call it belongs to, and a body."""

import struct
from enum import IntEnum
from typing import NamedTuple

_HEAD = struct.Struct("!IBQ")  # bytes of the body, what it is, number of the call


class Kind(IntEnum):
    """What a frame is. The pool sends the first three, a worker the others."""

    SETUP = 0  # pickled: the role to open first, and pickled by itself: the function that opens, its settings
    CALL = 1  # a ChatRequest as JSON
    CANCEL = 2
    ANSWER = 3  # an Answer as JSON
    FAILURE = 4  # a pickled exception


class Frame(NamedTuple):
    """A whole frame."""

    kind: Kind
    number: int
    body: bytes


def encode(kind: Kind, number: int, body: bytes = b"") -> bytes:
    """The bytes of a frame."""
    return _HEAD.pack(len(body), kind, number) + body


class Frames:
    """Bytes as they come in, whole frames out."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that these bytes complete."""
        self._pending += data
        whole: list[Frame] = []
        start = 0
        while len(self._pending) - start >= _HEAD.size:
            length, kind, number = _HEAD.unpack_from(self._pending, start)
            end = start + _HEAD.size + length
            if len(self._pending) < end:
                break
            whole.append(Frame(Kind(kind), number, bytes(self._pending[start + _HEAD.size : end])))
            start = end
        del self._pending[:start]
        return whole
