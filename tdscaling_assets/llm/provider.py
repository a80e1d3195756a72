"""The scripted teacher as a litellm provider, so that `TDS_MODEL=tds/teacher` takes the litellm path in process.

litellm passes a custom provider's own errors on as APIConnectionError, which looks retryable, and leaves time limits to
it; so what is wrong with a request is raised as litellm's BadRequestError, which passes unchanged, and the client
keeps the time. litellm is imported inside the functions (library.py says why).
"""

from typing import TYPE_CHECKING, Any

from tdscaling_assets.llm.protocol import ChatRequest
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.llm.wire import chat_completion

if TYPE_CHECKING:
    from litellm import ModelResponse

PROVIDER = "tds"
TEACHER_MODEL = f"{PROVIDER}/{ScriptedTeacher.name}"


def register_teacher() -> None:
    """Make litellm know `tds/teacher`, which takes its compliance as a parameter and is free. Idempotent."""
    import litellm
    from litellm.llms.custom_llm import CustomLLM

    if any(entry["provider"] == PROVIDER for entry in litellm.custom_provider_map):
        return

    class TeacherProvider(CustomLLM):
        async def acompletion(self, *_: Any, **call: Any) -> "ModelResponse":
            return await _complete(call["model"], call["messages"], call["optional_params"])

    prices = ("input_cost_per_token", "output_cost_per_token")
    cache_prices = ("cache_creation_input_token_cost", "cache_read_input_token_cost")
    free = dict.fromkeys((*prices, *cache_prices), 0.0)
    litellm.register_model({TEACHER_MODEL: {"litellm_provider": PROVIDER, "mode": "chat", **free}})
    litellm.custom_provider_map.append({"provider": PROVIDER, "custom_handler": TeacherProvider()})


async def _complete(model: str, messages: list[Any], parameters: dict[str, Any]) -> "ModelResponse":
    from litellm import ModelResponse
    from litellm.exceptions import BadRequestError

    try:
        teacher = ScriptedTeacher(float(parameters["compliance"]))
        request = ChatRequest(role="assistant", messages=tuple(messages), seed=parameters.get("seed") or 0)
        reply = await teacher.complete(request)
    except (KeyError, TypeError, ValueError) as error:
        raise BadRequestError(f"the scripted teacher cannot read this: {error!r}", model, PROVIDER) from error
    return ModelResponse(**chat_completion(reply, model))
