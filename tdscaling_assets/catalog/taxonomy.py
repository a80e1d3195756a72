"""taxonomy.yaml in, the published business domains out: their words, and what catalogs call them in free text."""

from functools import lru_cache
from importlib.resources import files

import yaml
from pydantic import model_validator

from tdscaling_assets.errors import ConfigError
from tdscaling_assets.schema import Record
from tdscaling_assets.text import normalise

UNKNOWN = "unknown"
"""The domain of a tool whose texts do not tell one; not part of the taxonomy."""


class Domain(Record):
    """One business domain. `words` are terms of its trade, `products` widely known products that stand for it."""

    id: str
    title: str
    scope: str
    words: tuple[str, ...]
    products: tuple[str, ...] = ()


class Taxonomy(Record):
    """`categories` maps a free-text category, normalised and without `and`, to the domains it may mean."""

    domains: tuple[Domain, ...]
    categories: dict[str, tuple[str, ...]]

    @model_validator(mode="after")
    def _check(self) -> "Taxonomy":
        ids = self.ids
        if len(set(ids)) < len(ids):
            raise ValueError("a domain id is there twice: give each domain its own")
        for category, meant in self.categories.items():
            if strangers := [name for name in meant if name not in ids]:
                raise ValueError(f"category {category!r} names {strangers[0]!r}, which is no domain: use one of them")
        return self

    @property
    def ids(self) -> tuple[str, ...]:
        """The domains' ids, in the file's order."""
        return tuple(domain.id for domain in self.domains)

    def meant_by(self, category: str | None) -> tuple[str, ...]:
        """The domains that a free-text category may mean; empty for one that says nothing ("Others") or is new."""
        words = " ".join(word for word in normalise((category or "").replace("_", " ")).split() if word != "and")
        by_id = words.replace(" ", "_")
        return self.categories.get(words) or ((by_id,) if by_id in self.ids else ())


@lru_cache(maxsize=1)
def load_taxonomy() -> Taxonomy:
    """The packaged taxonomy; ConfigError when the file is not one."""
    text = files("tdscaling_assets.catalog").joinpath("taxonomy.yaml").read_text(encoding="utf-8")
    try:
        return Taxonomy.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"taxonomy.yaml is damaged ({error}): install the package again") from error
