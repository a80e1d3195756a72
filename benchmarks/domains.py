"""How often a tool's business domain is right, how honest its confidence is, and how fast: python benchmarks/domains.py

Without each built-in service, without the catalogs' categories, against our own labels of real tools, and as features
for the catalogs' own categories, split by server. The weights were chosen on the development servers only.
"""

import csv
import hashlib
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from _timing import median_seconds
from catalog import REAL, read_tools
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from tdscaling_assets.catalog.domains import THRESHOLD, assign_domains, domain_confidences, packaged_vocabulary
from tdscaling_assets.catalog.taxonomy import load_taxonomy
from tdscaling_assets.catalog.vocabulary import Scores, build_vocabulary, score, tokens
from tdscaling_assets.schema import Tool
from tdscaling_assets.services.spec import load_services, service_tools

LABELS = Path(__file__).parents[1] / "tests" / "catalog" / "domain_labels.csv"
REPEATS = 3
BINS = (0.0, THRESHOLD, 0.5, 0.7, 0.9, 1.01)
FOLDS = 5


def main() -> None:
    """The built-in services, then, where it is present, real data."""
    print_held_out()
    files = sorted(REAL.glob("*.jsonl.gz"))
    if not files:
        print(f"no figures on real tools: {REAL} is not there")
        return
    with tempfile.TemporaryDirectory() as folder:
        tools = read_tools(Path(folder), files)
    tools = [tool for tool in tools if tool.source.startswith("file:")]
    seconds = median_seconds(partial(assign_domains, tools), REPEATS, time.process_time)
    print(f"{len(tools)} real tools  {seconds:.1f} s of CPU (median of {REPEATS})")
    print_domains("with categories", tools)
    hidden = [tool.model_copy(update={"category": None}) for tool in tools]
    print_domains("categories hidden", hidden)
    print_categories(tools, hidden)
    print_foreign_categories([tool for tool in tools if tool.source.startswith("file:live")])


def print_held_out() -> None:
    """Each service's tools by a vocabulary that never saw it; its name hidden too."""
    taxonomy, services = load_taxonomy(), load_services()
    right = kept = total = 0
    for name, service in services.items():
        vocabulary = build_vocabulary(taxonomy, [other for other in services.values() if other.name != name])
        tools = [_plain_tool(raw) for raw in service_tools(service)]
        confidences = domain_confidences(tools, taxonomy, partial(score, vocabulary))
        wanted = taxonomy.ids.index(service.domain)
        right += int((confidences.argmax(axis=1) == wanted).sum())
        kept += int((confidences.max(axis=1) >= THRESHOLD).sum())
        total += len(tools)
    print(
        f"built-in, held out: {total} tools of {len(services)} services  "
        f"right {right / total:.1%}, told {kept / total:.1%}"
    )


def print_domains(label: str, tools: Sequence[Tool]) -> None:
    """Against our labels: development and test servers apart."""
    confidences = _confidences(tools)
    ids = load_taxonomy().ids
    place = {(tool.server, tool.name): row for row, tool in reversed(list(enumerate(tools)))}
    unknown = (confidences.max(axis=1) < THRESHOLD).mean()
    print(f"{label}: {unknown:.1%} of the tools unknown")
    with LABELS.open(encoding="utf-8") as file:
        labels = [row for row in csv.DictReader(file) if (row["server"], row["tool"]) in place]
    for split, wanted in (("development", True), ("test", False)):
        rows = [row for row in labels if is_development(row["server"]) is wanted]
        at = [place[row["server"], row["tool"]] for row in rows]
        best = [ids[index] for index in confidences[at].argmax(axis=1)]
        sure = confidences[at].max(axis=1)
        strict = np.array([name == row["domain"] for name, row in zip(best, rows, strict=True)])
        either = np.array([name in (row["domain"], row["also"]) for name, row in zip(best, rows, strict=True)])
        told = sure >= THRESHOLD
        print(
            f"  {split}: {len(rows)} labelled  right {strict.mean():.3f} (second label allowed {either.mean():.3f})  "
            f"among the {told.mean():.0%} told {strict[told].mean():.3f} ({either[told].mean():.3f})"
        )
        for low, high in pairwise(BINS):
            inside = (sure >= low) & (sure < high)
            if inside.any():
                print(
                    f"    confidence {low:.1f}-{min(high, 1):.1f}: {inside.sum():3d}  right {either[inside].mean():.2f}"
                )


def print_categories(tools: Sequence[Tool], hidden: Sequence[Tool]) -> None:
    """Against the catalogs' own categories that mean one domain, with the category hidden from us."""
    taxonomy = load_taxonomy()
    order = np.argsort(-_confidences(hidden), axis=1)[:, :3]
    meant = [taxonomy.meant_by(tool.category) for tool in tools]
    for split, wanted in (("development", True), ("test", False)):
        rows = [i for i, tool in enumerate(tools) if len(meant[i]) == 1 and is_development(tool.server) is wanted]
        first = np.mean([taxonomy.ids[order[i, 0]] in meant[i] for i in rows])
        third = np.mean([any(taxonomy.ids[j] in meant[i] for j in order[i]) for i in rows])
        print(f"unambiguous categories, {split} servers: {len(rows)} tools  agree {first:.3f}, top 3 {third:.3f}")


def print_foreign_categories(tools: Sequence[Tool]) -> None:
    """A linear model of the catalog's own categories over words and our confidences; folds never share a server."""
    truth = np.array([tool.category for tool in tools])
    hidden = [tool.model_copy(update={"category": None}) for tool in tools]
    servers = np.unique([tool.server for tool in tools], return_inverse=True)[1]
    counts = np.bincount(servers)
    member = sparse.csr_matrix((1 / counts[servers], (servers, np.arange(len(tools)))))
    ours = _confidences(hidden)
    first = third = 0
    own = [tokens(f"{tool.name} {tool.description[:600]}") for tool in tools]
    names = [tokens(tool.server) for tool in tools]
    for train, test in GroupKFold(FOLDS, shuffle=True, random_state=0).split(own, truth, servers):
        words = _tfidf([own[i] for i in train], 2)(own)
        named = _tfidf([names[i] for i in train], 1)(names)
        features = sparse.hstack(
            [words, 2 * (member @ words)[servers], named, 2 * ours, 2 * (member @ ours)[servers]]
        ).tocsr()
        weights = counts[servers][train] ** -0.5
        model = LogisticRegression(C=1, max_iter=150, tol=1e-3).fit(
            features[train], truth[train], weights / weights.mean()
        )
        likely = model.classes_[np.argsort(-model.predict_proba(features[test]), axis=1)[:, :3]]
        first += int((likely[:, 0] == truth[test]).sum())
        third += int((likely == truth[test][:, None]).any(axis=1).sum())
    print(
        f"{len(set(truth))} categories of {len(tools)} live tools, {FOLDS} folds by server: "
        f"right {first / len(tools):.3f}, top 3 {third / len(tools):.3f}"
    )


def is_development(server: str) -> bool:
    """Half of the servers, by hash: those that weights and words were chosen on."""
    return hashlib.sha256(server.encode()).digest()[0] % 2 == 0


def _confidences(tools: Sequence[Tool]) -> Scores:
    return domain_confidences(tools, load_taxonomy(), partial(score, packaged_vocabulary()))


def _tfidf(texts: Sequence[list[str]], at_least: int) -> Callable[[Sequence[list[str]]], sparse.csr_matrix]:
    return TfidfVectorizer(analyzer=_word_pairs, min_df=at_least, sublinear_tf=True).fit(texts).transform


def _word_pairs(words: list[str]) -> list[str]:
    return words + [f"{first} {second}" for first, second in pairwise(words)]


def _plain_tool(raw: dict[str, object]) -> Tool:
    return Tool.model_validate(
        {
            "tool_id": raw["name"],
            "server": "server",
            "name": raw["name"],
            "description": raw["description"],
            "input_schema": raw["inputSchema"],
            "domain": "unknown",
            "source": "held out",
            "executor": "simulated",
            "content_hash": "",
        }
    )


if __name__ == "__main__":
    main()
