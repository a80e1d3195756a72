"""A temporary home, one rich record per table, and the databases to try them on."""

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tdscaling_assets import schema
from tdscaling_assets.schema import Record
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.attach import connect
from tdscaling_assets.storage.lake import Lake

BATCH = "r01-b01"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", catalog="", lake_data="")


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("template")
    Lake.open(Settings(home=home, catalog="", lake_data="")).close()
    return home


@pytest.fixture
def stored(settings: Settings, _template: Path) -> Settings:
    """A home that already holds an empty lake."""
    shutil.copytree(_template, settings.home)
    return settings


@pytest.fixture
def lake(stored: Settings) -> Iterator[Lake]:
    with Lake.open(stored) as lake:
        yield lake


@pytest.fixture
def postgres_settings(tmp_path: Path) -> Iterator[Settings]:
    """A home whose catalog is a new database of the server in TDS_TEST_POSTGRES."""
    server = os.environ.get("TDS_TEST_POSTGRES", "")
    if not server:
        if os.environ.get("CI_SERVICES") == "1":
            pytest.fail("CI_SERVICES=1 promises a PostgreSQL server, but TDS_TEST_POSTGRES is empty")
        pytest.skip("TDS_TEST_POSTGRES holds no libpq string of a PostgreSQL server")
    name = f"tds_test_{uuid.uuid4().hex[:12]}"
    _on_server(server, tmp_path, f"CREATE DATABASE {name}")
    yield Settings(home=tmp_path / "home", catalog=f"postgres:{server} dbname={name}", lake_data="")
    _on_server(server, tmp_path, f"DROP DATABASE {name} WITH (FORCE)")


def _on_server(libpq: str, home: Path, statement: str) -> None:
    connection: duckdb.DuckDBPyConnection = connect(Settings(home=home, catalog=f"postgres:{libpq}", lake_data=""))
    with connection:
        connection.execute(f"ATTACH '{libpq}' AS server (TYPE postgres)")
        connection.execute("CALL postgres_execute('server', ?, use_transaction => false)", [statement])


@pytest.fixture(scope="session")
def trajectory() -> schema.Trajectory:
    return _trajectory()


@pytest.fixture(scope="session")
def samples() -> dict[str, list[Record]]:
    """For each table a record that uses every field, and one that leaves out all it may."""
    edge = schema.ToolEdge(
        producer_id="a",
        consumer_id="b",
        consumer_param="order_id",
        producer_path="order.id",
        evidence="key",
        weight=0.5,
    )
    full, bare = _trajectory(), _bare_trajectory()
    return {
        "tool_catalog": [_tool(), _tool(output=False)],
        "rejected_tools": [schema.RejectedTool(source="file:x.json", name="x", raw="{not json", reason="not JSON")],
        "tool_versions": [
            schema.ToolVersion(
                tool_id="shop_ping",
                content_hash="c0ffee",
                definition=_tool(output=False).model_dump(mode="json"),
                raw='{"name": "ping"}',
                record_hash="beef",
                first_seen="2026-05-01T00:00:00+00:00",
                last_seen="2026-05-02T00:00:00+00:00",
            )
        ],
        "tool_sources": [
            schema.ToolSource(source="mcp_config:mcp.json", server="shop", content_hash="", entries=3, failure="gone")
        ],
        "tool_graph": [edge],
        "business_clusters": [_cluster(1, (edge,)), _cluster(2, ())],
        "evolution_plan": [_plan()],
        "blueprints": [_blueprint(), _bare_blueprint()],
        "pending_blueprints": [
            schema.PendingBlueprint(blueprint_id="bp_9", round="r01", batch="r01-b01", reason="the budget is spent")
        ],
        "rejected_blueprints": [
            schema.RejectedBlueprint(
                blueprint_id="p9", round="r01", batch=BATCH, cluster_id="c1", reason="cycle", detail="s1 → s2 → s1"
            )
        ],
        "raw_trajectories": [full, bare],
        "verdicts": [
            schema.Verdict(trajectory_id="t1", position=0, rule="length", keep=True),
            schema.Verdict(trajectory_id="t1", position=1, rule="judge", keep=False, score=0.25, reason="off topic"),
        ],
        "filtered_trajectories": [full, bare],
        "diversity_report": [
            schema.MetricRow(batch=BATCH, scope="batch", metric="h_dom", value=2.5, ci_low=2.25, ci_high=2.75, n=9),
            schema.MetricRow(batch=BATCH, scope="cumulative", metric="tokens", value=10, n=9),
        ],
        "diversity_groups": [
            schema.GroupRow(
                batch=BATCH, scope="batch", dimension="operator", name="deepen", metric="h_mode", value=1.5, n=4
            )
        ],
        "study": [
            schema.StudyRow(seed=7, arm="diversity", basis="calls", budget=500, metric="h_mode", value=7.5, n=480)
        ],
        "training_set": [schema.TrainingRow(order=1, trajectory_id="t1", gain=0.125)],
    }


def _tool(output: bool = True) -> schema.Tool:
    return schema.Tool(
        tool_id="shop_get_order" if output else "shop_ping",
        server="shop",
        name="get order",
        title="Get order" if output else None,
        description='Reads an order — with ‘quotes’, "quotes" and 注文.',
        input_schema={"type": "object", "properties": {"z": {"type": "string"}, "a": {"enum": [1, None, 2.5, True]}}},
        output_schema={"type": "object"} if output else None,
        read_only=True if output else None,
        destructive=False if output else None,
        domain="retail",
        source="builtin",
        executor="builtin",
        content_hash="00ff",
    )


def _cluster(rank: int, edges: tuple[schema.ToolEdge, ...]) -> schema.BusinessCluster:
    return schema.BusinessCluster(
        cluster_id=f"c{rank}",
        rank=rank,
        domain="retail",
        name="Orders",
        tool_ids=("a", "b"),
        edges=edges,
        gain=3.0,
        covered_tools=2,
        covered_edges=len(edges),
        coverage=0.5 if edges else None,
        purpose="Create an order and pay it, at shop." if edges else "",
    )


def _plan() -> schema.RoundPlan:
    return schema.RoundPlan(
        round="r01",
        domain_weights={"retail": 0.75, "travel": 0.25},
        mode_weights={"retrieve": 1.0},
        operator_weights={},
        cac_target=7.5,
        temperature=1.0,
        parent_metrics={},
        reason="The first round knows nothing yet.",
    )


def _blueprint() -> schema.Blueprint:
    binding = schema.Binding(kind="output", step="s1", path="items.0.id")
    literal = schema.Binding(kind="literal", value={"deep": [1, 2.5, None, False, "x"]})
    task = schema.CodeTask(kind="sum", instruction="Add up.", step="s1", path="items", field="price", expected="12.5")
    return schema.Blueprint(
        blueprint_id="p1",
        round="r01",
        batch=BATCH,
        cluster_id="c1",
        domain="retail",
        title="A late order",
        persona="terse",
        goal="Get the refund.",
        tool_ids=("a", "b"),
        services=("shop",),
        world_seed=11,
        facts={"order_id": "O-1", "nested": {"list": [1, None]}},
        steps=(
            schema.Step(step_id="s1", tool_id="a", arguments={"item": literal}, fault="503"),
            schema.Step(step_id="s2", tool_id="b", arguments={"id": binding}, task=task, optional=True),
        ),
        turns=(schema.Turn(kind="request", intent="refund", reveals=("order_id",), groups=(("s1",), ("s2",))),),
        expected_calls=(schema.ExpectedCall(step_id="s1", tool_id="a", arguments={"q": "é"}, output=[{"id": 7}]),),
        expected_digest="abcd",
        target_mode=("retrieve", "answer"),
        target_cac=4.5,
        lineage=schema.Lineage(operators=("deepen",), parent_id="p0", generation=2),
        seed=3,
    )


def _bare_blueprint() -> schema.Blueprint:
    return schema.Blueprint(
        blueprint_id="p2",
        round="r01",
        batch=BATCH,
        cluster_id="c1",
        domain="retail",
        title="",
        persona="",
        goal="",
        tool_ids=(),
        services=(),
        world_seed=0,
        facts={},
        steps=(),
        turns=(),
        seed=2**62,
    )


def _trajectory() -> schema.Trajectory:
    call = schema.ToolCall(id="call_1", name="a", arguments='{"broken": ')
    return schema.Trajectory(
        trajectory_id="t1",
        round="r01",
        batch=BATCH,
        blueprint_id="p1",
        cluster_id="c1",
        domain="retail",
        tools=("a", "b"),
        messages=(
            schema.Message(role="user", content="Where is my order?\nNow\x00!"),
            schema.Message(role="assistant", reasoning="Look it up.", tool_calls=(call, call)),
            schema.Message(role="tool", content='{"id": 7}', tool_call_id="call_1", name="a", simulated=True),
            schema.Message(role="assistant", content=""),
        ),
        labels=("retrieve", "answer"),
        mode=("retrieve", "answer"),
        cac=2.5,
        outcome="failed",
        failure=schema.Failure(kind="budget", detail="24 steps"),
        final_digest="beef",
        usage=schema.Usage(prompt_tokens=10, completion_tokens=5, usd=0.001, model="m", calls=2, seconds=0.5),
        lineage=schema.Lineage(operators=("deepen", "guard"), parent_id="p0", generation=1),
        seed=5,
        versions={"prompts": "1", "model": "teacher"},
    )


def _bare_trajectory() -> schema.Trajectory:
    return schema.Trajectory(
        trajectory_id="t2",
        round="r01",
        batch=BATCH,
        blueprint_id="p2",
        cluster_id="c1",
        domain="retail",
        tools=(),
        messages=(),
        labels=(),
        mode=(),
        cac=0.0,
        outcome="completed",
        seed=0,
    )
