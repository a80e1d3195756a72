"""Asked for JSON, a model may mend what cannot be used, so many times; what it wrote last is told."""

import asyncio
from collections.abc import Callable

import pytest
from pydantic import BaseModel, Field

from tdscaling_assets.errors import ModelError
from tdscaling_assets.llm.protocol import ChatReply, ChatRequest
from tdscaling_assets.llm.structured import ask_json, ask_record, json_part
from tdscaling_assets.schema import Usage

Ask = Callable[..., ChatRequest]


class Says:
    """A model that says the given texts in turn."""

    name = "double"

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.asked: list[ChatRequest] = []

    async def complete(self, request: ChatRequest) -> ChatReply:
        self.asked.append(request)
        return ChatReply(content=self.texts.pop(0), usage=Usage(calls=1, prompt_tokens=5))


class Person(BaseModel):
    name: str
    age: float = Field(ge=0)


def test_a_record_is_read_out_of_prose(ask: Ask) -> None:
    model = Says('Sure!\n```json\n{"name": "Ada", "age": 36}\n```')
    assert asyncio.run(ask_record(model, ask(), Person, 0)) == Person(name="Ada", age=36)
    assert model.asked[0].reply_schema == Person.model_json_schema()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("no idea", "it holds no JSON object or array"),
        ('{"name": "Ada"', "it holds no JSON object or array"),
        ('{"name": "Ada"}', "age: Field required"),
        ('{"name": 7, "age": 1}', "name: Input should be a valid string"),
        ("[1]", "the value: Input should be"),
    ],
)
def test_what_cannot_be_used_is_sent_back_with_what_is_wrong(text: str, problem: str, ask: Ask) -> None:
    model = Says(text, '{"name": "Ada", "age": 1}')
    assert asyncio.run(ask_record(model, ask(), Person, 1)).name == "Ada"
    said, told = model.asked[1].messages[-2:]
    assert said == {"role": "assistant", "content": text}
    assert problem in str(told["content"])


def test_after_so_many_repairs_it_is_malformed(ask: Ask) -> None:
    model = Says("one", "two", "three")
    with pytest.raises(ModelError, match=r"the user wrote 'three': it holds no JSON") as caught:
        asyncio.run(ask_record(model, ask(), Person, 2))
    assert caught.value.kind == "malformed"
    assert len(model.asked) == 3


def test_every_reply_is_paid_for_also_the_useless_ones(ask: Ask) -> None:
    spent: list[Usage] = []
    value = asyncio.run(ask_json(Says("x", "[3]"), ask(), lambda value: "", 2, spent.append))
    assert (value, len(spent)) == ([3], 2)


@pytest.mark.parametrize("text", ["", "{", "}{", "[1", "nothing", "[" * 8000 + "]", f"[{'7' * 5000}]", "[1e999]"])
def test_text_without_json_holds_none(text: str) -> None:
    assert json_part(text) is None
