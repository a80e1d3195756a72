"""Raw trajectories in, verdicts and kept trajectories out, in a fixed order; each stops at its first reject."""

import asyncio
from collections.abc import Mapping, Sequence

from tdscaling_assets.errors import BudgetReachedError
from tdscaling_assets.llm.protocol import ChatModel
from tdscaling_assets.quality.case import Case
from tdscaling_assets.quality.contamination import benchmark_ngrams, shared_ngram
from tdscaling_assets.quality.duplicates import SeenConversations
from tdscaling_assets.quality.judge import judge_conversation
from tdscaling_assets.quality.rules import RULES
from tdscaling_assets.schema import UNJUDGED, Record, Trajectory, Verdict
from tdscaling_assets.settings import Settings


class FunnelResult(Record):
    """Input = kept + trajectories with exactly one rejecting verdict, which is their last."""

    verdicts: tuple[Verdict, ...]
    kept: tuple[Trajectory, ...]


class Funnel:
    """The rules, with what passed them of the batch so far, which may come in pieces.

    Near-copies are looked for before the judge is asked, who costs calls: a conversation that the judge rejects counts
    as the original of those that nearly repeat it. What the judge cannot be paid for is held back as `unjudged`.
    """

    def __init__(self, copies: Mapping[str, str], judge: ChatModel | None, settings: Settings) -> None:
        """`copies` names the conversations of the batch that nearly repeat one of an earlier batch, and that one."""
        self._copies = copies
        self._judge = judge
        self._settings = settings
        self._seen = SeenConversations(settings.duplicate_similarity)
        self._benchmark = benchmark_ngrams(settings.decontaminate) if settings.decontaminate else set()

    async def run(self, cases: Sequence[Case]) -> FunnelResult:
        """What becomes of these cases, which come after those that it was given before."""
        verdicts: list[Verdict] = []
        kept: list[Trajectory] = []
        for case in cases:
            given = _apply_rules(case)
            if given[-1].keep:
                given += self._apply_set_rules(case.trajectory)
            verdicts += given
            if given[-1].keep:
                self._seen.add(case.trajectory)
                kept.append(case.trajectory)
        if self._judge is not None:
            scored = await _judge_all(kept, self._judge, len(RULES) + 2, self._settings)
            verdicts += scored
            kept = [item for item, verdict in zip(kept, scored, strict=True) if verdict.keep]
        return FunnelResult(verdicts=tuple(verdicts), kept=tuple(kept))

    def _apply_set_rules(self, trajectory: Trajectory) -> list[Verdict]:
        """Verdicts that depend on other conversations, up to and including the first reject."""
        copy = self._copies.get(trajectory.trajectory_id) or self._seen.find_copy(trajectory)
        unique = _verdict(trajectory, len(RULES), "near_duplicate", f"nearly repeats {copy}" if copy else None)
        if not unique.keep:
            return [unique]
        shared = shared_ngram(trajectory, self._benchmark) if self._benchmark else None
        clean = _verdict(trajectory, len(RULES) + 1, "contaminated", f"a benchmark has {shared!r}" if shared else None)
        return [unique, clean]


def passes_rules(case: Case) -> bool:
    """Whether the conversation passes every rule that looks at nothing but itself."""
    return _apply_rules(case)[-1].keep


def _apply_rules(case: Case) -> list[Verdict]:
    """One verdict per rule, up to and including the first reject: later rules rely on earlier ones."""
    verdicts: list[Verdict] = []
    for position, rule in enumerate(RULES):
        reason = rule(case)
        verdicts.append(_verdict(case.trajectory, position, rule.__name__, reason))
        if reason is not None:
            break
    return verdicts


async def _judge_all(kept: Sequence[Trajectory], judge: ChatModel, position: int, settings: Settings) -> list[Verdict]:
    slots = asyncio.Semaphore(settings.concurrency)

    async def one(trajectory: Trajectory) -> Verdict:
        try:
            async with slots:
                score, reason = await judge_conversation(trajectory, judge, settings)
        except BudgetReachedError as error:
            return _verdict(trajectory, position, UNJUDGED, str(error))
        low = score is not None and score < settings.judge_threshold
        return Verdict(
            trajectory_id=trajectory.trajectory_id,
            position=position,
            rule="judge",
            keep=not low,
            score=score,
            reason=reason,
        )

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(trajectory)) for trajectory in kept]
    return [task.result() for task in tasks]


def _verdict(trajectory: Trajectory, position: int, rule: str, reason: str | None) -> Verdict:
    return Verdict(
        trajectory_id=trajectory.trajectory_id, position=position, rule=rule, keep=reason is None, reason=reason or ""
    )
