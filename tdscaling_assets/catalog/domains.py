"""Tools in, the same tools out with a business domain and a confidence each; no network, no model, no clock.

A tool's own texts give evidence, and so do its siblings: a server is taken as a mixture of domains, estimated from all
of its tools, which is the prior for each of them. A vague tool of a clear server so gets the server's domain.
"""

from collections.abc import Sequence
from functools import lru_cache, partial

import numpy as np

from tdscaling_assets.catalog.taxonomy import UNKNOWN, Taxonomy, load_taxonomy
from tdscaling_assets.catalog.vocabulary import Scores, Vectorise, Vocabulary, build_vocabulary, score
from tdscaling_assets.schema import Tool
from tdscaling_assets.services.spec import load_services

THRESHOLD = 0.3
"""Confidence below which a tool's domain is `unknown`; our own."""

_SHARPNESS = 1.5  # of the scores as logits
_SIBLINGS = 2.0  # weight of the server's mixture against the tool's own evidence
_SMOOTHING = 0.5  # tools' worth of even mixture that a server starts with
_CATEGORY = 1.0  # logits that the source's free-text category gives to the domains it may mean


def assign_domains(tools: Sequence[Tool], vectorise: Vectorise | None = None) -> list[Tool]:
    """Each tool whose source states no domain, with the likeliest one and its confidence in (0, 1].

    A tool with a domain and no confidence is left as it is. The order is kept. Siblings are the tools given here.
    """
    taxonomy = load_taxonomy()
    confidences = domain_confidences(tools, taxonomy, vectorise or partial(score, packaged_vocabulary()))
    best = confidences.argmax(axis=1)
    return [
        tool if _is_stated(tool) else _decided(tool, taxonomy.ids[index], float(confidences[row, index]))
        for row, (tool, index) in enumerate(zip(tools, best, strict=True))
    ]


def domain_confidences(tools: Sequence[Tool], taxonomy: Taxonomy, vectorise: Vectorise) -> Scores:
    """Tools × domains; rows sum to 1."""
    if not tools:
        return np.zeros((0, len(taxonomy.ids)))
    own = _softmax(_SHARPNESS * vectorise(tools) + _CATEGORY * _named(tools, taxonomy))
    servers: dict[tuple[str, str], int] = {}
    server = np.array([servers.setdefault((tool.source, tool.server), len(servers)) for tool in tools], dtype=int)
    mixture = np.full((len(servers), len(taxonomy.ids)), _SMOOTHING / len(taxonomy.ids))
    np.add.at(mixture, server, own)
    mixture /= mixture.sum(axis=1, keepdims=True)
    return _softmax(np.log(own + 1e-9) + _SIBLINGS * np.log(mixture[server]))


@lru_cache(maxsize=1)
def packaged_vocabulary() -> Vocabulary:
    """Built at first use from the packaged taxonomy and services."""
    return build_vocabulary(load_taxonomy(), load_services().values())


def _named(tools: Sequence[Tool], taxonomy: Taxonomy) -> Scores:
    named = np.zeros((len(tools), len(taxonomy.ids)))
    for row, tool in enumerate(tools):
        for domain in taxonomy.meant_by(tool.category):
            named[row, taxonomy.ids.index(domain)] = 1.0
    return named


def _is_stated(tool: Tool) -> bool:
    return tool.domain_confidence is None and tool.domain != UNKNOWN


def _decided(tool: Tool, domain: str, confidence: float) -> Tool:
    name = domain if confidence >= THRESHOLD else UNKNOWN
    return tool.model_copy(update={"domain": name, "domain_confidence": round(confidence, 4)})


def _softmax(scores: Scores) -> Scores:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
