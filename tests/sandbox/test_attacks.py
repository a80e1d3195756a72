"""Hostile programs in, clean results out, on both backends: each ends at its limit, harms nobody and leaves nothing."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tdscaling_assets.sandbox.program import GRACE_SECONDS, Limits
from tdscaling_assets.sandbox.protocol import ExecResult, Sandbox

Open = Callable[[Limits], Sandbox]

KILLED = {
    "a fork bomb": "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
    "a fork bomb of a shell": "import os\nos.system('f() { f | f & }; f; sleep 60')\nwhile True:\n    pass",
    "an infinite loop": "while True:\n    pass",
    "sleep for ever": "import time\ntime.sleep(10**6)",
    "sleep without output": "import os, time\nos.close(1)\nos.close(2)\ntime.sleep(10**6)",
    "deaf to all signals": "import contextlib, signal, time\nfor n in range(1, 65):\n"
    "    with contextlib.suppress(OSError, ValueError):\n        signal.signal(n, signal.SIG_IGN)\ntime.sleep(10**6)",
    "stopped": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    "endless output": "while True:\n    print('x' * 1000)",
    "endless output of a child": "import os\nos.system('yes')",
    "endless errors": "import sys\nwhile True:\n    sys.stderr.write('x' * 1000)",
    "endless threads": "import threading, time\nwhile True:\n    try:\n        threading.Thread(target=time.sleep, "
    "args=(99,)).start()\n    except RuntimeError:\n        pass",
    "reading a FIFO that nobody writes": "import os\nos.mkfifo('f')\nopen('f').read()",
}
"""Programs that end only because they are killed."""

HOG = """
import os, time
for _ in range(8):
    if os.fork() == 0:
        block = b"x" * (100 << 20)
        time.sleep(60)
        os._exit(0)
time.sleep(60)
"""
"""Takes more memory than there is, in several processes of which none takes too much."""

FILES = {
    "many files": "n = 0\nwhile True:\n    open(f'/work/{n}', 'w').close()\n    n += 1",
    "many folders": "import os\nn = 0\nwhile True:\n    os.mkdir(f'/tmp/{n}')\n    n += 1",
    "many links": "import os\nn = 0\nwhile True:\n    os.symlink('x', f'/dev/shm/{n}')\n    n += 1",
    "a deep tree": "import os\nwhile True:\n    os.mkdir('d')\n    os.chdir('d')",
    "a huge file": "f = open('/work/big', 'wb')\nwhile True:\n    f.write(bytes(1 << 20))",
    "many big files": "n = 0\nwhile True:\n    open(f'/work/{n}', 'wb').write(bytes(1 << 20))\n    n += 1",
    "closed folders": "import os\nfor n in range(9):\n    os.mkdir(f'd{n}')\n    open(f'd{n}/x', 'w')\n"
    "    os.chmod(f'd{n}', 0)\nraise SystemExit(1)",
}
"""Programs that fill what they can write to: they fail, or are killed."""

CALLS = {
    "mount": "mount(b'none', b'/tmp', b'tmpfs', 0, 0)",
    "umount": "umount2(b'/work', 2)",
    "chroot": "chroot(b'/tmp')",
    "ptrace the first process": "ptrace(16, 1, 0, 0)",
    "be traced": "ptrace(0, 0, 0, 0)",
    "the memory of another process": "process_vm_readv(1, 0, 0, 0, 0, 0)",
    "the kernel's log": "klogctl(3, ctypes.create_string_buffer(99), 99)",
    "reboot": "reboot(0x89ABCDEF)",
    "the clock": "settimeofday(ctypes.create_string_buffer(16), None)",
    "the host's name": "sethostname(b'mine', 4)",
    "namespaces": "unshare(0x10000000)",
    "shared memory that stays": "shmget(7, 4096, 0o1666)",
    "a message queue that stays": "msgget(7, 0o1666)",
    "a semaphore that stays": "semget(7, 1, 0o1666)",
    "a key that stays": "syscall(KEY, b'user', b'k', b'v', 1, -4)",
    "io_uring": "syscall(425, 1, ctypes.create_string_buffer(200))",
    "bpf": "syscall(BPF, 0, 0, 0)",
    "a call that does not exist": "syscall(9999)",
}
"""Calls of the C library that must be refused; numbers that differ by machine have names."""

ATTEMPTS = {
    "limits of the first process": "resource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0))",
    "priority of the first process": "os.setpriority(os.PRIO_PROCESS, 1, 19)",
    "processors of the first process": "os.sched_setaffinity(1, [0])",
    "a raw socket": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "a netlink socket": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
    "a packet socket": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)",
    "a virtual machine's socket": "socket.socket(40, socket.SOCK_STREAM, 0)",
    "the kernel's ciphers": "socket.socket(38, socket.SOCK_SEQPACKET, 0)",
    "a device": "os.mknod('/work/disk', 0o60666, os.makedev(8, 0))",
    "root": "os.setuid(0)",
    "another user": "os.setresuid(1000, 1000, 1000)",
    "giving a file away": "open('/work/x', 'w') and os.chown('/work/x', 0, 0)",
}
"""Attempts that must raise OSError."""

UNREADABLE = (
    *("/etc/shadow", "/root", "/proc/1/environ", "/proc/1/mem", "/proc/1/fd", "/proc/1/root", "/proc/kcore"),
    *("/proc/kmsg", "/dev/kmsg", "/dev/mem", "/dev/sda", "/dev/vda", "/dev/kvm", "/dev/fuse", "/var/run/docker.sock"),
    *("/sys/firmware/dmi", "/proc/sysrq-trigger", "/dev/mqueue/x", "/sys/kernel/debug/tracing"),
)
UNWRITABLE = (
    *("/etc/passwd", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger", "/dev/mine"),
    *("/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/kernel/uevent_helper"),
    *("/proc/1/oom_score_adj", "/proc/1/comm", "/usr/local/bin/python3", "/usr/bin/sh", "/mine", "/dev/mqueue/mine"),
    *("/sys/fs/cgroup/pids/cgroup.procs", "/sys/fs/cgroup/memory/release_agent", "/proc/1/clear_refs"),
)


def run(sandbox: Sandbox, code: str) -> ExecResult:
    return asyncio.run(sandbox.run_python(code))


@pytest.fixture(scope="module")
def hurried(backend: Open, hasty: Limits) -> Sandbox:
    """A sandbox of one second, few files and few processes."""
    return backend(hasty.model_copy(update={"files": 2000}))


@pytest.fixture(autouse=True)
def others(hurried: Sandbox) -> Iterator[None]:
    """After each attack: the next program works, what it finds is new, and no other process is on this machine."""
    yield
    code = "import os\nprint([name for f in ('/work', '/dev/shm') for name in os.listdir(f)], os.listdir('/tmp'))"
    result = run(hurried, code)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "[] ['main.py']\n", "")
    assert programs_on_the_host() == set()


@pytest.mark.parametrize("code", KILLED.values(), ids=KILLED)
def test_it_is_killed_at_its_limit(hurried: Sandbox, code: str) -> None:
    started = time.monotonic()
    result = run(hurried, code)
    assert result.exit_code is None
    assert time.monotonic() - started < 10 + GRACE_SECONDS


@pytest.mark.parametrize("code", FILES.values(), ids=FILES)
def test_files_fill_up_and_do_no_harm(hurried: Sandbox, code: str) -> None:
    assert run(hurried, code).exit_code in (None, 1)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_call_is_refused(hurried: Sandbox, call: str) -> None:
    numbers = "KEY, BPF = (248, 321) if os.uname().machine == 'x86_64' else (217, 280)"
    assert run(hurried, f"import ctypes, os\n{numbers}\nprint(ctypes.CDLL(None).{call})").stdout == "-1\n"


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_the_attempt_is_refused(hurried: Sandbox, attempt: str) -> None:
    code = f"import os, resource, socket\ntry:\n    {attempt}\nexcept OSError:\n    print('refused')"
    assert run(hurried, code).stdout == "refused\n"


def test_secrets_cannot_be_read(hurried: Sandbox) -> None:
    code = f"""
import os
for path in {UNREADABLE}:
    try:
        print(path, os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(99))
    except OSError:
        pass
"""
    lines = [line for line in run(hurried, code).stdout.splitlines() if not line.endswith((" []", " b''"))]
    assert lines == []


def test_nothing_but_the_workspace_can_be_written(hurried: Sandbox) -> None:
    code = f"""
for path in {UNWRITABLE}:
    try:
        open(path, "w").write("0")
        print(path)
    except OSError:
        pass
"""
    result = run(hurried, code)
    assert (result.exit_code, result.stdout) == (0, "")


def test_no_signal_reaches_the_first_process(sandbox: Sandbox) -> None:
    code = """
import os, signal
for number in range(1, 65):
    try:
        os.kill(1, number)
    except (OSError, ValueError):
        pass
print(os.getppid())
"""

    async def conversation() -> tuple[ExecResult, ExecResult]:
        async with sandbox.open("signals") as session:
            await session.run(("sh", "-c", "echo kept > kept"))
            return await session.run_python(code), await session.run(("cat", "kept"))

    attack, after = asyncio.run(conversation())
    assert (attack.exit_code, attack.stdout, after.stdout) == (0, "1\n", "kept\n")


def test_the_effective_user_stays_nobody_with_a_setuid_file(sandbox: Sandbox) -> None:
    code = """
import os, shutil, subprocess, sys
shutil.copy("/usr/bin/id", "mine")
os.chmod("mine", 0o6755)
print(subprocess.run(["./mine", "-u"], capture_output=True, text=True).stdout, end="")
"""
    assert run(sandbox, code).stdout == "65534\n"


def test_there_are_no_capabilities_and_no_new_privileges(sandbox: Sandbox) -> None:
    code = """
import ctypes
libc = ctypes.CDLL(None)
print([libc.prctl(23, capability, 0, 0, 0) for capability in range(41) if libc.prctl(23, capability, 0, 0, 0) > 0])
print(libc.prctl(39, 0, 0, 0, 0), libc.prctl(21, 0, 0, 0, 0))
"""
    assert run(sandbox, code).stdout == "[]\n1 2\n"


def test_links_do_not_lead_out_of_the_workspace(sandbox: Sandbox) -> None:
    code = """
import os
for source in ("/etc/shadow", "/proc/1/root/etc/shadow", "/usr/bin/sh"):
    try:
        os.link(source, "hard")
        print("linked")
    except OSError:
        pass
os.symlink("/proc/1/root/etc/shadow", "soft")
try:
    print(open("soft").read())
except OSError:
    print("closed")
"""
    assert run(sandbox, code).stdout == "closed\n"


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])
def test_sockets_reach_nobody(sandbox: Sandbox, family: str) -> None:
    address = ("1.1.1.1", 53) if family == "AF_INET" else ("2606:4700:4700::1111", 53)
    code = f"""
import socket
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    try:
        connection = socket.socket(socket.{family}, kind)
        connection.settimeout(3)
        connection.connect({address})
        print("connected")
    except OSError:
        pass
"""
    assert run(sandbox, code).stdout == ""


def test_abstract_sockets_of_the_host_are_not_there(sandbox: Sandbox) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0tds-host")
        server.listen()
        result = run(sandbox, "import socket\nsocket.socket(socket.AF_UNIX).connect('\\0tds-host')")
    assert "refused" in result.stderr


def test_output_that_pretends_to_be_a_result_is_output(sandbox: Sandbox) -> None:
    forged = '{"status": 0, "out": "", "err": "", "cut": [false, false], "why": "", "created": [], "seconds": 0}\n'
    code = (
        f"import os\nfor n in range(1, 256):\n    try:\n        os.write(n, {forged.encode()!r})\n    except OSError:\n"
    )
    result = run(sandbox, f"{code}        pass\nraise SystemExit(9)")
    assert (result.exit_code, result.stdout, result.stderr) == (9, forged, forged)


def test_a_hostile_file_name_is_text(sandbox: Sandbox) -> None:
    result = run(sandbox, r"open(b'/work/\x1b[31m\xff\n{}', 'w')")
    assert (result.exit_code, result.created) == (0, ("\x1b[31m?\n{}",))
    result.model_dump_json()


def test_a_hog_of_one_conversation_does_not_touch_the_files_of_another(hurried: Sandbox) -> None:
    async def both() -> tuple[ExecResult, ExecResult]:
        async with hurried.open("victim") as victim:
            await victim.run(("sh", "-c", "echo mine > mine"))
            attacks = [hurried.run_python(KILLED[name]) for name in ("a fork bomb", "endless output")]
            harm, _ = await asyncio.gather(*attacks)
            return harm, await victim.run(("cat", "mine"))

    harm, result = asyncio.run(both())
    assert (harm.exit_code, result.stdout) == (None, "mine\n")


def test_the_workspace_survives_a_program_that_is_killed(hurried: Sandbox) -> None:
    async def conversation() -> list[str]:
        async with hurried.open("survivor") as session:
            await session.run(("sh", "-c", "echo mine > mine"))
            for attack in (KILLED["endless output"], KILLED["a fork bomb"], HOG, FILES["many files"]):
                assert (await session.run_python(attack)).exit_code != 0
            return (await session.run(("cat", "mine"))).stdout.split()

    assert asyncio.run(conversation()) == ["mine"]


def programs_on_the_host() -> set[str]:
    """Command lines of the machine's processes that came from a program in a sandbox."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if "/tmp/main.py" in command and int(folder.name) != os.getpid():
            found.add(command)
    return found
