"""Every tunable, one sentence each: read from `TDS_*` environment variables, once, by whoever assembles the system."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from tdscaling_assets.errors import ConfigError
from tdscaling_assets.schema import JsonObject, Record, Role

MAX_GENERATIONS = 12

_OWN_BASE_URL = "The role's own endpoint; empty for `model_base_url`, `provider` for the provider's own."
_OWN_KEY = "The role's own API key; empty for `model_key`."
_OWN_PARAMETERS = "The role's own parameters, over `model_parameters`."


class CacWeights(Record):
    """Weights of Cumulative Action Complexity; all in CAC units. Our own definition."""

    call: float = Field(1.0, description="Each tool call.")
    leaf: float = Field(0.5, description="Each leaf argument of a call.")
    flow: float = Field(1.0, description="Each argument whose value first appeared in an earlier observation.")
    ast: float = Field(0.5, description="Times log2(1 + AST nodes) of the code tool's source.")


class ModelOptions(Record):
    """How one role's model is called. The key is in no repr, dump or digest."""

    model: str
    base_url: str
    key: SecretStr = Field(exclude=True, repr=False)
    parameters: JsonObject


class Settings(BaseSettings):
    """All settings, with defaults that need no key, no network and no daemon."""

    model_config = SettingsConfigDict(env_prefix="TDS_", env_nested_delimiter="__", frozen=True, extra="ignore")

    # where
    home: Path = Field(Path("data"), description="Folder of the lake, exports, report, spool and caches.")
    sources: Path = Field(Path("sources.yaml"), description="The file that lists tool sources.")
    catalog: str = Field(
        "", description="DuckLake catalog: empty for SQLite in the home, or `postgres:<libpq string>`."
    )
    lake_data: str = Field(
        "", description="Folder or object-store URL of the lake's Parquet files; empty for the home."
    )
    decontaminate: Path | None = Field(None, description="Folder of benchmark JSONL whose questions must not be kept.")

    # models
    model: str = Field("teacher", description="`teacher` (scripted, offline) or any litellm model string.")
    model_user: str = Field("", description="Model of the user simulator; empty for `model`.")
    model_assistant: str = Field("", description="Model of the assistant; empty for `model`.")
    model_planner: str = Field("", description="Model that writes scenarios; empty for `model`.")
    model_environment: str = Field("", description="Model that simulates tools without an executor; empty for `model`.")
    model_judge: str = Field("", description="Model that judges what passes all rules; empty for no judge.")
    model_base_url: str = Field("", description="Endpoint of the models; empty for the provider's own.")
    model_user_base_url: str = Field("", description=_OWN_BASE_URL)
    model_assistant_base_url: str = Field("", description=_OWN_BASE_URL)
    model_planner_base_url: str = Field("", description=_OWN_BASE_URL)
    model_environment_base_url: str = Field("", description=_OWN_BASE_URL)
    model_judge_base_url: str = Field("", description=_OWN_BASE_URL)
    model_key: SecretStr = Field(
        SecretStr(""), description="API key; empty for where litellm looks for the provider's."
    )
    model_user_key: SecretStr = Field(SecretStr(""), description=_OWN_KEY)
    model_assistant_key: SecretStr = Field(SecretStr(""), description=_OWN_KEY)
    model_planner_key: SecretStr = Field(SecretStr(""), description=_OWN_KEY)
    model_environment_key: SecretStr = Field(SecretStr(""), description=_OWN_KEY)
    model_judge_key: SecretStr = Field(SecretStr(""), description=_OWN_KEY)
    model_parameters: JsonObject = Field(
        {}, description='JSON object of litellm parameters for every call, such as {"top_p": 0.9}.'
    )
    model_user_parameters: JsonObject = Field({}, description=_OWN_PARAMETERS)
    model_assistant_parameters: JsonObject = Field({}, description=_OWN_PARAMETERS)
    model_planner_parameters: JsonObject = Field({}, description=_OWN_PARAMETERS)
    model_environment_parameters: JsonObject = Field({}, description=_OWN_PARAMETERS)
    model_judge_parameters: JsonObject = Field({}, description=_OWN_PARAMETERS)
    model_tools: Literal["auto", "native", "text"] = Field(
        "auto",
        description="How tools are offered; `auto` is `text` only where litellm knows the model cannot call tools.",
    )
    model_temperature: float = Field(0.7, ge=0, le=2, description="Sampling temperature of every role.")
    model_max_tokens: int = Field(2048, gt=0, description="Completion limit per call, in tokens.")
    model_timeout: float = Field(120.0, gt=0, description="Seconds one model call may take.")
    model_attempts: int = Field(6, ge=1, description="Tries of a model call whose failure may pass.")
    model_repairs: int = Field(
        2, ge=0, description="Turns in which a model may mend a reply that is not what was asked."
    )
    model_patience: float = Field(300.0, gt=0, description="Seconds an endpoint may be down before the run gives up.")
    model_rpm: float = Field(0.0, ge=0, description="Requests per minute and endpoint; 0 for what its headers allow.")
    model_tpm: float = Field(0.0, ge=0, description="Tokens per minute and endpoint; 0 for what its headers allow.")
    model_processes: int = Field(
        0, ge=0, description="Processes that make model calls; 0 for one per 32 in flight, at most one per core."
    )
    prices: dict[str, tuple[float, float]] = Field(
        {}, description="JSON object: model → USD per million [prompt, completion] tokens, before litellm's list."
    )
    budget_batch: float = Field(0.0, ge=0, description="USD that one batch may cost; 0 for no limit.")
    budget_night: float = Field(
        0.0, ge=0, description="USD from noon to noon UTC, all batches together; 0 for no limit."
    )
    cache_days: int = Field(30, ge=1, description="Days after which a paid reply may be forgotten.")
    compliance: float = Field(0.95, ge=0, le=1, description="Probability that the scripted teacher follows a hint.")

    # synthesis
    batch_size: int = Field(220, ge=1, description="Blueprints per batch.")
    seed: int = Field(7, ge=0, description="Seed of everything random.")
    clusters: int = Field(400, ge=1, description="Most business clusters to select.")
    cluster_cover: int = Field(3, ge=1, le=8, description="Times a tool or edge counts in the selection, ever less.")
    cluster_coverage: float = Field(1.0, gt=0, le=1, description="Share of the reachable coverage that is enough.")
    concurrency: int = Field(64, ge=1, description="Conversations in flight.")
    max_steps: int = Field(24, ge=1, description="Assistant messages per conversation.")
    conversation_timeout: float = Field(600.0, gt=0, description="Seconds one conversation may take.")
    candidates: float = Field(4.0, ge=1, description="Blueprints drawn for each one chosen, from round 2 on.")
    parents: int = Field(1000, ge=0, description="Most kept blueprints that new ones may descend from.")
    plan: Path | None = Field(None, description="YAML or JSON file with fields that override a new round's plan.")
    max_operators: int = Field(6, ge=0, description="Operators that one generation may apply to a blueprint.")
    max_generations: int = Field(
        MAX_GENERATIONS,
        ge=0,
        description="Operators over all generations of a blueprint's lineage; deeper blueprints get no more.",
    )
    cac: CacWeights = Field(CacWeights(), description="Weights of Cumulative Action Complexity.")

    # sandbox
    sandbox: Literal["auto", "docker", "bubblewrap"] = Field("auto", description="Backend of the code tool.")
    sandbox_image: str = Field("tdscaling-sandbox:latest", description="Docker image of the code tool.")
    sandbox_seconds: float = Field(10.0, gt=0, description="Wall-clock and CPU limit of one execution.")
    sandbox_memory_mb: int = Field(512, gt=0, description="Memory limit of one execution, in MiB.")
    sandbox_processes: int = Field(32, gt=0, description="Process limit of one execution.")
    sandbox_at_once: int = Field(
        default_factory=lambda: max(2, min(8, 2 * (os.cpu_count() or 1))),
        ge=1,
        description="Programs that run at a time; others wait, off their own clocks.",
    )
    sandbox_boxes: int = Field(
        0,
        ge=0,
        description="Most sandboxes at a time, each a conversation's from its first code call to its end; 0 for one "
        "more than conversations in flight, at most 64.",
    )
    sandbox_output_bytes: int = Field(16_384, gt=0, description="Bytes kept of stdout and of stderr, each.")

    # live tools
    mcp_call_seconds: float = Field(60.0, gt=0, description="Seconds one call of a live tool may take.")
    mcp_text_characters: int = Field(20_000, ge=100, description="Characters kept of what a live tool returns.")

    # quality and evolution
    duplicate_similarity: float = Field(
        0.97, gt=0, le=1, description="Jaccard similarity from which two trajectories are near-duplicates."
    )
    judge_threshold: float = Field(0.5, ge=0, le=1, description="Judge's score below which a trajectory is rejected.")
    plateau_window: int = Field(1, ge=1, description="Batches over which steering metrics must stand still.")
    plateau_epsilon: float = Field(0.02, gt=0, description="Relative gain below which a steering metric stands still.")
    max_rounds: int = Field(8, ge=1, description="Rounds after which the sensor starts no more.")
    ceiling_rounds: int = Field(
        3, ge=1, description="Rounds that together must gain `plateau_epsilon`, or the sensor starts no more."
    )
    collapse_fall: float = Field(
        0.15, gt=0, le=1, description="Fall of an entropy from batch to batch, relative, beyond which it is a collapse."
    )
    collapse_share: float = Field(
        0.2, gt=0, le=1, description="Share of a batch beyond which one opening or template is a collapse."
    )
    collapse_persona: float = Field(
        0.5, gt=0, le=1, description="Share of a batch beyond which one persona, of which there are few, is a collapse."
    )
    rarefaction: int = Field(100, ge=2, description="Set size at which entropies are compared.")
    bootstrap: int = Field(200, ge=10, description="Bootstrap resamples per interval.")
    export_budget: int = Field(0, ge=0, description="Trajectories in the training set; 0 for all kept.")

    def role_model(self, role: Role) -> str:
        """The model string of a role; `model` where the role has none of its own."""
        own: str = getattr(self, f"model_{role}")
        return own or self.model

    def model_options(self, role: Role) -> ModelOptions:
        """How the role's model is called: its own settings over the general ones."""
        base_url: str = getattr(self, f"model_{role}_base_url") or self.model_base_url
        key: SecretStr = getattr(self, f"model_{role}_key")
        own: JsonObject = getattr(self, f"model_{role}_parameters")
        return ModelOptions(
            model=self.role_model(role),
            base_url="" if base_url == "provider" else base_url,
            key=SecretStr((key.get_secret_value() or self.model_key.get_secret_value()).strip()),
            parameters={**self.model_parameters, **own},
        )


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment, with overrides; raises ConfigError in one sentence."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except SettingsError as error:
        raise ConfigError(f"{error}: write it as JSON, such as TDS_PRICES='{{\"openai/m\": [1, 2]}}'") from error
    except ValidationError as error:
        first = error.errors()[0]
        name = "TDS_" + "__".join(str(part) for part in first["loc"]).upper()
        raise ConfigError(
            f"{name} is {first['input']!r}, but {first['msg'].lower()}: set it to a legal value"
        ) from error


def environment() -> Mapping[str, str]:
    """The environment variables that `${VAR}` in an MCP client configuration may name."""
    return os.environ
