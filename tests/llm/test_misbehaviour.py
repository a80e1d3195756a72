"""A bad night, rehearsed: each fault over real HTTP, none unless wished for, the same faults for the same seed."""

import http.client
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from tdscaling_assets.errors import ConfigError
from tdscaling_assets.llm.misbehaviour import ERRORS, MALFORMATIONS, Misbehaviour, Throttle, draw

Misbehaving = Callable[..., AbstractContextManager[str]]

COMPLAINT_SECONDS = 0.3
MANY = 60


class Answer(NamedTuple):
    """Status 0 where the connection was closed without a word, -1 where no answer came in time."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012 an empty default that nobody changes


def call(
    url: str, seed: int = 0, patience: float = 10.0, path: str = "/chat/completions", method: str = "POST"
) -> Answer:
    """One request on a connection of its own; seeds make requests different."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=patience)
    try:
        body = json.dumps({"messages": [{"role": "user", "content": "Hi"}], "seed": seed})
        connection.request(method, f"{where.path}{path}", body if method == "POST" else None)
        response = connection.getresponse()
        return Answer(response.status, response.read(), {name.lower(): value for name, value in response.getheaders()})
    except http.client.RemoteDisconnected:
        return Answer(0)
    except TimeoutError:
        return Answer(-1)
    finally:
        connection.close()


def stats(url: str) -> Counter[str]:
    """What the server counted."""
    return Counter(json.loads(call(url, path="/stats", method="GET").body))


def settled(url: str) -> Counter[str]:
    """The counts once nothing is in flight."""
    deadline = time.monotonic() + 10
    while (counts := stats(url))["requests"] != counts.total() - counts["requests"]:
        assert time.monotonic() < deadline, counts
        time.sleep(0.01)
    return counts


def kind(answer: Answer) -> str:
    """What an answer is, by what the client sees."""
    if answer.status != 200:
        return {0: "dropped", -1: "hung", 429: "throttled"}.get(answer.status, f"error_{answer.status}")
    if answer.headers["content-type"].startswith("text/html"):
        return "html"
    try:
        choices = json.loads(answer.body)["choices"]
    except json.JSONDecodeError:
        return "truncated"
    if not choices:
        return "no_choices"
    message = choices[0]["message"]
    return "good" if message["content"] or message.get("tool_calls") else "empty_message"


def seen(url: str, requests: int = MANY) -> list[str]:
    """What so many different requests got, in order."""
    return [kind(call(url, seed)) for seed in range(requests)]


def test_a_well_behaved_teacher_gives_good_answers_alone(misbehaving: Misbehaving) -> None:
    with misbehaving(seed=3) as url:
        assert set(seen(url)) == {"good"}
        assert settled(url) == Counter(requests=MANY, good=MANY)


@pytest.mark.parametrize(
    ("wish", "kinds"), [({"error_rate": 1.0}, ERRORS), ({"malformed": 1.0}, MALFORMATIONS)], ids=["errors", "malformed"]
)
def test_at_rate_one_every_kind_of_fault_comes_and_nothing_good(
    wish: dict[str, float], kinds: tuple[str, ...], misbehaving: Misbehaving
) -> None:
    with misbehaving(**wish) as url:
        met = Counter(seen(url))
        assert set(met) == set(kinds)
        assert +settled(url) == Counter(requests=MANY) + met


def test_a_hanging_request_ends_when_the_client_gives_up(misbehaving: Misbehaving) -> None:
    with misbehaving(hang=1.0) as url:
        assert kind(call(url, patience=COMPLAINT_SECONDS)) == "hung"
        assert +settled(url) == Counter(requests=1, hung=1)


def test_faults_mix_in_their_shares_and_the_stats_add_up(misbehaving: Misbehaving) -> None:
    with misbehaving(error_rate=0.3, malformed=0.3, seed=5) as url:
        met = Counter(seen(url, 200))
        assert +settled(url) == Counter(requests=200) + met
    assert 0.3 < met["good"] / 200 < 0.5
    assert 0.2 < sum(met[name] for name in ERRORS) / 200 < 0.4


def test_a_seed_brings_the_same_faults_in_any_order(misbehaving: Misbehaving) -> None:
    wish = {"error_rate": 0.4, "malformed": 0.4}
    with misbehaving(**wish, seed=1) as url:
        first = seen(url)
        second = seen(url)
    with misbehaving(**wish, seed=1) as url:
        assert [kind(call(url, seed)) for seed in reversed(range(MANY))] == first[::-1]
    with misbehaving(**wish, seed=2) as url:
        assert seen(url) != first
    assert second != first, "another attempt at a request is another draw"


def test_a_good_answer_is_that_of_the_well_behaved_teacher(misbehaving: Misbehaving, teacher_url: str) -> None:
    def words(answer: Answer) -> dict[str, Any]:
        return {name: value for name, value in json.loads(answer.body).items() if name != "created"}

    with misbehaving(error_rate=0.5, malformed=0.2, jitter=0.01, throttle=100_000) as url:
        answers = {seed: call(url, seed) for seed in range(MANY)}
    good = {seed: words(answer) for seed, answer in answers.items() if kind(answer) == "good"}
    assert 0 < len(good) < MANY
    assert good == {seed: words(call(teacher_url, seed)) for seed in good}


def test_an_answer_comes_after_the_latency(misbehaving: Misbehaving) -> None:
    with misbehaving(latency=0.3) as url:
        started = time.monotonic()
        assert kind(call(url)) == "good"
        assert time.monotonic() - started >= 0.3


def test_jitter_is_added_to_the_latency() -> None:
    delays = [draw(Misbehaviour(latency=1.0, jitter=0.5), b"", attempt).delay for attempt in range(200)]
    assert 1.0 <= min(delays) < 1.05
    assert 1.45 < max(delays) <= 1.5


def test_a_client_that_leaves_before_its_answer_is_counted(misbehaving: Misbehaving) -> None:
    with misbehaving(latency=60.0) as url:
        assert call(url, patience=COMPLAINT_SECONDS).status == -1
        assert +settled(url) == Counter(requests=1, gave_up=1)


def test_beyond_the_throttle_there_is_a_429_that_says_when_to_come_back(misbehaving: Misbehaving) -> None:
    with misbehaving(throttle=3) as url:
        answers = [call(url, seed) for seed in range(5)]
        assert [kind(answer) for answer in answers] == ["good"] * 3 + ["throttled"] * 2
        assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == ["2", "1", "0", "0", "0"]
        assert {answer.headers["x-ratelimit-limit-requests"] for answer in answers} == {"3"}
        assert all(answer.headers["x-ratelimit-reset-requests"].endswith("s") for answer in answers)
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
        assert +settled(url) == Counter(requests=5, good=3, throttled=2)


def test_without_a_throttle_no_answer_speaks_of_one(teacher_url: str) -> None:
    assert not [name for name in call(teacher_url).headers if name.startswith("x-ratelimit")]


def test_a_bucket_refills_steadily() -> None:
    bucket = Throttle(60, now=100.0)
    assert [bucket.take(100.0)[0] for _ in range(62)] == [True] * 60 + [False] * 2
    allowed, headers = bucket.take(100.0)
    assert (allowed, dict(headers)[b"retry-after"], dict(headers)[b"x-ratelimit-reset-requests"]) == (
        False,
        b"1",
        b"1m0s",
    )
    assert [bucket.take(102.0)[0] for _ in range(3)] == [True, True, False]
    assert [bucket.take(1000.0)[0] for _ in range(61)] == [True] * 60 + [False]


def test_whoever_waits_as_told_is_let_in() -> None:
    bucket = Throttle(7, now=0.0)
    now = 0.0
    for _ in range(50):
        allowed, headers = bucket.take(now)
        if not allowed:
            now += int(dict(headers)[b"retry-after"])
            allowed, _ = bucket.take(now)
        assert allowed


def test_shares_beyond_one_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"add up to 1\.2: keep them within 1"):
        Misbehaviour(error_rate=0.5, malformed=0.4, hang=0.3)


def test_a_request_that_cannot_be_read_is_counted_apart(misbehaving: Misbehaving) -> None:
    with misbehaving(malformed=1.0) as url:
        where = urlsplit(url)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)
        connection.request("POST", f"{where.path}/chat/completions", "{")
        assert connection.getresponse().status == 400
        connection.close()
        assert +settled(url) == Counter(requests=1, bad_request=1)


def few_files() -> None:
    """Begin with a low limit of open files, as many shells do."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


@contextmanager
def command(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`tds teacher serve` in a process of its own, and its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = [sys.executable, "-c", "from tdscaling_assets.cli import main; main()"]
    process = subprocess.Popen(
        [*program, "teacher", "serve", "--port", str(port), *options],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=few_files,
    )
    try:
        assert process.stdout is not None and process.stdout.readline().startswith(f"http://127.0.0.1:{port}/v1 ")
        yield process, f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.communicate()


def test_the_command_misbehaves_as_its_options_say() -> None:
    options = ["--latency=0.01", "--jitter=0.01", "--error-rate=0.3", "--malformed=0.3", "--throttle=40", "--seed=5"]
    with command(*options) as (_, url):
        met = Counter(seen(url))
    assert met["throttled"]
    assert all(met[name] for name in ("good", "error_500", "html"))


def test_more_connections_than_files_are_allowed_at_first_stay_alive() -> None:
    with command() as (_, url):
        where = urlsplit(url)
        clients = [http.client.HTTPConnection(where.hostname or "", where.port, timeout=10) for _ in range(300)]
        for client in clients:
            client.connect()
        sockets = [client.sock for client in clients]
        for _ in range(2):
            for client in clients:
                client.request("POST", f"{where.path}/chat/completions", '{"messages": []}')
            for client in clients:
                response = client.getresponse()
                assert (response.status, response.read()[:1]) == (200, b"{")
        assert [client.sock for client in clients] == sockets
        for client in clients:
            client.close()


def test_ctrl_c_ends_at_once_while_requests_hang() -> None:
    with command("--hang", "1") as (process, url):
        waiting = [threading.Thread(target=call, args=(url, seed, 60.0)) for seed in range(5)]
        for thread in waiting:
            thread.start()
        while stats(url)["requests"] < 5:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        for thread in waiting:
            thread.join()
    assert (process.returncode, said) == (0, "")


def test_a_taken_port_is_a_sentence() -> None:
    with command() as (_, url):
        port = str(urlsplit(url).port)
        second = subprocess.run(
            [sys.executable, "-c", "from tdscaling_assets.cli import main; main()", "teacher", "serve", "--port", port],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr.startswith(f"tds: cannot listen on 127.0.0.1 port {port} (")
    assert len(second.stderr.splitlines()) == 1
