"""What a hostile program must not do: one test per promise, on both backends."""

import asyncio
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tdscaling_assets.sandbox.program import Limits
from tdscaling_assets.sandbox.protocol import ExecResult, Sandbox

Open = Callable[[Limits], Sandbox]


def run(sandbox: Sandbox, code: str) -> ExecResult:
    return asyncio.run(sandbox.run_python(code))


def test_an_endless_program_times_out_and_keeps_what_it_printed(backend: Open, hasty: Limits) -> None:
    result = run(backend(hasty), "print('started')\nwhile True:\n    pass")
    assert (result.exit_code, result.timed_out, result.stdout) == (None, True, "started\n")


def test_a_sleeping_program_that_closed_its_output_times_out(backend: Open, hasty: Limits) -> None:
    result = run(backend(hasty), "import os, time\nos.close(1)\nos.close(2)\ntime.sleep(30)")
    assert (result.exit_code, result.timed_out) == (None, True)


def test_cpu_time_is_limited_by_the_kernel(backend: Open, hasty: Limits) -> None:
    code = "import resource\nprint(resource.getrlimit(resource.RLIMIT_CPU))"
    assert run(backend(hasty), code).stdout == "(1, 2)\n"


def test_a_memory_hog_fails(sandbox: Sandbox, limits: Limits) -> None:
    result = run(sandbox, f"block = bytearray({limits.memory_mb} << 20)\nprint('got it')")
    assert result.exit_code != 0
    assert "got it" not in result.stdout


def test_many_processes_share_the_memory_limit(sandbox: Sandbox) -> None:
    code = """
import os, sys, time
children = []
for _ in range(6):
    pid = os.fork()
    if pid == 0:
        block = b"x" * (100 << 20)
        time.sleep(1.5)
        os._exit(0)
    children.append(pid)
sys.exit(any(os.waitpid(pid, 0)[1] for pid in children))
"""
    assert run(sandbox, code).exit_code != 0


def test_processes_are_limited(sandbox: Sandbox, limits: Limits) -> None:
    code = """
import os, time
started = 0
try:
    while started < 500:
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        started += 1
except BlockingIOError:
    pass
print(started)
"""
    assert 0 < int(run(sandbox, code).stdout) < limits.processes


def test_a_fork_bomb_ends_in_time(backend: Open, hasty: Limits) -> None:
    code = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
    started = time.monotonic()
    result = run(backend(hasty), code)
    assert result.exit_code is None
    assert time.monotonic() - started < hasty.seconds + 5


def test_endless_output_is_cut_and_stopped(sandbox: Sandbox, limits: Limits) -> None:
    result = run(sandbox, "while True:\n    print('x' * 1000)")
    assert (result.exit_code, result.timed_out, result.truncated) == (None, False, True)
    assert len(result.stdout) == limits.output_bytes


def test_a_little_too_much_output_keeps_the_exit_code(sandbox: Sandbox, limits: Limits) -> None:
    result = run(sandbox, f"print('x' * {limits.output_bytes})\nexit(4)")
    assert (result.exit_code, result.truncated, len(result.stdout)) == (4, True, limits.output_bytes)


def test_stderr_is_cut_too(sandbox: Sandbox, limits: Limits) -> None:
    result = run(sandbox, f"import sys\nsys.stderr.write('y' * {limits.output_bytes + 1})")
    assert (result.stderr, result.truncated) == ("y" * limits.output_bytes, True)


def test_a_huge_file_is_refused(sandbox: Sandbox, limits: Limits) -> None:
    result = run(sandbox, f"open('big', 'wb').write(bytes({limits.file_mb + 1} << 20))")
    assert "File too large" in result.stderr


def test_the_workspace_fills_up(sandbox: Sandbox) -> None:
    code = """
for folder in ("/work", "/tmp"):
    try:
        for n in range(12):
            open(f"{folder}/{n}", "wb").write(bytes(1 << 20))
    except OSError as error:
        print(folder, error.strerror)
"""
    assert run(sandbox, code).stdout == "/work No space left on device\n/tmp No space left on device\n"


def test_open_files_are_limited(sandbox: Sandbox, limits: Limits) -> None:
    result = run(sandbox, f"files = [open('/dev/null') for _ in range({limits.open_files})]")
    assert "Too many open files" in result.stderr


def test_there_is_no_network(sandbox: Sandbox) -> None:
    code = "import socket\nsocket.create_connection(('1.1.1.1', 53), timeout=3)"
    assert "Network is unreachable" in run(sandbox, code).stderr


def test_names_do_not_resolve(sandbox: Sandbox) -> None:
    assert "gaierror" in run(sandbox, "import socket\nsocket.gethostbyname('example.com')").stderr


def test_a_host_server_cannot_be_reached(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        result = run(sandbox, f"import socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=3)")
    assert "refused" in result.stderr


def test_shadow_cannot_be_read(sandbox: Sandbox) -> None:
    result = run(sandbox, "print(open('/etc/shadow').read())")
    assert (result.exit_code, result.stdout) == (1, "")


def test_host_files_are_not_there(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    repository = Path(__file__).parents[2]
    paths = [str(tmp_path / "secret"), str(repository), str(Path.home() / ".ssh"), "/var/run/docker.sock"]
    assert run(sandbox, f"import os\nprint([os.path.exists(path) for path in {paths}])").stdout == f"{[False] * 4}\n"


def test_the_host_environment_is_not_there(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "hunter2")
    result = run(sandbox, "import os\nprint(os.environ)")
    assert "PYTHONHASHSEED" in result.stdout
    assert "hunter2" not in result.stdout


def test_host_processes_are_not_there(sandbox: Sandbox) -> None:
    assert "No such process" in run(sandbox, f"import os\nos.kill({os.getpid()}, 0)").stderr


def test_the_root_is_read_only(sandbox: Sandbox) -> None:
    code = """
for folder in ("", "/usr", "/usr/lib", "/usr/local", "/dev", "/etc", "/home"):
    try:
        print(open(f"{folder}/mine", "w"))
    except OSError:
        pass
"""
    result = run(sandbox, code)
    assert (result.exit_code, result.stdout) == (0, "")


def test_nobody_cannot_become_root(sandbox: Sandbox) -> None:
    code = "import os\nassert os.getuid() == 65534\ntry:\n    os.setuid(0)\nexcept OSError:\n    print(os.getresuid())"
    assert run(sandbox, code).stdout == "(65534, 65534, 65534)\n"


def test_further_user_namespaces_are_refused(sandbox: Sandbox) -> None:
    code = "import ctypes\nprint(ctypes.CDLL(None).unshare(0x10000000))"
    assert run(sandbox, code).stdout == "-1\n"


def test_a_detached_child_does_not_outlive_the_call(sandbox: Sandbox, limits: Limits) -> None:
    code = """
import os, sys, time
read, write = os.pipe()
os.set_inheritable(write, True)
if os.fork() == 0:
    os.setsid()
    mine = f"import os, time; os.write({write}, b'x'); time.sleep(60)  # tds-detached"
    null = os.open("/dev/null", os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.execv(sys.executable, [sys.executable, "-c", mine])
os.read(read, 1)
print("child runs")
"""
    started = time.monotonic()
    assert run(sandbox, code).stdout == "child runs\n"
    assert time.monotonic() - started < limits.seconds
    assert not _host_processes_with(b"tds-detached")


def test_the_next_call_finds_nothing_of_the_last(sandbox: Sandbox) -> None:
    run(sandbox, "for folder in ('/work', '/tmp', '/dev/shm'):\n    open(f'{folder}/left', 'w').write('x')")
    code = "import os\nprint([name for f in ('/work', '/tmp', '/dev/shm') for name in os.listdir(f)])"
    assert run(sandbox, code).stdout == "['main.py']\n"  # the program itself, in /tmp


def test_a_killed_program_does_not_harm_the_next(backend: Open, hasty: Limits) -> None:
    sandbox = backend(hasty)
    assert run(sandbox, "while True:\n    print('x' * 1000)").exit_code is None
    assert run(sandbox, "print('fine')").stdout == "fine\n"


def _host_processes_with(marker: bytes) -> list[Path]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker in file.read_bytes():
                found.append(file)
        except OSError:
            continue
    return found
