"""Taxonomy and built-in services in, a weighted vocabulary out; a tool's texts in, its evidence per domain out.

A linear model whose weights are computed, not fitted: a term counts for the domains it stands under, less when it
stands under several or is common in the services' texts of many. It is our own because nothing has to be fitted:
scikit-learn's linear models and prototypes on the same words did worse (docs/domains.md), and cost 164 MB and 2.5 s
of import. All weights are our own, chosen on tools of development servers.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tdscaling_assets.catalog.taxonomy import Taxonomy
from tdscaling_assets.schema import Tool
from tdscaling_assets.services.spec import ServiceSpec
from tdscaling_assets.text import identifier_words, singular

Scores = NDArray[np.float64]
"""Tools × domains."""

Vectorise = Callable[[Sequence[Tool]], Scores]
"""The seam for other text features, such as embeddings: evidence per tool and domain, as logits."""

_PART = 0.25  # what a word inside a longer term counts, of the term
_SERVICE = 0.5  # what a word counts that every operation of a service uses
_SPREAD = 0.7  # exponent of the discount for terms of several domains
_COMMON = 0.6  # how much of a word's use in services' texts adds to its spread
_LENGTH = 1.0  # bonus per further word of a term
_TERM_WORDS = 3
_NAME, _TITLE, _DESCRIPTION, _PARAMETERS, _SERVER = 2.0, 1.0, 1.0, 0.5, 2.5
_DESCRIPTION_WORDS, _PARAMETER_COUNT = 60, 12
_STOP = frozenset(
    word
    for line in (
        "a an the of to in on for and or is are be with by from this that it as at its into using use used if not no",
        "can will all any your you when which one do does",
    )
    for word in line.split()
)
_NEVER_ALONE = frozenset(
    word
    for line in (
        "server mcp tool api integration get list create update delete add new set make search find manage data",
        "current name id type value key number text service app user action content return specific details",
    )
    for word in line.split()
)
"""Words that say nothing by themselves, only within a longer term."""


@dataclass(frozen=True)
class Vocabulary:
    """`terms` maps a term (words in singular) to its domains' positions and weights."""

    domains: tuple[str, ...]
    terms: Mapping[str, tuple[tuple[int, float], ...]]


def build_vocabulary(taxonomy: Taxonomy, services: Iterable[ServiceSpec]) -> Vocabulary:
    """The words of the taxonomy and those of the services' own texts, which are labelled by their domain."""
    position = {name: index for index, name in enumerate(taxonomy.ids)}
    weights: dict[str, dict[int, float]] = defaultdict(dict)
    for domain in taxonomy.domains:
        for phrase in (domain.title, *domain.words, *domain.products):
            _add_phrase(weights, phrase, position[domain.id])
    use = _service_use(services, position)
    for word, shares in use.items():
        for index, share in shares.items():
            weights[word][index] = max(weights[word].get(index, 0.0), _SERVICE * share)
    return Vocabulary(
        taxonomy.ids,
        {
            term: tuple((index, _weight(term, weight, by_domain, use)) for index, weight in sorted(by_domain.items()))
            for term, by_domain in sorted(weights.items())
        },
    )


def score(vocabulary: Vocabulary, tools: Sequence[Tool]) -> Scores:
    """Logits from each tool's own texts and its server's name: tools × domains, 0 where nothing was said."""
    scores = np.zeros((len(tools), len(vocabulary.domains)))
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for row, tool in enumerate(tools):
        for term, count in _term_counts(tool, vocabulary.terms).items():
            for column, weight in vocabulary.terms[term]:
                rows.append(row)
                columns.append(column)
                values.append(math.log1p(count) * weight)
    np.add.at(scores, (rows, columns), values)
    return scores


def tokens(text: str) -> list[str]:
    """The text's words in singular, identifiers taken apart, without words that say nothing."""
    return [_singular(word) for word in identifier_words(text) if word not in _STOP]


def _add_phrase(weights: dict[str, dict[int, float]], phrase: str, domain: int) -> None:
    """The phrase as a term, and its words as parts; a phrase of which one word is left ("on call") is that part."""
    words = tokens(phrase)
    whole = _PART if len(words) == 1 < len(phrase.split()) else 1.0
    for term, weight in [*((word, _PART) for word in words if len(words) > 1), (" ".join(words), whole)]:
        if term and term.count(" ") < _TERM_WORDS and term not in _NEVER_ALONE:
            weights[term][domain] = max(weights[term].get(domain, 0.0), weight)


def _weight(term: str, weight: float, by_domain: Mapping[int, float], use: Mapping[str, Mapping[int, float]]) -> float:
    spread = sum(by_domain.values()) + _COMMON * len(use.get(term, ()))
    return weight / math.pow(max(spread, weight), _SPREAD) * (1 + _LENGTH * term.count(" "))


def _service_use(services: Iterable[ServiceSpec], position: Mapping[str, int]) -> dict[str, dict[int, float]]:
    """For each word, in which domains services use it, and in which share of the operations there."""
    operations: Counter[int] = Counter()
    use: dict[str, Counter[int]] = defaultdict(Counter)
    for service in services:
        if (domain := position.get(service.domain)) is None:
            continue
        for name, operation in service.operations.items():
            operations[domain] += 1
            for word in sorted({*tokens(f"{name} {operation.title} {operation.description}")} - _NEVER_ALONE):
                use[word][domain] += 1
    return {word: {domain: n / operations[domain] for domain, n in counts.items()} for word, counts in use.items()}


def _term_counts(tool: Tool, terms: Mapping[str, object]) -> Mapping[str, float]:
    properties = tool.input_schema.get("properties")
    parameters = " ".join(list(properties)[:_PARAMETER_COUNT]) if isinstance(properties, dict) else ""
    found: dict[str, float] = defaultdict(float)
    for factor, words in (
        (_NAME, tokens(tool.name)),
        (_TITLE, tokens(tool.title or "")),
        (_DESCRIPTION, tokens(tool.description[:1000])[:_DESCRIPTION_WORDS]),
        (_PARAMETERS, tokens(parameters)),
        (_SERVER, [word for word in tokens(tool.server) if word not in _NEVER_ALONE]),
    ):
        for size in range(1, _TERM_WORDS + 1):
            for start in range(len(words) - size + 1):
                term = " ".join(words[start : start + size]) if size > 1 else words[start]
                if term in terms:
                    found[term] += factor
    return found


@lru_cache(maxsize=100_000)
def _singular(word: str) -> str:
    return singular(word)
