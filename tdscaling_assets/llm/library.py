"""litellm as this package uses it: imported when first needed, because that takes seconds, and set to stay at home."""

import os
import warnings
from types import ModuleType

from tdscaling_assets.llm import provider


def load_litellm() -> ModuleType:
    """litellm, with the teacher as a provider, quiet, and without a price list from the network."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    warnings.filterwarnings("ignore", r"Item '\w+' on TypedDict class .* `ReadOnly` qualifier", UserWarning)  # its own
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    provider.register_teacher()
    module: ModuleType = litellm
    return module


async def release_litellm() -> None:
    """End what litellm left in this event loop: its logging task and its open connections."""
    import litellm
    from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER
    from litellm.llms.custom_httpx.async_client_cleanup import close_litellm_async_clients

    await GLOBAL_LOGGING_WORKER.stop()
    await close_litellm_async_clients()  # type: ignore[no-untyped-call]
    litellm.in_memory_llm_clients_cache.flush_cache()  # type: ignore[no-untyped-call] # else the next who calls would get a closed one
