"""Values that fit together: links hold, the user singles out rows, and no call gets one value twice."""

import random

import pytest
from pydantic import JsonValue

from tdscaling_assets.blueprints.binding import Known, bind, fresh_fact
from tdscaling_assets.blueprints.library import Library
from tdscaling_assets.blueprints.rehearsal import DryRunError, Rehearsal
from tdscaling_assets.paths import value_at
from tdscaling_assets.schema import JsonObject, Step

NOTHING = Known((), {}, {})
SEEDS = range(40)


def orders_of(library: Library, seed: int) -> Known:
    """All orders of the customer with the most, as an earlier step returned them."""
    world = library.world(["shop"], seed)
    owners = [row["customer_id"] for row in world.rows("shop", "order")]
    arguments: JsonObject = {"customer_id": max(owners, key=owners.count)}
    result = world.call("shop", "list_orders", arguments)
    assert result.ok
    return Known([Step(step_id="s1", tool_id="shop__list_orders")], {"s1": result.value}, {})


def test_a_linked_parameter_takes_an_earlier_output(library: Library) -> None:
    tool = library.tools["shop__get_order"]
    for seed in SEEDS:
        known, world = orders_of(library, seed), library.world(["shop"], seed)
        step, _ = bind(tool, "s2", known, library, world, random.Random(seed), linked="order_id")
        assert step.arguments["order_id"].step == "s1"


def test_a_named_feeder_is_the_one_that_feeds(library: Library) -> None:
    tool = library.tools["shop__get_order"]
    known = orders_of(library, 1)
    twice = Known(
        [*known.steps, Step(step_id="s2", tool_id="shop__list_orders")],
        {**known.outputs, "s2": known.outputs["s1"]},
        {},
    )
    world = library.world(["shop"], 1)
    bound = [
        bind(tool, "s3", twice, library, world, random.Random(seed), linked="order_id", feeder="s2") for seed in SEEDS
    ]
    assert {step.arguments["order_id"].step for step, _ in bound} == {"s2"}


def test_a_link_without_an_output_is_a_broken_chain(library: Library) -> None:
    tool = library.tools["shop__get_order"]
    with pytest.raises(DryRunError) as caught:
        bind(tool, "s1", NOTHING, library, library.world(["shop"], 1), random.Random(1), linked="order_id")
    assert caught.value.reason == "broken_chain"


def test_a_reference_goes_to_a_row_that_the_tool_accepts(library: Library) -> None:
    tool = library.tools["shop__cancel_order"]
    accepted = 0
    for seed in SEEDS:
        known, world = orders_of(library, seed), library.world(["shop"], seed)
        orders = value_at(known.outputs["s1"], "orders")
        assert isinstance(orders, list)
        plausible = [
            order["order_id"] for order in orders if order["order_id"] in library.candidates(tool, "order_id", world)
        ]
        step, _ = bind(tool, "s2", known, library, world, random.Random(seed), linked="order_id")
        chosen = value_at(known.outputs["s1"], step.arguments["order_id"].path)
        assert not plausible or chosen in plausible
        accepted += bool(plausible) and len(plausible) < len(orders)
    assert accepted >= 5


def test_values_of_one_call_come_from_one_row(library: Library) -> None:
    tool = library.tools["warehouse__plan_shipment"]
    mixed = 0
    for seed in SEEDS:
        world = library.world(["warehouse"], seed)
        known = Known(
            [Step(step_id="s1", tool_id="warehouse__list_shipments")],
            {"s1": world.call("warehouse", "list_shipments", {}).value},
            {},
        )
        step, _ = bind(tool, "s2", known, library, world, random.Random(seed), linked="recipient")
        rows = {binding.path.split(".")[1] for binding in step.arguments.values() if binding.kind == "output"}
        assert len(rows) == 1
        mixed += sum(binding.kind == "output" for binding in step.arguments.values()) > 1
    assert mixed >= 5


def test_no_call_gets_one_output_twice(library: Library) -> None:
    tool = library.tools["helpdesk__merge_tickets"]
    for seed in SEEDS:
        world = library.world(["helpdesk"], seed)
        ticket = library.sample(tool, "ticket_id", world, random.Random(seed))
        known = Known(
            [Step(step_id="s1", tool_id="helpdesk__get_ticket")],
            {"s1": world.call("helpdesk", "get_ticket", {"ticket_id": ticket}).value},
            {},
        )
        step, _ = bind(tool, "s2", known, library, world, random.Random(seed), linked="ticket_id")
        assert step.arguments["into_ticket_id"].kind == "user"


def test_the_user_singles_out_the_row_that_is_meant(parents: list[Rehearsal]) -> None:
    """A row drawn from a list has a value that no other row has, and the user says it."""
    singled = 0
    for parent in parents:
        told = [parent.blueprint.facts[name] for turn in parent.blueprint.turns for name in turn.reveals]
        for step in parent.blueprint.steps:
            for binding in step.arguments.values():
                rows = rows_on_the_way(parent.outputs.get(binding.step), binding.path)
                if rows is None:
                    continue
                others, chosen = rows
                assert any(is_said_only_of(value, others, told) for value in chosen.items())
                singled += 1
    assert singled >= 10


def rows_on_the_way(output: JsonValue, path: str) -> tuple[list[JsonObject], JsonObject] | None:
    """The other rows, and the row, of the last list of several objects that the path goes through."""
    parts = path.split(".")
    for place in range(len(parts) - 1, -1, -1):
        rows = value_at(output, ".".join(parts[:place])) if parts[place].isdecimal() else None
        if isinstance(rows, list) and len(rows) > 1:
            index = int(parts[place])
            objects = [row for row in rows if isinstance(row, dict)]
            return objects[:index] + objects[index + 1 :], objects[index]
    return None


def is_said_only_of(item: tuple[str, JsonValue], others: list[JsonObject], told: list[JsonValue]) -> bool:
    name, value = item
    return value in told and all(other.get(name) != value for other in others)


def test_nothing_to_give_is_a_refusal(library: Library) -> None:
    """A world in which no workshop visit exists: the reference has no value."""
    tool = library.tools["fleet__finish_workshop_visit"]
    empty = next(
        world for seed in range(200) if not (world := library.world(["fleet"], seed)).rows("fleet", "workshop_visit")
    )
    with pytest.raises(DryRunError) as caught:
        bind(tool, "s1", NOTHING, library, empty, random.Random(1))
    assert caught.value.reason == "no_value"


def test_a_value_said_before_is_meant_again_only_as_a_reference(library: Library) -> None:
    tool = library.tools["calendar__reschedule_event"]
    world = library.world(["calendar"], 3)
    event = world.rows("calendar", "event")[0]
    facts: JsonObject = {
        "event_id": library.sample(tool, "event_id", world, random.Random(1)),
        "starts_at": event["starts_at"],
    }
    bound = [bind(tool, "s2", Known((), {}, facts), library, world, random.Random(seed)) for seed in SEEDS]
    again = [step.arguments["event_id"].fact == "event_id" for step, _ in bound]
    assert sum(again) > len(again) / 2
    assert all(
        step.arguments["starts_at"].fact != "starts_at" or facts["starts_at"] == added.get("starts_at")
        for step, added in bound
    )


def test_a_fact_of_another_value_gets_a_name_of_its_own() -> None:
    assert fresh_fact("order_id", "A", {}) == "order_id"
    assert fresh_fact("order_id", "A", {"order_id": "A"}) == "order_id"
    assert fresh_fact("order_id", "B", {"order_id": "A"}) == "other_order_id"
    assert fresh_fact("order_id", "C", {"order_id": "A", "other_order_id": "B"}) == "order_id_3"
