"""Promises of `tds`: answers are on stdout; every refusal is one sentence on stderr, never a traceback."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.tables import TABLES

ROOT = Path(__file__).parents[1]
TDS = str(Path(sys.executable).with_name("tds"))
PATIENCE_SECONDS = 240


@pytest.fixture(scope="module")
def empty_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with every table and no row."""
    home = tmp_path_factory.mktemp("empty") / "home"
    Lake.open(Settings(home=home, catalog="", lake_data="")).close()
    return home


def tds(home: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TDS_", "DAGSTER_"))}
    environment = {**inherited, "TDS_HOME": str(home), **settings}
    return subprocess.run(
        [TDS, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )


def refusal(process: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a refusal, after `tds: `."""
    assert process.returncode == 1, process
    (line,) = process.stderr.splitlines()
    assert line.startswith("tds: ")
    return line.removeprefix("tds: ")


def test_sql_json_is_one_array_and_nothing_else(empty_lake: Path) -> None:
    process = tds(
        empty_lake, "sql", "--json", "SELECT 1 AS one, 'é' AS two, NULL AS three UNION ALL SELECT 2, 'b', 'c'"
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert json.loads(process.stdout) == [
        {"one": 1, "two": "é", "three": None},
        {"one": 2, "two": "b", "three": "c"},
    ]
    assert len(process.stdout.splitlines()) == 1


def test_sql_json_has_numbers_for_decimals_and_null_for_what_is_no_number(empty_lake: Path) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    query = "SELECT 1.5 AS one, [0.25, 12.00] AS two, 'nan'::DOUBLE AS three, {'a': ['-inf'::DOUBLE, 2]} AS four"
    process = tds(empty_lake, "sql", "--json", f"{query}, 12345678901234567890::DECIMAL(20, 0) AS five")
    assert json.loads(process.stdout, parse_constant=refuse) == [
        {"one": 1.5, "two": [0.25, 12], "three": None, "four": {"a": [None, 2]}, "five": 12345678901234567890}
    ]


def test_sql_json_of_no_rows_is_an_empty_array(empty_lake: Path) -> None:
    assert tds(empty_lake, "sql", "--json", "SELECT * FROM verdicts").stdout == "[]\n"


def test_sql_answers_for_every_table_under_its_bare_name(empty_lake: Path) -> None:
    counts = " UNION ALL ".join(f"SELECT '{table}' AS name, count(*) AS n FROM {table}" for table in TABLES)
    rows = json.loads(tds(empty_lake, "sql", "--json", counts).stdout)
    assert {row["name"]: row["n"] for row in rows} == dict.fromkeys(TABLES, 0)


def test_sql_without_json_cuts_nothing_in_a_pipe(empty_lake: Path) -> None:
    process = tds(empty_lake, "sql", "SELECT repeat('x', 500) AS wide")
    assert "x" * 500 in process.stdout


def test_sql_without_a_query_prints_the_line_that_attaches(tmp_path: Path) -> None:
    (line,) = tds(tmp_path / "none", "sql").stdout.splitlines()
    assert line.endswith("READ_ONLY); USE lake;")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT * FROM no_such_table", "no_such_table does not exist"),
        ("DELETE FROM verdicts", "read-only"),
        ("", "the query is empty"),
    ],
)
def test_sql_that_cannot_run_is_refused(query: str, told: str, empty_lake: Path) -> None:
    assert told in refusal(tds(empty_lake, "sql", "--json", query))


@pytest.mark.parametrize("command", [("sql", "SELECT 1"), ("report",), ("export",)])
def test_reading_where_there_is_no_lake_is_refused_and_makes_none(command: tuple[str, ...], tmp_path: Path) -> None:
    assert "holds no lake yet" in refusal(tds(tmp_path / "none", *command))
    assert not (tmp_path / "none").exists()


def test_missing_sources_are_refused(tmp_path: Path) -> None:
    assert "nowhere.yaml does not exist" in refusal(
        tds(tmp_path, "catalog", TDS_SOURCES=str(tmp_path / "nowhere.yaml"))
    )


def test_sources_that_are_not_yaml_are_refused(tmp_path: Path) -> None:
    sources = tmp_path / "sources.yaml"
    sources.write_text("sources: [")
    assert "is not YAML" in refusal(tds(tmp_path / "home", "catalog", TDS_SOURCES=str(sources)))


@pytest.mark.parametrize(
    ("setting", "value"),
    [("TDS_MODEL", "nonsense"), ("TDS_BATCH_SIZE", "abc"), ("TDS_CATALOG", "mysql:x")],
)
def test_an_illegal_setting_is_named_with_its_value(setting: str, value: str, tmp_path: Path) -> None:
    sentence = refusal(tds(tmp_path, "batch", **{setting: value}))
    assert sentence.startswith(f"{setting} is '{value}'")


def test_a_setting_that_is_no_json_is_named(tmp_path: Path) -> None:
    sentence = refusal(tds(tmp_path, "doctor", TDS_PRICES="{bad"))
    assert 'error parsing value for field "prices"' in sentence
    assert "write it as JSON" in sentence


@pytest.mark.parametrize("command", ["batch", "demo"])
def test_a_home_that_is_a_file_is_refused(command: str, tmp_path: Path) -> None:
    home = tmp_path / "file"
    home.write_text("not a folder")
    assert str(home) in refusal(tds(home, command))


def test_a_home_that_cannot_be_made_is_refused() -> None:
    assert "TDS_HOME" in refusal(tds(Path("/proc/tds"), "catalog"))


def test_a_dagster_home_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert "DAGSTER_HOME" in refusal(tds(tmp_path / "home", "catalog", DAGSTER_HOME=str(tmp_path / "file")))


def test_a_batch_before_the_catalog_is_refused(empty_lake: Path) -> None:
    assert "run `tds catalog` first" in refusal(tds(empty_lake, "batch"))


def test_an_unknown_service_is_refused_with_those_there_are(tmp_path: Path) -> None:
    assert "airline, bank, calendar" in refusal(tds(tmp_path, "services", "serve", "nothing"))


@pytest.mark.parametrize("name", ["../elsewhere", ".."])
def test_an_export_stays_in_its_folder(name: str, empty_lake: Path) -> None:
    assert "--name is" in refusal(tds(empty_lake, "export", "--name", name))


def test_a_budget_that_is_no_number_is_refused(tmp_path: Path) -> None:
    assert "--budget is 'many'" in refusal(tds(tmp_path, "study", "--budget", "many"))


@pytest.mark.parametrize("arguments", [("batch", "--size", "0"), ("sing",)])
def test_wrong_usage_gets_the_parsers_own_message(arguments: tuple[str, ...], tmp_path: Path) -> None:
    process = tds(tmp_path, *arguments)
    assert process.returncode == 2
    assert "Usage: tds" in process.stderr
    assert "Traceback" not in process.stderr


def test_services_are_listed_with_tools_states_and_junctions(tmp_path: Path) -> None:
    lines = tds(tmp_path, "services", "list").stdout.splitlines()
    shop = lines.index("shop  commerce: Halden Home online shop")
    assert "find_customer" in lines[shop + 1]
    assert any(line.startswith("    order.status: paid → packed | cancelled, ") for line in lines[shop:])
    assert any(line.startswith("    with payments: ") for line in lines[shop:])
    listed = json.loads(tds(tmp_path, "services", "list", "--json").stdout)
    tools, junctions = (sum(len(one[key]) for one in listed) for key in ("tools", "junctions"))
    domains = len({one["domain"] for one in listed})
    assert lines[-1] == f"{len(listed)} services in {domains} domains, {tools} tools, {junctions} junctions"


def test_a_service_of_ones_own_is_tried_out(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "services.md").read_text(encoding="utf-8")
    path = tmp_path / "toolshed.yaml"
    path.write_text(page.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    told = tds(tmp_path, "services", "check", str(path)).stdout
    assert "return_tool" in told
    assert "All claims hold over " in told
    path.write_text(
        path.read_text().replace("in_shed: tool.in_shed + 1", "in_shed: tool.in_shed - 9"), encoding="utf-8"
    )
    broken = tds(tmp_path, "services", "check", str(path))
    assert broken.returncode == 1
    assert "toolshed: the shed holds no less than nothing does not hold after some call" in broken.stdout


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    told = refusal(tds(tmp_path, "services", "serve", str(tmp_path / "bakery.yaml")))
    assert "bakery.yaml cannot be read as a service" in told


def test_a_taken_port_is_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        told = refusal(tds(tmp_path, "services", "serve", "shop", "--http", port))
    assert f"cannot listen on 127.0.0.1 port {port}" in told


def test_a_host_without_a_port_is_refused(tmp_path: Path) -> None:
    assert "--host needs --http PORT" in refusal(tds(tmp_path, "services", "serve", "shop", "--host", "127.0.0.1"))
