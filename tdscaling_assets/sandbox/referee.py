"""The program of `run_tests`: runs pytest in another process, and gives a verdict that the tests cannot write.

`python3 -c <this text> PATH...`, run in the sandbox. The tests run in a child, which shares neither the output nor
the memory of this process, cannot trace it (it is not dumpable, and the seccomp profile), and whose words go nowhere.
Its pytest reports to a pipe, each line under a word that the child was told before it imported anything of the
workspace. A verdict counts only when pytest came to its end, the child's exit status agrees and every collected test
has its report; of several reports of one test the worst counts.

Not covered: tested code that reaches into the running pytest itself, to change its reports or find the word.

    {"passed", "skipped", "failed", "errors", "tests": [{"test", "outcome", "message"}]}
"""

import ctypes
import json
import os
import secrets
import select
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

_COUNTED = {"passed": "passed", "skipped": "skipped", "failed": "failed", "error": "errors"}
"""Outcome → its count in the verdict, worst last."""
_MOST_SAID = 1 << 22
_NOT_DUMPABLE = 4
_ENVIRONMENT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}

_TESTS = """
import json, os, sys
word, pipe, *paths = sys.stdin.read().splitlines()
os.dup2(os.open(os.devnull, os.O_RDWR), 0)
import pytest

class Reporter:
    def say(self, **report):
        os.write(int(pipe), f"{word} {json.dumps(report)}\\n".encode())

    def pytest_collectreport(self, report):
        if report.failed:
            self.say(test=report.nodeid or "collection", outcome="error", message=str(report.longrepr)[-2000:])

    def pytest_collection_finish(self, session):
        for item in session.items:
            self.say(collected=item.nodeid)

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or not report.passed:
            outcome = "error" if report.failed and report.when != "call" else report.outcome
            self.say(test=report.nodeid, outcome=outcome, message=said(report))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session, exitstatus):
        self.say(end=int(exitstatus))

def said(report):
    if not report.failed:
        return ""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return str(report.longrepr)[-2000:]
    message = "\\n".join(line for line in crash.message.splitlines() if line.strip())
    return f"{os.path.relpath(crash.path)}:{crash.lineno}: {message}"[:2000]

sys.path.insert(0, os.getcwd())
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "--rootdir=.", *paths], plugins=[Reporter()]))
"""


def main(paths: list[str]) -> None:
    """Print the verdict. The exit code is pytest's: 0 all passed, 1 some did not, 5 there are none."""
    ctypes.CDLL(None).prctl(_NOT_DUMPABLE, 0, 0, 0, 0)
    status, reports = _run(paths)
    named = [str(report[key]) for report in reports for key in ("collected", "test") if key in report]
    results = [_worst(test, reports) for test in dict.fromkeys(named)]
    counts = {key: sum(result["outcome"] == outcome for result in results) for outcome, key in _COUNTED.items()}
    print(json.dumps({**counts, "tests": results}, ensure_ascii=False))
    if {report["end"] for report in reports if "end" in report} != {status}:
        sys.exit("the tests did not come to their end")
    sys.exit(max(status, int(counts["failed"] + counts["errors"] > 0)))


def _run(paths: list[str]) -> tuple[int, list[dict[str, Any]]]:
    """The exit status of the process with the tests, 128 + n for signal n, and what its pytest reported."""
    word = secrets.token_hex(16)
    orders, told = os.pipe()
    reports, pipe = os.pipe()
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for number, descriptor in enumerate((orders, null, null)):
            os.dup2(descriptor, number)
        os.set_inheritable(pipe, True)
        os.execve(sys.executable, [sys.executable, "-I", "-B", "-c", _TESTS], {**os.environ, **_ENVIRONMENT})
    os.close(orders)
    os.close(pipe)
    os.write(told, "\n".join([word, str(pipe), *paths]).encode())
    os.close(told)
    said = _read(reports, child)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status if status >= 0 else 128 - status, list(_parse(said, word))


def _read(reports: int, child: int) -> bytes:
    """All that is said until the child ends, which what it leaves running does not prolong."""
    said = b""
    ended = os.pidfd_open(child)
    os.set_blocking(reports, False)
    poll = select.poll()
    poll.register(reports, select.POLLIN)
    poll.register(ended, select.POLLIN)
    over = False
    while not over:
        ready = {descriptor for descriptor, _ in poll.poll()}
        over = ended in ready
        with suppress(BlockingIOError):
            while chunk := os.read(reports, 65_536):
                said = (said + chunk)[:_MOST_SAID]
            if not over:
                poll.unregister(reports)
    return said


def _parse(said: bytes, word: str) -> Iterator[dict[str, Any]]:
    for line in said.decode("utf-8", "replace").splitlines():
        before, _, report = line.partition(" ")
        if secrets.compare_digest(before.encode(), word.encode()):
            yield json.loads(report)


def _worst(test: str, reports: list[dict[str, Any]]) -> dict[str, Any]:
    """The worst report of a test; an error when there is none."""
    own = [report for report in reports if report.get("test") == test]
    none = {"test": test, "outcome": "error", "message": "the tests ended before it did"}
    return max(own, key=lambda report: [*_COUNTED].index(report["outcome"]), default=none)


if __name__ == "__main__":
    main(sys.argv[1:])
