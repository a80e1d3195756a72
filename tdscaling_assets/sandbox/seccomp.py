"""syscalls.txt → the seccomp profile of both backends: the engine's JSON, and for bubblewrap the same as BPF.

Allowed are the calls that Docker's default profile allows to a container without capabilities, less those that change
another process, leave something behind in the kernel (System V IPC, message queues, keys) or that no program here
needs (ptrace, io_uring, …). Everything else is refused with EPERM. Three calls are allowed by their first argument:
`clone` without new namespaces, `socket` for unix, IPv4 and IPv6, `prlimit64` on the caller itself. What the C library
falls back from gracefully, `clone3` and calls newer than the list, does not exist (ENOSYS).
"""

import errno
import json
import platform
import struct
from functools import cache
from importlib.resources import files

from tdscaling_assets.errors import SandboxError

_NAMESPACES = 0x7E020000
_FAMILIES = (1, 2, 10)
_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_ABSENT = "clone3"
_BY_ARGUMENT = ("clone", "prlimit64", "socket")

_LOAD, _EQUAL, _GREATER, _AT_LEAST, _BITS, _RETURN = 0x20, 0x15, 0x25, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_REFUSE, _NONE = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS

Instruction = tuple[int, int, int, int]
"""Code, instructions to skip when true, when false, and the operand (linux/filter.h)."""


@cache
def engine_profile() -> str:
    """The profile in the engine's JSON (docs.docker.com/engine/security/seccomp)."""
    plain = [name for name in sorted(_calls()) if name not in (*_BY_ARGUMENT, _ABSENT)]
    rules: list[object] = [
        {"names": plain, "action": "SCMP_ACT_ALLOW"},
        {"names": [_ABSENT], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOSYS},
        _rule("clone", _NAMESPACES, "SCMP_CMP_MASKED_EQ"),
        _rule("prlimit64", 0, "SCMP_CMP_EQ"),
        *(_rule("socket", family, "SCMP_CMP_EQ") for family in _FAMILIES),
    ]
    return json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "architectures": _ENGINE[_machine()], "syscalls": rules})


_ENGINE = {"x86_64": ["SCMP_ARCH_X86_64"], "aarch64": ["SCMP_ARCH_AARCH64"]}


@cache
def filter_program() -> bytes:
    """The profile as a program of `struct sock_filter` for this machine, as `bwrap --seccomp` reads it.

    Raises SandboxError on a machine whose system calls are not listed.
    """
    machine = _machine()
    numbers = {name: number[machine] for name, number in _calls().items() if machine in number}
    argued = {name: numbers.pop(name) for name in _BY_ARGUMENT}
    absent = numbers.pop(_ABSENT)
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        *_unless_equal(_AUDIT[machine], _KILL),
        (_LOAD, 0, 0, _NUMBER),
        *_when(_EQUAL, absent, _NONE),
        *_when(_GREATER, max(*numbers.values(), *argued.values(), absent), _NONE),
        *(line for run in _runs(sorted(numbers.values())) for line in _allow(*run)),
    ]
    program += _on(argued["clone"], [(_BITS, 1, 0, _NAMESPACES), (_RETURN, 0, 0, _ALLOW)])
    program += _on(argued["prlimit64"], [(_EQUAL, 0, 1, 0), (_RETURN, 0, 0, _ALLOW)])
    program += _on(argued["socket"], [line for family in _FAMILIES for line in _when(_EQUAL, family, _ALLOW)])
    program.append((_RETURN, 0, 0, _REFUSE))
    return b"".join(struct.pack("=HBBI", *line) for line in program)


def _calls() -> dict[str, dict[str, int]]:
    """Name → number by machine."""
    lines = files("tdscaling_assets.sandbox").joinpath("syscalls.txt").read_text().splitlines()
    rows = [line.split() for line in lines if not line.startswith("#")]
    return {
        name: {machine: int(number) for machine, number in zip(_AUDIT, numbers, strict=True) if number != "-"}
        for name, *numbers in rows
    }


def _machine() -> str:
    machine = platform.machine()
    if machine not in _AUDIT:
        raise SandboxError(f"no seccomp profile is known for {machine}: run on one of {', '.join(_AUDIT)}")
    return machine


def _rule(name: str, value: int, operator: str) -> dict[str, object]:
    mask = {"value": value, "valueTwo": 0} if operator == "SCMP_CMP_MASKED_EQ" else {"value": value}
    return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "op": operator, **mask}]}


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Sorted numbers as unbroken ranges, first and last."""
    firsts = [number for number in numbers if number - 1 not in numbers]
    lasts = [number for number in numbers if number + 1 not in numbers]
    return list(zip(firsts, lasts, strict=True))


def _allow(first: int, last: int) -> list[Instruction]:
    return [(_AT_LEAST, 0, 2, first), (_GREATER, 1, 0, last), (_RETURN, 0, 0, _ALLOW)]


def _when(test: int, operand: int, verdict: int) -> list[Instruction]:
    return [(test, 0, 1, operand), (_RETURN, 0, 0, verdict)]


def _unless_equal(operand: int, verdict: int) -> list[Instruction]:
    return [(_EQUAL, 1, 0, operand), (_RETURN, 0, 0, verdict)]


def _on(number: int, lines: list[Instruction]) -> list[Instruction]:
    """On this call: the lines, over its first argument, and a refusal after them."""
    body = [(_LOAD, 0, 0, _FIRST_ARGUMENT), *lines, (_RETURN, 0, 0, _REFUSE)]
    return [(_EQUAL, 0, len(body), number), *body]
