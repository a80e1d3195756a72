"""The patient model pays for nothing twice, tries what may pass, and stops where the budget does."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tdscaling_assets.errors import BudgetReachedError, EndpointDownError, ModelError
from tdscaling_assets.llm.budget import Budget
from tdscaling_assets.llm.circuit import FAILURES
from tdscaling_assets.llm.endpoint import Endpoint
from tdscaling_assets.llm.patient import PatientModel
from tdscaling_assets.llm.protocol import Answer, ChatReply, ChatRequest
from tdscaling_assets.schema import ToolCall, Usage
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.replies import Replies

Ask = Callable[..., ChatRequest]

BACKOFF = 0.001


class Numbering:
    """An attempt that numbers its replies, each for a dollar, after failing as told."""

    def __init__(self, *failures: ModelError) -> None:
        self.failures = list(failures)
        self.asked = 0

    async def attempt(self, request: ChatRequest) -> Answer:
        self.asked += 1
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        call = ToolCall(id="c1", name="look", arguments='{"city": "Zürich"')
        usage = Usage(prompt_tokens=5, completion_tokens=2, usd=1.0, model="m", calls=1, seconds=0.5)
        return Answer(reply=ChatReply(content=f"reply {self.asked}", reasoning="why", tool_calls=(call,), usage=usage))


def patient(attempt: Numbering, replies: Replies | None = None, **changes: object) -> PatientModel:
    settings = Settings(model="openai/m", **changes)
    budget = Budget(settings, replies)
    endpoint = Endpoint("http://model", settings)
    return PatientModel(settings.model_options("user"), settings, attempt, endpoint, budget, replies, BACKOFF)


def test_what_another_run_spends_of_the_night_is_known_within_a_second(tmp_path: Path) -> None:
    seconds = iter([0.0, 0.5, 1.5])
    with Replies(tmp_path, "r01-b01", 30) as ours, Replies(tmp_path, "r01-b02", 30) as theirs:
        budget = Budget(Settings(budget_night=3), ours, lambda: next(seconds))
        paid = Usage(usd=1.5, model="m", calls=1)
        budget.add(paid)
        ours.put("a", "user", "x", paid)
        theirs.put("b", "user", "y", paid)
        budget.check()
        with pytest.raises(BudgetReachedError, match=r"the night's budget of \$3 is spent \(\$3.0000 spent\)"):
            budget.check()


def complete(model: PatientModel, request: ChatRequest) -> ChatReply:
    return asyncio.run(model.complete(request))


def test_a_second_identical_request_is_answered_from_disk(tmp_path: Path, ask: Ask) -> None:
    attempt = Numbering()
    with Replies(tmp_path, "", 30) as replies:
        first = complete(patient(attempt, replies), ask())
        assert complete(patient(attempt, replies), ask()) == first
    assert attempt.asked == 1


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"temperature": 0.1},
        {"max_tokens": 5},
        {"role": "judge"},
        {"tools": ({"type": "function"},)},
        {"reply_schema": {}},
    ],
)
def test_another_request_is_another_sample(change: dict[str, object], tmp_path: Path, ask: Ask) -> None:
    with Replies(tmp_path, "", 30) as replies:
        model, request = patient(Numbering(), replies), ask()
        complete(model, request)
        changed = request.model_copy(update=change)
        assert changed == ask(**change)
        assert complete(model, changed).content == "reply 2"


@pytest.mark.parametrize(
    "change",
    [{"model_base_url": "http://other/v1"}, {"model_user": "openai/n"}, {"model_user_parameters": {"top_p": 0.1}}],
)
def test_another_way_of_asking_is_another_sample(change: dict[str, object], tmp_path: Path, ask: Ask) -> None:
    attempt = Numbering()
    with Replies(tmp_path, "", 30) as replies:
        complete(patient(attempt, replies), ask())
        complete(patient(attempt, replies, **change), ask())
    assert attempt.asked == 2


def test_another_key_is_the_same_sample(tmp_path: Path, ask: Ask) -> None:
    attempt = Numbering()
    with Replies(tmp_path, "", 30) as replies:
        complete(patient(attempt, replies, model_key="first-key"), ask())
        complete(patient(attempt, replies, model_key="second-key"), ask())
    assert attempt.asked == 1


@pytest.mark.parametrize("text", ["", "{", '{"content": "x", "unknown": 1}'])
def test_what_another_version_kept_is_asked_again(text: str, tmp_path: Path, ask: Ask) -> None:
    class Foreign(Replies):
        def get(self, key: str) -> str | None:
            return text

    attempt = Numbering()
    with Foreign(tmp_path, "", 30) as replies:
        assert complete(patient(attempt, replies), ask()).content == "reply 1"


def test_a_failed_call_is_not_kept(tmp_path: Path, ask: Ask) -> None:
    attempt = Numbering(ModelError("content_filter", "no"))
    with Replies(tmp_path, "", 30) as replies:
        with pytest.raises(ModelError):
            complete(patient(attempt, replies), ask())
        assert complete(patient(attempt, replies), ask()).content == "reply 2"


@pytest.mark.parametrize("kind", ["throttled", "timeout", "server", "malformed"])
def test_what_may_pass_is_tried_so_often(kind: str, ask: Ask) -> None:
    attempt = Numbering(*[ModelError(kind, "no")] * 2)
    assert complete(patient(attempt, model_attempts=3), ask()).content == "reply 3"
    attempt = Numbering(*[ModelError(kind, "no")] * 3)
    with pytest.raises(ModelError):
        complete(patient(attempt, model_attempts=3), ask())
    assert attempt.asked == 3


@pytest.mark.parametrize("kind", ["bad_request", "content_filter", "context_length"])
def test_what_will_not_pass_is_not_tried_again(kind: str, ask: Ask) -> None:
    attempt = Numbering(ModelError(kind, "no"))
    with pytest.raises(ModelError):
        complete(patient(attempt, model_attempts=3), ask())
    assert attempt.asked == 1


def test_tries_while_the_endpoint_is_down_do_not_count(ask: Ask) -> None:
    attempt = Numbering(*[ModelError("server", "refused")] * (FAILURES + 1))
    model = patient(attempt, model_attempts=2)

    async def story() -> list[str | None]:
        asked = [model.complete(ask(seed=seed)) for seed in range(FAILURES)]
        return [reply.content for reply in await asyncio.gather(*asked)]

    with pytest.raises(ModelError):  # two of them do not fail together
        complete(patient(Numbering(*[ModelError("server", "refused")] * 2), model_attempts=2), ask())
    assert len(asyncio.run(story())) == FAILURES
    assert attempt.failures == []


def test_an_endpoint_that_stays_down_ends_it_in_one_sentence(ask: Ask) -> None:
    attempt = Numbering(*[ModelError("server", "refused")] * 1000)
    model = patient(attempt, model_attempts=100, model_patience=0.3)

    async def story() -> None:
        await asyncio.gather(*(model.complete(ask(seed=seed)) for seed in range(FAILURES)))

    with pytest.raises(EndpointDownError, match=r"http://model has answered nothing for 0\.3 s \(refused\)"):
        asyncio.run(story())


def test_the_budget_is_kept_to_and_a_kept_reply_is_free(tmp_path: Path, ask: Ask) -> None:
    with Replies(tmp_path, "r01-b01", 30) as replies:
        model = patient(Numbering(), replies, budget_batch=2.0)
        complete(model, ask(seed=1))
        complete(model, ask(seed=2))
        with pytest.raises(BudgetReachedError, match=r"the batch's budget of \$2 is spent .* raise TDS_BUDGET_BATCH"):
            complete(model, ask(seed=3))
        assert complete(model, ask(seed=1)).content == "reply 1"
    with Replies(tmp_path, "r01-b01", 30) as replies:
        with pytest.raises(BudgetReachedError):
            complete(patient(Numbering(), replies, budget_batch=2.0), ask(seed=3))
        assert complete(patient(Numbering(), replies, budget_batch=3.0), ask(seed=3)).content == "reply 1"


def test_a_nights_budget_holds_for_all_its_batches(tmp_path: Path, ask: Ask) -> None:
    with Replies(tmp_path, "r01-b01", 30) as replies:
        complete(patient(Numbering(), replies, budget_night=1.0), ask(seed=1))
    with (
        Replies(tmp_path, "r01-b02", 30) as replies,
        pytest.raises(BudgetReachedError, match="the night's budget of \\$1 is spent"),
    ):
        complete(patient(Numbering(), replies, budget_night=1.0), ask(seed=2))
