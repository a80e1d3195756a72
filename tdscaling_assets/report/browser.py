"""Trajectories and verdicts in, the JSON of the page's trajectory browser out."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from tdscaling_assets.schema import JsonObject, Message, Trajectory, Verdict

CAP = 300


class Placed(Protocol):
    """What has a place among the batches."""

    @property
    def round(self) -> str:
        """Its round."""

    @property
    def batch(self) -> str:
        """Its batch."""

    @property
    def trajectory_id(self) -> str:
        """Its own id."""


PlacedT = TypeVar("PlacedT", bound=Placed)


def sample_evenly(trajectories: Sequence[PlacedT], cap: int = CAP) -> list[PlacedT]:
    """At most `cap` trajectories: as many of each round as of any other, evenly spaced within it by batch and id."""
    by_round: defaultdict[str, list[PlacedT]] = defaultdict(list)
    for trajectory in sorted(trajectories, key=lambda row: (row.round, row.batch, row.trajectory_id)):
        by_round[trajectory.round].append(trajectory)
    sample: list[PlacedT] = []
    smallest_first = sorted(by_round.values(), key=len)
    for position, rows in enumerate(smallest_first):
        share = min(len(rows), (cap - len(sample)) // (len(smallest_first) - position))
        sample += [rows[index * len(rows) // share] for index in range(share)]
    return sorted(sample, key=lambda row: (row.round, row.batch, row.trajectory_id))


def browser_rows(trajectories: Sequence[Trajectory], verdicts: Sequence[Verdict]) -> list[JsonObject]:
    """One object per trajectory: what the list filters on and the conversation it opens."""
    judged: defaultdict[str, list[Verdict]] = defaultdict(list)
    for verdict in sorted(verdicts, key=lambda row: row.position):
        judged[verdict.trajectory_id].append(verdict)
    return [_row(trajectory, judged) for trajectory in trajectories]


def embed_json(value: object) -> str:
    """JSON that is safe inside a `<script>` element: no `<`, `>`, `&`, no `//`, no line separators of JavaScript."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text = text.replace("//", "\\/\\/")
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _row(trajectory: Trajectory, judged: Mapping[str, Sequence[Verdict]]) -> JsonObject:
    outcome, reason = _outcome(trajectory, judged.get(trajectory.trajectory_id, ()))
    return {
        "id": trajectory.trajectory_id,
        "round": trajectory.round,
        "batch": trajectory.batch,
        "domain": trajectory.domain,
        "mode": " › ".join(trajectory.mode),
        "cac": trajectory.cac,
        "operators": list(trajectory.lineage.operators),
        "outcome": outcome,
        "reason": reason,
        "labels": list(trajectory.labels),
        "messages": [_message(message) for message in trajectory.messages],
    }


def _outcome(trajectory: Trajectory, verdicts: Sequence[Verdict]) -> tuple[str, str]:
    for verdict in verdicts:
        if not verdict.keep:
            return "rejected", f"{verdict.rule}: {verdict.reason}" if verdict.reason else verdict.rule
    if trajectory.failure is not None:
        return "rejected", f"{trajectory.failure.kind}: {trajectory.failure.detail}"
    return ("kept", "") if verdicts else ("unjudged", "no rule has looked at it yet")


def _message(message: Message) -> JsonObject:
    row: JsonObject = {"role": message.role, "content": message.content or ""}
    if message.reasoning:
        row["reasoning"] = message.reasoning
    if message.tool_calls:
        row["calls"] = [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in message.tool_calls]
    if message.tool_call_id is not None:
        row["answers"] = message.tool_call_id
    if message.simulated:
        row["simulated"] = True
    return row
