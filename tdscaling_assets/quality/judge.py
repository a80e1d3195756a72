"""A conversation in, a model's score of it out. A verdict that cannot be read is unscored, not zero."""

from pydantic import BaseModel, Field

from tdscaling_assets.errors import ModelError
from tdscaling_assets.llm.protocol import ChatModel, ChatRequest
from tdscaling_assets.llm.structured import ask_record
from tdscaling_assets.prompts import render, with_guidance
from tdscaling_assets.schema import Trajectory, canonical_json, chat_messages
from tdscaling_assets.settings import Settings


class Opinion(BaseModel):
    """What the judge writes."""

    score: float = Field(ge=0, le=1)
    reason: str = ""


async def judge_conversation(trajectory: Trajectory, judge: ChatModel, settings: Settings) -> tuple[float | None, str]:
    """Score in [0, 1] or None, and the reason. Raises BudgetReachedError."""
    request = ChatRequest(
        role="judge",
        messages=(
            {"role": "system", "content": with_guidance(render("judge"), {"role": "judge"})},
            {"role": "user", "content": canonical_json(chat_messages(trajectory.messages))},
        ),
        temperature=0.0,
        max_tokens=settings.model_max_tokens,
        seed=trajectory.seed % 2**31,
    )
    try:
        verdict = await ask_record(judge, request, Opinion, settings.model_repairs)
    except ModelError as error:
        return None, f"unscored: {error}"
    return verdict.score, verdict.reason
