"""The list of system calls in, one profile for both backends out."""

import json
import platform
import struct

import pytest

from tdscaling_assets.sandbox.seccomp import engine_profile, filter_program

ALLOW, EPERM, ENOSYS, KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers here are those of x86_64")

X86, ARM = 0xC000003E, 0xC00000B7


def verdict(number: int, argument: int = 0, architecture: int = X86) -> int:
    """What the filter says of a call, by the rules of classic BPF over `struct seccomp_data`."""
    data = struct.pack("=iIQ6Q", number, architecture, 0, argument, *[0] * 5)
    program = [*struct.iter_unpack("=HBBI", filter_program())]
    tests = {0x15: int.__eq__, 0x25: int.__gt__, 0x35: int.__ge__, 0x45: lambda one, other: bool(one & other)}
    at = accumulator = 0
    while True:
        code, when_true, when_false, operand = program[at]
        at += 1
        if code == 0x06:
            return int(operand)
        if code == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, operand)
        else:
            at += when_true if tests[code](accumulator, operand) else when_false


def test_ordinary_calls_are_allowed() -> None:
    assert {verdict(number) for number in (0, 1, 2, 9, 57, 59, 60, 202, 231, 257)} == {ALLOW}


def test_dangerous_calls_are_refused() -> None:
    ptrace, mount, keyctl, bpf, io_uring, setns, userfaultfd = 101, 165, 250, 321, 425, 308, 323
    assert {verdict(number) for number in (ptrace, mount, keyctl, bpf, io_uring, setns, userfaultfd)} == {EPERM}


def test_three_calls_depend_on_their_first_argument() -> None:
    clone, socket, prlimit = 56, 41, 302
    assert (verdict(clone, 0x11), verdict(clone, 0x10000011), verdict(clone, 0x02000000)) == (ALLOW, EPERM, EPERM)
    assert [verdict(socket, family) for family in (1, 2, 10, 16, 17, 38, 40)] == [ALLOW] * 3 + [EPERM] * 4
    assert (verdict(prlimit, 0), verdict(prlimit, 1)) == (ALLOW, EPERM)


def test_new_calls_do_not_exist() -> None:
    assert {verdict(number) for number in (435, 500, 0x40000000, 0x7FFFFFFF)} == {ENOSYS}


def test_another_architecture_is_killed() -> None:
    assert (verdict(0, architecture=ARM), verdict(0, architecture=0x40000003)) == (KILL, KILL)


def test_the_engine_is_given_the_same_names() -> None:
    profile = json.loads(engine_profile())
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    allowed = {name for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
    assert {"read", "execve", "clone", "socket", "prlimit64"} <= allowed
    assert allowed.isdisjoint({"ptrace", "mount", "keyctl", "bpf", "shmget", "setpriority", "clone3"})
