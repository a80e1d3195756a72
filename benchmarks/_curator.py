"""Run by model_calls.py in the virtual environment of bespokelabs-curator: _curator.py URL IN_FLIGHT CALLS WARM_UP

Its own client for OpenAI-compatible endpoints, which is the faster one of its two. Its limits per minute are out of the
way, rows that failed for good are left out so that they can be counted; everything else is as it comes. It takes no
messages of tools and no calls in messages, so these are sent as the text that they hold.
"""

import importlib.util
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from _cpu import cpu_seconds
from endpoint import MODEL, conversation

litellm = importlib.util.find_spec("litellm")
assert litellm is not None and litellm.origin is not None
os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(litellm.origin).parent / "litellm_core_utils" / "tokenizers")  # offline

from bespokelabs import curator  # noqa: E402
from datasets import Dataset  # noqa: E402

ENOUGH = 1_000_000_000


class Caller(curator.LLM):
    """Sends the messages of a row."""

    def prompt(self, input: dict) -> list:
        return [_plain(message) for message in json.loads(input["messages"])]

    def parse(self, input: dict, response: object) -> dict:
        return {"number": input["number"], "response": str(response)}


def _plain(message: dict) -> dict:
    """The message as one of a user or an assistant."""
    content = message["content"] or json.dumps(message["tool_calls"])
    return {"role": message["role"].replace("tool", "user"), "content": content}


def main() -> None:
    """One line of JSON: seconds, CPU seconds and rows of the measured run, after one that warms up."""
    url, in_flight, calls, warm_up = sys.argv[1], *map(int, sys.argv[2:5])
    with tempfile.TemporaryDirectory() as folder:
        _run(url, in_flight, range(ENOUGH, ENOUGH + warm_up), folder)
        started, spent = time.perf_counter(), cpu_seconds()
        rows = _run(url, in_flight, range(calls), folder)
        seconds, spent = time.perf_counter() - started, cpu_seconds() - spent
    print(json.dumps({"seconds": seconds, "cpu": spent, "answered": rows}))


def _run(url: str, in_flight: int, numbers: range, folder: str) -> int:
    """How many rows came back."""
    bodies = [conversation(number) for number in numbers]
    caller = Caller(
        model_name=MODEL,
        backend="openai",
        generation_params={"tools": bodies[0]["tools"], "temperature": 0.7, "max_tokens": 2048},
        backend_params={
            "base_url": url,
            "api_key": "none",
            "max_concurrent_requests": in_flight,
            "max_requests_per_minute": ENOUGH,
            "max_tokens_per_minute": ENOUGH,
            "require_all_responses": False,
        },
    )
    rows = [{"number": n, "messages": json.dumps(b["messages"])} for n, b in zip(numbers, bodies, strict=True)]
    return len(caller(Dataset.from_list(rows), working_dir=folder).dataset)


if __name__ == "__main__":
    main()
