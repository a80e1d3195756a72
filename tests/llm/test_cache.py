"""What was paid for is not asked again; anything that makes another sample is."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tdscaling_assets.llm.cache import CachedModel
from tdscaling_assets.llm.protocol import ChatReply, ChatRequest
from tdscaling_assets.schema import ToolCall, Usage

Ask = Callable[..., ChatRequest]


class Counting:
    """A model that numbers its replies."""

    def __init__(self, name: str = "counting") -> None:
        self.name = name
        self.asked = 0

    async def complete(self, request: ChatRequest) -> ChatReply:
        self.asked += 1
        call = ToolCall(id="c1", name="look", arguments='{"city": "Zürich"')
        usage = Usage(prompt_tokens=5, completion_tokens=2, usd=None, model=self.name, calls=1, seconds=0.5)
        return ChatReply(content=f"reply {self.asked}", reasoning="why", tool_calls=(call,), usage=usage)


def complete(model: CachedModel, request: ChatRequest) -> ChatReply:
    return asyncio.run(model.complete(request))


def test_a_second_identical_request_is_answered_from_disk(tmp_path: Path, ask: Ask) -> None:
    inner = Counting()
    first = complete(CachedModel(inner, tmp_path), ask())
    assert complete(CachedModel(inner, tmp_path), ask()) == first
    assert inner.asked == 1


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"temperature": 0.1}, {"max_tokens": 5}, {"role": "judge"}, {"tools": ({"type": "function"},)}],
)
def test_another_request_is_another_sample(change: dict[str, object], tmp_path: Path, ask: Ask) -> None:
    inner = Counting()
    model = CachedModel(inner, tmp_path)
    complete(model, ask())
    assert complete(model, ask(**change)).content == "reply 2"


def test_another_model_or_endpoint_is_another_sample(tmp_path: Path, ask: Ask) -> None:
    inner = Counting()
    complete(CachedModel(inner, tmp_path), ask())
    complete(CachedModel(inner, tmp_path, "http://other/v1"), ask())
    assert inner.asked == 2
    assert complete(CachedModel(Counting("other"), tmp_path), ask()).usage.model == "other"


@pytest.mark.parametrize("left", [0, 1, 40])
def test_a_torn_file_counts_as_absent_and_is_replaced(left: int, tmp_path: Path, ask: Ask) -> None:
    inner = Counting()
    complete(CachedModel(inner, tmp_path), ask())
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    path.write_bytes(path.read_bytes()[:left])
    assert complete(CachedModel(inner, tmp_path), ask()).content == "reply 2"
    assert complete(CachedModel(inner, tmp_path), ask()).content == "reply 2"
    assert inner.asked == 2


def test_a_failed_call_is_not_kept(tmp_path: Path, ask: Ask) -> None:
    class Failing(Counting):
        async def complete(self, request: ChatRequest) -> ChatReply:
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        complete(CachedModel(Failing(), tmp_path), ask())
    assert complete(CachedModel(Counting(), tmp_path), ask()).content == "reply 1"


def test_many_at_once_leave_whole_files_only(tmp_path: Path, ask: Ask) -> None:
    model = CachedModel(Counting(), tmp_path)

    async def all_at_once() -> None:
        await asyncio.gather(*(model.complete(ask(seed=number % 5)) for number in range(40)))

    asyncio.run(all_at_once())
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 5
    assert all(ChatReply.model_validate_json(path.read_bytes()).reasoning == "why" for path in files)
