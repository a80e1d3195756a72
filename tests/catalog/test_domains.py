"""Promises of taxonomy.py, vocabulary.py and domains.py: a published taxonomy, evidence, siblings, honest unknowns."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tdscaling_assets.catalog import build_catalog
from tdscaling_assets.catalog.domains import THRESHOLD, assign_domains
from tdscaling_assets.catalog.taxonomy import UNKNOWN, load_taxonomy
from tdscaling_assets.schema import CODE_TOOL, Tool
from tdscaling_assets.services.spec import load_services
from tdscaling_assets.settings import Settings

DATA = Path(__file__).parents[3] / "shared" / "data" / "mcp_catalog"
LABELS = Path(__file__).parent / "domain_labels.csv"


def tool(name: str, description: str = "", **other: object) -> Tool:
    fields = {"tool_id": name, "server": "things", "name": name, "description": description, "input_schema": {}}
    rest = {"domain": UNKNOWN, "source": "file:x", "executor": "simulated", "content_hash": name}
    return Tool.model_validate({**fields, **rest, **other})


def domain(*tools: Tool) -> tuple[str, float]:
    first = assign_domains(tools)[0]
    assert first.domain_confidence is not None
    return first.domain, first.domain_confidence


def test_the_taxonomy_has_forty_domains_and_those_of_all_services() -> None:
    ids = load_taxonomy().ids
    assert len(ids) >= 40
    assert {service.domain for service in load_services().values()} <= {*ids}


def test_the_published_table_lists_every_domain() -> None:
    text = (Path(__file__).parents[2] / "docs" / "domains.md").read_text(encoding="utf-8")
    for entry in load_taxonomy().domains:
        assert f"| `{entry.id}` | {entry.title} | {entry.scope} |" in text


def test_a_clear_tool_gets_its_domain() -> None:
    name, confidence = domain(tool("get_forecast", "The weather forecast: temperature, humidity and wind speed."))
    assert name == "weather"
    assert THRESHOLD <= confidence <= 1


def test_a_tool_that_says_nothing_is_unknown() -> None:
    name, confidence = domain(tool("do_it", "Does the thing.", server="abc"))
    assert name == UNKNOWN
    assert 0 < confidence < THRESHOLD


def test_a_vague_tool_takes_the_domain_of_its_siblings_and_not_of_strangers() -> None:
    vague = tool("get_details", "Details of one entry.")
    clear = [tool(f"t{n}", "Search flights and airlines, hotels and itineraries for a trip.") for n in range(5)]
    assert domain(vague, *clear)[0] == "travel"
    assert domain(vague, *(other.model_copy(update={"server": "elsewhere"}) for other in clear))[0] == UNKNOWN


def test_the_domain_that_the_source_states_stays_and_has_no_confidence() -> None:
    stated = tool("get_forecast", "The weather forecast.", domain="fishing")
    (kept,) = assign_domains([stated])
    assert (kept.domain, kept.domain_confidence) == ("fishing", None)


def test_a_category_is_evidence_where_it_means_something() -> None:
    text = "Charge the order of a customer."
    plain, named, other = (tool("charge", text, category=name) for name in (None, "Payments", "Others"))
    assert domain(named)[1] != domain(plain)[1]
    assert domain(other) == domain(plain)


@pytest.mark.parametrize(
    ("category", "meant"),
    [("Cryptocurrency & Blockchain", ("blockchain",)), ("real_estate", ("real_estate",)), ("Others", ()), (None, ())],
)
def test_free_text_categories_are_looked_up(category: str | None, meant: tuple[str, ...]) -> None:
    assert load_taxonomy().meant_by(category) == meant


def test_assignment_is_the_same_on_every_run_and_in_any_order() -> None:
    tools = [tool("send_mail", "Send an email to the inbox."), tool("list_tables", "SQL tables of the database.")]
    once = assign_domains(tools)
    assert assign_domains(tools) == once
    assert assign_domains(once) == once
    assert assign_domains(tools[::-1]) == once[::-1]


def test_other_text_features_can_take_the_place_of_words() -> None:
    def weather(tools: Sequence[Tool]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        scores = np.zeros((len(tools), len(load_taxonomy().ids)))
        scores[:, load_taxonomy().ids.index("weather")] = 9.0
        return scores

    (guessed,) = assign_domains([tool("x", "A database table.")], vectorise=weather)
    assert guessed.domain == "weather"


def test_no_tools_have_no_domains() -> None:
    assert assign_domains([]) == []


def test_a_catalog_of_builtin_services_is_stated_throughout(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("- builtin: all\n")
    built = build_catalog(Settings(home=tmp_path, sources=tmp_path / "s.yaml")).tools
    assert {entry.domain_confidence for entry in built} == {None}
    assert {entry.domain for entry in built if entry.tool_id == CODE_TOOL} <= {*load_taxonomy().ids}


@pytest.mark.skipif(not DATA.exists(), reason="the real catalogs ../shared/data/mcp_catalog are absent")
def test_most_labelled_real_tools_get_a_label_of_ours(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("".join(f"- file: {path.resolve()}\n" for path in sorted(DATA.glob("*.gz"))))
    built = build_catalog(Settings(home=tmp_path, sources=tmp_path / "s.yaml")).tools
    found = {(entry.server, entry.name): entry for entry in reversed(built)}
    with LABELS.open(encoding="utf-8") as file:
        pairs = [
            (found[row["server"], row["tool"]], row)
            for row in csv.DictReader(file)
            if (row["server"], row["tool"]) in found
        ]
    told = [(entry.domain, row) for entry, row in pairs if entry.domain != UNKNOWN]
    right = sum(name in (row["domain"], row["also"]) for name, row in told)
    assert len(pairs) > 130
    assert len(told) >= 0.8 * len(pairs)
    assert right >= 0.75 * len(told)
