"""The funnel keeps or rejects each conversation once, against rules, copies, benchmarks and a judge, in that order."""

import asyncio
import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tdscaling_assets.errors import BudgetReachedError, ConfigError, ModelError
from tdscaling_assets.llm.protocol import ChatModel, ChatReply, ChatRequest
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.quality.case import Case
from tdscaling_assets.quality.contamination import benchmark_ngrams, shared_ngram
from tdscaling_assets.quality.duplicates import find_earlier_copies
from tdscaling_assets.quality.funnel import Funnel, FunnelResult
from tdscaling_assets.quality.rules import RULES
from tdscaling_assets.schema import Failure, Trajectory, Verdict
from tdscaling_assets.settings import Settings

Sound = dict[str, Case]
Mutate = Callable[..., Case]

QUESTION = "Please tell me how many blue whales were counted off the coast of Iceland in the year before last"


class Judge:
    """A model whose verdict is this text; it may raise instead."""

    name = "judge"

    def __init__(self, text: str | ModelError | BudgetReachedError) -> None:
        self._text = text
        self.asked: list[ChatRequest] = []

    async def complete(self, request: ChatRequest) -> ChatReply:
        self.asked.append(request)
        if not isinstance(self._text, str):
            raise self._text
        return ChatReply(content=self._text)


def funnel(
    cases: Sequence[Case],
    settings: Settings,
    earlier: Sequence[Trajectory] = (),
    judge: ChatModel | None = None,
    **changes: object,
) -> FunnelResult:
    changed = settings.model_copy(update=dict(changes))
    copies = find_earlier_copies([case.trajectory for case in cases], earlier, changed.duplicate_similarity)
    return asyncio.run(Funnel(copies, judge, changed).run(cases))


def last_verdict(result: FunnelResult, case: Case) -> Verdict:
    return [one for one in result.verdicts if one.trajectory_id == case.trajectory.trajectory_id][-1]


def asking(case: Case, mutate: Mutate, question: str) -> Case:
    """The case with a question added to its first user message."""
    old = case.trajectory.messages
    asked = old[1].model_copy(update={"content": f"{old[1].content} {question}"})
    return mutate(case, messages=(old[0], asked, *old[2:]))


def test_a_sound_conversation_has_a_verdict_of_every_rule(sound: Sound, settings: Settings) -> None:
    result = funnel([sound["guard"]], settings)
    names = [*(rule.__name__ for rule in RULES), "near_duplicate", "contaminated"]
    assert [one.rule for one in result.verdicts] == names
    assert [one.position for one in result.verdicts] == list(range(len(names)))
    assert all(one.keep and not one.reason and one.score is None for one in result.verdicts)
    assert result.kept == (sound["guard"].trajectory,)


def test_a_rejected_one_stops_at_its_first_reject(sound: Sound, settings: Settings, mutate: Mutate) -> None:
    doubly_wrong = mutate(sound["guard"], failure=Failure(kind="timeout", detail="late"), final_digest="0")
    result = funnel([doubly_wrong], settings)
    assert [(one.rule, one.keep, one.reason) for one in result.verdicts] == [("completed", False, "timeout: late")]
    assert result.kept == ()


def test_raw_is_kept_plus_rejected(sound: Sound, settings: Settings, mutate: Mutate) -> None:
    cases = [sound["guard"], mutate(sound["pivot"], final_digest="0"), sound["verify"], sound["guard"]]
    result = funnel(cases, settings)
    rejects = [one for one in result.verdicts if not one.keep]
    assert len(cases) == len(result.kept) + len(rejects)


# ── near copies ──────────────────────────────────────────────────────────────────────────────────────────────


def twin(case: Case, mutate: Mutate) -> Case:
    return mutate(case, trajectory_id="tr_twin")


def test_a_near_copy_in_the_batch_is_rejected(sound: Sound, settings: Settings, mutate: Mutate) -> None:
    case = sound["guard"]
    copy = twin(case, mutate)
    result = funnel([case, copy], settings)
    verdict = last_verdict(result, copy)
    assert (verdict.rule, verdict.keep) == ("near_duplicate", False)
    assert verdict.reason == f"nearly repeats {case.trajectory.trajectory_id}"
    assert result.kept == (case.trajectory,)


def test_a_near_copy_of_an_earlier_piece_of_the_batch_is_rejected(
    sound: Sound, settings: Settings, mutate: Mutate
) -> None:
    case = sound["guard"]
    pieces = Funnel({}, None, settings)
    assert asyncio.run(pieces.run([case])).kept == (case.trajectory,)
    copy = twin(case, mutate)
    result = asyncio.run(pieces.run([copy, sound["verify"]]))
    assert last_verdict(result, copy).reason == f"nearly repeats {case.trajectory.trajectory_id}"
    assert result.kept == (sound["verify"].trajectory,)


def test_a_near_copy_of_an_earlier_batch_is_rejected(sound: Sound, settings: Settings, mutate: Mutate) -> None:
    case = sound["guard"]
    result = funnel([twin(case, mutate)], settings, earlier=[case.trajectory])
    assert [one.rule for one in result.verdicts if not one.keep] == ["near_duplicate"]


def test_a_batch_that_is_judged_again_is_no_copy_of_itself(sound: Sound, settings: Settings) -> None:
    case = sound["guard"]
    assert funnel([case], settings, earlier=[case.trajectory]).kept == (case.trajectory,)


def test_a_copy_of_a_rejected_one_is_kept(sound: Sound, settings: Settings, mutate: Mutate) -> None:
    wrong = mutate(sound["guard"], final_digest="0")
    assert funnel([wrong, twin(sound["guard"], mutate)], settings).kept[0].trajectory_id == "tr_twin"


def test_a_copy_of_one_that_the_judge_rejects_is_rejected_unasked(
    sound: Sound, settings: Settings, mutate: Mutate
) -> None:
    case = sound["guard"]
    copy, judge = twin(case, mutate), Judge('{"score": 0}')
    result = funnel([case, copy], settings, judge=judge)
    assert [one.rule for one in result.verdicts if not one.keep] == ["near_duplicate", "judge"]
    assert (result.kept, len(judge.asked)) == ((), 1)


def test_other_words_are_no_copy(sound: Sound, settings: Settings, mutate: Mutate) -> None:
    other = asking(twin(sound["guard"], mutate), mutate, QUESTION)
    assert len(funnel([sound["guard"], other], settings).kept) == 2
    assert len(funnel([sound["guard"], other], settings, duplicate_similarity=0.1).kept) == 1


# ── benchmarks ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(params=["bench.jsonl", "bench.jsonl.gz"])
def benchmarks(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder of one benchmark, plain or packed."""
    rows = "\n".join([json.dumps({"id": 1, "turns": [[{"content": QUESTION}]]}), "", json.dumps({"n": 2})])
    path = tmp_path / "suite" / request.param
    path.parent.mkdir()
    path.write_bytes(gzip.compress(rows.encode()) if path.suffix == ".gz" else rows.encode())
    return tmp_path


def test_a_question_of_a_benchmark_is_rejected(
    benchmarks: Path, sound: Sound, settings: Settings, mutate: Mutate
) -> None:
    asked = asking(sound["guard"], mutate, QUESTION.upper().replace(" ", ", "))
    result = funnel([asked, sound["verify"]], settings, decontaminate=benchmarks)
    verdict = last_verdict(result, asked)
    assert (verdict.rule, verdict.keep) == ("contaminated", False)
    assert verdict.reason.startswith("a benchmark has '")
    assert result.kept == (sound["verify"].trajectory,)


def test_thirteen_words_in_a_row_are_too_many_and_twelve_are_not(
    benchmarks: Path, sound: Sound, mutate: Mutate
) -> None:
    grams = benchmark_ngrams(benchmarks)
    words = QUESTION.split()
    short = asking(sound["guard"], mutate, " ".join(words[:12]))
    long = asking(sound["guard"], mutate, " ".join(words[:13]))
    assert shared_ngram(short.trajectory, grams) is None
    assert shared_ngram(long.trajectory, grams) == " ".join(words[:13]).lower()


def test_only_what_the_user_asked_counts(benchmarks: Path, sound: Sound, mutate: Mutate) -> None:
    old = sound["guard"].trajectory.messages
    system = old[0].model_copy(update={"content": QUESTION})
    told = mutate(sound["guard"], messages=(system, *old[1:]))
    assert shared_ngram(told.trajectory, benchmark_ngrams(benchmarks)) is None


@pytest.mark.parametrize("content", [None, b"{", b"\x1f\x8bnot gzip"])
def test_a_folder_without_benchmarks_is_a_config_error(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / ("b.jsonl.gz" if content[0] == 0x1F else "b.jsonl")).write_bytes(content)
    with pytest.raises(ConfigError):
        benchmark_ngrams(tmp_path)
    with pytest.raises(ConfigError, match="TDS_DECONTAMINATE"):
        benchmark_ngrams(tmp_path / "nowhere")


# ── the judge ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_score_below_the_threshold_rejects(sound: Sound, settings: Settings) -> None:
    judge = Judge('Here: {"score": 0.49, "reason": "It is curt."}')
    result = funnel([sound["guard"]], settings, judge=judge, judge_threshold=0.5)
    verdict = last_verdict(result, sound["guard"])
    assert (verdict.rule, verdict.keep, verdict.score, verdict.reason) == ("judge", False, 0.49, "It is curt.")
    assert result.kept == ()


def test_a_score_at_the_threshold_keeps(sound: Sound, settings: Settings) -> None:
    result = funnel([sound["guard"]], settings, judge=Judge('{"score": 0.5}'), judge_threshold=0.5)
    assert last_verdict(result, sound["guard"]).score == 0.5
    assert len(result.kept) == 1


@pytest.mark.parametrize(
    "text", ["", "I like it.", "{", '{"score": "high"}', '{"score": true}', '{"score": 7}', '{"score": null}', "[1]"]
)
def test_a_verdict_that_cannot_be_read_is_unscored_and_keeps(text: str, sound: Sound, settings: Settings) -> None:
    result = funnel([sound["guard"]], settings, judge=Judge(text), judge_threshold=1.0)
    verdict = last_verdict(result, sound["guard"])
    assert (verdict.rule, verdict.keep, verdict.score) == ("judge", True, None)
    assert verdict.reason.startswith(f"unscored: model call failed (malformed): the judge wrote {text!r}")
    assert len(result.kept) == 1


def test_a_judge_that_fails_leaves_the_conversation_unscored(sound: Sound, settings: Settings) -> None:
    result = funnel([sound["guard"]], settings, judge=Judge(ModelError("throttled", "slow down")))
    verdict = last_verdict(result, sound["guard"])
    assert (verdict.keep, verdict.score) == (True, None)
    assert verdict.reason == "unscored: model call failed (throttled): slow down"


def test_what_the_judge_cannot_be_paid_for_is_held_back_with_the_reason(
    sound: Sound, settings: Settings, mutate: Mutate
) -> None:
    cases = [sound["guard"], mutate(sound["pivot"], final_digest="0")]
    result = funnel(cases, settings, judge=Judge(BudgetReachedError("the batch's budget of $1 is spent")))
    verdict = last_verdict(result, sound["guard"])
    assert (verdict.rule, verdict.keep, verdict.score) == ("unjudged", False, None)
    assert verdict.reason == "the batch's budget of $1 is spent"
    assert result.kept == ()
    assert len([one for one in result.verdicts if not one.keep]) == len(cases)


def test_a_judge_is_asked_only_of_what_passed_and_sees_no_guidance(
    sound: Sound, settings: Settings, mutate: Mutate
) -> None:
    judge = Judge('{"score": 1}')
    funnel([sound["guard"], mutate(sound["pivot"], final_digest="0")], settings, judge=judge)
    (request,) = judge.asked
    shown = json.loads(str(request.messages[1]["content"]))
    assert [message["role"] for message in shown] == [one.role for one in sound["guard"].trajectory.messages]
    assert "<guidance" not in str(request.messages[1]["content"])
    assert (request.role, request.temperature) == ("judge", 0.0)


def test_the_scripted_judge_scores_every_one(sound: Sound, settings: Settings) -> None:
    result = funnel(list(sound.values()), settings, judge=ScriptedTeacher(1.0))
    scores = [one.score for one in result.verdicts if one.rule == "judge"]
    assert len(scores) == len(sound)
    assert all(score is not None and 0.6 <= score <= 1.0 for score in scores)
