"""Settings in, one `ChatModel` per speaking role out."""

import os
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self, get_args

from tdscaling_assets.errors import ConfigError
from tdscaling_assets.llm.budget import Budget
from tdscaling_assets.llm.client import LitellmAttempt, open_attempt
from tdscaling_assets.llm.endpoint import Endpoint
from tdscaling_assets.llm.library import release_litellm
from tdscaling_assets.llm.patient import BACKOFF_SECONDS, PatientModel
from tdscaling_assets.llm.protocol import ChatModel, ReplyStore
from tdscaling_assets.llm.provider import TEACHER_MODEL
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.llm.workers import WorkerPool
from tdscaling_assets.schema import Role
from tdscaling_assets.secrets import without_login
from tdscaling_assets.settings import ModelOptions, Settings

ROLES: tuple[Role, ...] = get_args(Role)
_PER_PROCESS = 32
"""Conversations in flight that one process makes calls for, unless the settings say otherwise. Our own number."""


class Models(Mapping[Role, ChatModel]):
    """The model of every role; a judge only where one is set. What they share: endpoints, budget, kept replies."""

    def __init__(self, settings: Settings, store: ReplyStore | None = None, backoff: float = BACKOFF_SECONDS) -> None:
        """Raises ConfigError for a name that litellm does not know, and for a budget without a price."""
        self.budget = Budget(settings, store)
        self._settings = settings
        self._store = store
        self._backoff = backoff
        self._endpoints: dict[str, Endpoint] = {}
        processes = settings.model_processes or min(os.cpu_count() or 1, -(-settings.concurrency // _PER_PROCESS))
        self._pool = WorkerPool(open_attempt, settings, processes) if processes > 1 else None
        self._by_options: dict[str, ChatModel] = {}
        spoken = [role for role in ROLES if role != "judge" or settings.model_judge]
        self._by_role = {role: self._open(settings.model_options(role)) for role in spoken}

    def __getitem__(self, role: Role) -> ChatModel:
        return self._by_role[role]

    def __iter__(self) -> Iterator[Role]:
        return iter(self._by_role)

    def __len__(self) -> int:
        return len(self._by_role)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def complaints(self) -> list[str]:
        """What a person should know of endpoints that are down or hold calls back."""
        said = (endpoint.complaint() for endpoint in self._endpoints.values())
        return [complaint for complaint in said if complaint]

    async def close(self) -> None:
        """Release what the models hold in this event loop."""
        if self._pool is not None:
            await self._pool.close()
        elif self._endpoints:
            await release_litellm()

    def _open(self, options: ModelOptions) -> ChatModel:
        key = repr((options.model_dump(), options.key.get_secret_value()))
        if key not in self._by_options:
            self._by_options[key] = self._make(options)
        return self._by_options[key]

    def _make(self, options: ModelOptions) -> ChatModel:
        """The scripted teacher, or a patient litellm client; the teacher in process is free, so it is not kept."""
        settings = self._settings
        if options.model == ScriptedTeacher.name:
            return ScriptedTeacher(settings.compliance)
        attempt = LitellmAttempt(options, settings)
        if (settings.budget_batch or settings.budget_night) and not attempt.is_priced:
            raise ConfigError(
                f"a budget is set, but the price of {options.model} is not known: set TDS_PRICES to "
                f'{{"{options.model}": [USD per million prompt tokens, USD per million completion tokens]}}'
            )
        options = options.model_copy(update={"base_url": attempt.address})
        name = without_login(attempt.address) or attempt.provider
        endpoint = self._endpoints.setdefault(name, Endpoint(name, settings))
        store = None if options.model == TEACHER_MODEL else self._store
        return PatientModel(options, settings, self._pool or attempt, endpoint, self.budget, store, self._backoff)


def open_models(settings: Settings, store: ReplyStore | None = None) -> Models:
    """The models; with a store, what was paid for is not asked again. Raises ConfigError."""
    return Models(settings, store)
