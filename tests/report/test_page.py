import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from tdscaling_assets.report.browser import browser_rows, embed_json, sample_evenly
from tdscaling_assets.report.data import ReportData
from tdscaling_assets.report.page import render_report, write_report
from tdscaling_assets.schema import Verdict

MakeReport = Callable[..., ReportData]
HOSTILE = "</script><img src=x onerror=alert(1)><!-- see https://evil.example//x \u2028 & ' \""


class Page(HTMLParser):
    """The tags and attributes that a browser would see, and the text of each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.scripts: list[str] = []
        self.inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            self.scripts[-1] += data


@pytest.fixture(scope="module")
def page(report_data: ReportData) -> str:
    return render_report(report_data)


@pytest.fixture(scope="module")
def attacked(make_data: MakeReport) -> str:
    """The page of a model that writes markup wherever it can."""
    data = make_data(said=HOSTILE)
    return render_report(
        replace(
            data,
            rejections=data.rejections.with_columns(reason=pl.lit(HOSTILE)),
            plans=data.plans.with_columns(reason=pl.lit(HOSTILE)),
            outcomes=data.outcomes.with_columns(domain=pl.lit(HOSTILE), mode=pl.lit(HOSTILE)),
            models=(HOSTILE,),
            title=HOSTILE,
        )
    )


@pytest.fixture(scope="module")
def other(report_data: ReportData) -> str:
    """The page of a real model's run that lost two trajectories in each of four batches."""
    counts = report_data.counts.with_columns(raw=pl.col("raw") + 2)
    return render_report(replace(report_data, simulated=False, counts=counts))


def test_the_page_names_no_outside_address(page: str) -> None:
    loaded = [value for _, name, value in Page(page).attributes if name in ("src", "href", "xlink:href", "action")]

    assert "http://" not in page and "https://" not in page
    assert loaded and all(value.startswith("#") for value in loaded)
    assert "url(#" in page and not re.search(r"url\((?!#)|@import", page)


def test_an_address_in_a_message_is_no_address_of_the_page(make_data: MakeReport) -> None:
    data = make_data(said="see https://example.com/a")
    text = embed_json(browser_rows(data.trajectories, data.verdicts))

    assert "https://" not in text
    assert json.loads(text)[0]["messages"][-1]["content"].endswith("see https://example.com/a")


def test_the_page_forbids_itself_the_network(page: str) -> None:
    policies = [value for tag, name, value in Page(page).attributes if (tag, name) == ("meta", "content")]

    assert any(value.startswith("default-src 'none';") for value in policies)


def test_hostile_text_opens_no_tag(page: str, attacked: str) -> None:
    tags = Page(attacked).tags

    assert tags["img"] == 0
    assert (tags["script"], tags["section"], tags["svg"]) == (3, 7, Page(page).tags["svg"])


def test_hostile_text_reaches_the_browser_unchanged(attacked: str) -> None:
    rows = json.loads(Page(attacked).scripts[0])

    assert rows[0]["messages"][-1]["content"].endswith(HOSTILE)


def test_embedded_json_reads_back_and_holds_no_markup() -> None:
    text = embed_json({"a": HOSTILE})

    assert json.loads(text) == {"a": HOSTILE}
    assert not set("<>&\u2028") & set(text) and "//" not in text


def test_a_simulated_teacher_is_called_one(page: str, other: str) -> None:
    sentence = "proves the machinery, not a model's quality"

    assert sentence in page
    assert sentence not in other


def test_the_page_says_why_each_round_was_planned(page: str) -> None:
    assert "First round: no history" in page
    assert "the CAC target climbs from 8.0 to 10.0" in page


def test_the_page_says_what_a_round_decided_why_and_what_came_of_it(page: str, report_data: ReportData) -> None:
    block = page[page.index("r02 against r01") : page.index("</details>")]

    assert "Operators as r02 drew them." in block
    assert "8.0 → <b>10.0</b>" in block
    assert "Conversations that each operator had a part in" in block
    assert re.search(r"\d+ modes? that no round up to r01 had kept, in \d+ of r02's trajectories", block)


def test_a_home_without_a_study_says_how_to_make_one(page: str, report_data: ReportData) -> None:
    without = render_report(replace(report_data, study=report_data.study.clear()))

    assert "tds study" not in page and "More of the same, or more diverse" in page
    assert "No study yet: <code>tds study</code>" in without
    assert "More of the same, or more diverse" not in without


def test_the_page_says_that_the_papers_figures_are_not_comparable(page: str) -> None:
    assert "The values are not comparable." in page


def test_groups_are_tables_that_sort_by_value(page: str) -> None:
    tables = re.findall(r'<table class="compact sortable">.*?</table>', page, flags=re.DOTALL)

    assert [len(re.findall("<tr><td>", table)) for table in tables] == [2, 1]
    assert "retail" in tables[0] and "deepen" in tables[1]
    assert 'data-value="12.0">12.0' in tables[0]


def test_equal_data_give_an_equal_page(page: str, make_data: MakeReport) -> None:
    assert render_report(make_data()) == page


def test_trajectories_that_vanished_are_announced(page: str, other: str) -> None:
    assert "Every trajectory is accounted for" in page
    assert "8 trajectories are neither kept nor rejected" in other


def test_every_anchor_of_the_header_exists(page: str) -> None:
    attributes = Page(page).attributes
    anchors = {value[1:] for tag, name, value in attributes if (tag, name) == ("a", "href")}

    assert anchors and anchors <= {value for _, name, value in attributes if name == "id"}


def test_a_capped_sample_is_even_over_rounds(make_data: MakeReport) -> None:
    sample = sample_evenly(make_data(per_batch=160).trajectories)

    assert Counter(row.round for row in sample) == {"r01": 150, "r02": 150}


def test_the_page_says_how_many_trajectories_it_shows(page: str, other: str) -> None:
    assert "All 48 trajectories." in page
    assert "48 of 56 trajectories, sampled evenly over rounds" in other


def test_a_small_round_gives_its_unused_share_to_the_others(report_data: ReportData) -> None:
    rows = [row for row in report_data.trajectories if row.round == "r01"][:2]
    rows += [row for row in report_data.trajectories if row.round == "r02"]

    assert Counter(row.round for row in sample_evenly(rows, cap=10)) == {"r01": 2, "r02": 8}


def test_the_sample_does_not_depend_on_the_order_given(report_data: ReportData) -> None:
    assert sample_evenly(report_data.trajectories, 7) == sample_evenly(report_data.trajectories[::-1], 7)


@pytest.mark.parametrize(
    ("verdicts", "outcome", "reason"),
    [
        ([("sound", True, ""), ("truth", False, "wrong state")], "rejected", "truth: wrong state"),
        ([("sound", True, "")], "kept", ""),
        ([], "unjudged", "no rule has looked at it yet"),
    ],
)
def test_an_outcome_carries_its_reason(
    report_data: ReportData, verdicts: list[tuple[str, bool, str]], outcome: str, reason: str
) -> None:
    trajectory = next(row for row in report_data.trajectories if row.failure is None)
    judged = [
        Verdict(trajectory_id=trajectory.trajectory_id, position=place, rule=rule, keep=keep, reason=why)
        for place, (rule, keep, why) in enumerate(verdicts)
    ]

    (row,) = browser_rows([trajectory], judged)

    assert (row["outcome"], row["reason"]) == (outcome, reason)


def test_a_report_of_an_empty_home_renders(empty_data: ReportData) -> None:
    assert "No batch yet." in render_report(empty_data)


def test_the_report_replaces_the_last_one_and_leaves_nothing_else(empty_data: ReportData, tmp_path: Path) -> None:
    path = tmp_path / "report" / "index.html"
    path.parent.mkdir()
    path.write_text("the last one")

    write_report(path, empty_data)

    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [file.name for file in path.parent.iterdir()] == ["index.html"]
