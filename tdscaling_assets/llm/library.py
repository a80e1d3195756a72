"""litellm as this package uses it: imported when first needed, because that takes seconds, and set to stay at home."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from tdscaling_assets.llm import provider


def load_litellm() -> ModuleType:
    """litellm, with the teacher as a provider, quiet, and without a price list from the network."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("EXPERIMENTAL_OPENAI_BASE_LLM_HTTP_HANDLER", "True")  # its own client: 40 % less CPU a call
    import litellm

    warnings.filterwarnings("ignore", r"Item '\w+' on TypedDict class .* `ReadOnly` qualifier", UserWarning)  # its own
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    provider.register_teacher()
    module: ModuleType = litellm
    return module


@contextmanager
def unlogged() -> Iterator[None]:
    """Calls made within are told to none of litellm's loggers, of which this package has none: 10 % less CPU a call."""
    from litellm._internal_context import is_internal_call

    token = is_internal_call.set(True)
    try:
        yield
    finally:
        is_internal_call.reset(token)


def count_no_costs() -> None:
    """Let litellm put no price on calls from now on: a fifth less CPU a call. For processes that make only our calls,
    which are priced from their usage."""
    import litellm

    litellm.response_cost_calculator = lambda **_: None  # type: ignore[assignment] # of 0 it would look for the reason


async def release_litellm() -> None:
    """End what litellm left in this event loop: its logging task and its open connections."""
    import litellm
    from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER
    from litellm.llms.custom_httpx.async_client_cleanup import close_litellm_async_clients

    await GLOBAL_LOGGING_WORKER.stop()
    await close_litellm_async_clients()  # type: ignore[no-untyped-call]
    litellm.in_memory_llm_clients_cache.flush_cache()  # type: ignore[no-untyped-call] # else the next who calls would get a closed one
