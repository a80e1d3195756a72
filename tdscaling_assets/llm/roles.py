"""Settings in, one `ChatModel` per speaking role out."""

from collections.abc import Mapping

from tdscaling_assets.llm.cache import CachedModel
from tdscaling_assets.llm.client import LitellmModel
from tdscaling_assets.llm.protocol import ChatModel
from tdscaling_assets.llm.provider import TEACHER_MODEL
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.schema import Role
from tdscaling_assets.settings import Settings

ROLES: tuple[Role, ...] = ("planner", "user", "assistant", "environment", "judge")


def open_models(settings: Settings) -> Mapping[Role, ChatModel]:
    """The model of every role; a judge only where one is set. Roles with one model string share a client.

    Raises ConfigError for a name that litellm does not know.
    """
    names = {role: settings.role_model(role) for role in ROLES if role != "judge" or settings.model_judge}
    models = {name: open_model(name, settings) for name in sorted(set(names.values()))}
    return {role: models[name] for role, name in names.items()}


def open_model(name: str, settings: Settings) -> ChatModel:
    """The scripted teacher, or a litellm client: behind the reply cache, unless the model is the teacher in process,
    which costs nothing and says other things at another compliance."""
    if name == ScriptedTeacher.name:
        return ScriptedTeacher(settings.compliance)
    client = LitellmModel(name, settings)
    if name == TEACHER_MODEL:
        return client
    return CachedModel(client, settings.home / "cache" / "llm", settings.model_base_url)
