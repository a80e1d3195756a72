"""A conversation in, a model's score of it out. A verdict that cannot be read is unscored, not zero."""

from tdscaling_assets.errors import ModelError
from tdscaling_assets.llm.protocol import ChatModel, ChatRequest
from tdscaling_assets.prompts import render, with_guidance
from tdscaling_assets.schema import Trajectory, canonical_json, chat_messages, parse_object
from tdscaling_assets.settings import Settings


async def judge_conversation(trajectory: Trajectory, judge: ChatModel, settings: Settings) -> tuple[float | None, str]:
    """Score in [0, 1] or None, and the reason."""
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
        reply = await judge.complete(request)
    except ModelError as error:
        return None, f"unscored: {error}"
    text = reply.content or ""
    verdict = parse_object(text[text.find("{") : text.rfind("}") + 1]) or {}
    score = verdict.get("score")
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        return None, f"unscored: the judge wrote {text[:200]!r}"
    return float(score), str(verdict.get("reason", ""))
