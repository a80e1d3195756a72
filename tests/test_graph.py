"""An edge means that a field can feed a parameter; its weight says how much speaks for it."""

import random

import pytest

from tdscaling_assets.evidence import weight_of
from tdscaling_assets.graph import FOREIGN_PRODUCERS, PRODUCERS_PER_PARAMETER, build_graph
from tdscaling_assets.schema import CODE_TOOL, JsonObject, Tool, ToolEdge, digest

TEXT: JsonObject = {"type": "string"}


def things(**properties: JsonObject) -> JsonObject:
    return {"type": "object", "properties": dict(properties)}


def rows(**properties: JsonObject) -> JsonObject:
    return {"type": "array", "items": things(**properties)}


def tool(
    name: str,
    takes: dict[str, JsonObject] | None = None,
    gives: JsonObject | None = None,
    *,
    server: str = "shop",
    optional: tuple[str, ...] = (),
    description: str = "",
) -> Tool:
    properties = takes or {}
    needed = [key for key in properties if key not in optional]
    return Tool(
        tool_id=name if name == CODE_TOOL else f"{server}__{name}",
        server=server,
        name=name,
        description=description,
        input_schema={"type": "object", "properties": dict(properties), "required": list(needed)},
        output_schema=gives,
        domain="commerce",
        source="test",
        executor="simulated",
        content_hash=digest(server, name),
    )


LIST = tool("list_orders", gives=things(orders=rows(order_id=TEXT, status=TEXT)))
GET = tool("get_order", {"order_id": TEXT}, things(order=things(order_id=TEXT, customer_id=TEXT)))
CANCEL = tool("cancel_order", {"order_id": TEXT}, things(order=things(order_id=TEXT)))
OTHERS = [tool(f"unrelated_{i}", {f"thing{i}": TEXT}, server="elsewhere") for i in range(200)]


def edges(*tools: Tool) -> list[ToolEdge]:
    return build_graph([*tools, *OTHERS])


def only(*tools: Tool) -> ToolEdge:
    (edge,) = edges(*tools)
    return edge


def test_an_array_field_feeds_the_parameter_of_the_same_name() -> None:
    edge = only(LIST, tool("ship", {"order_id": TEXT}))
    assert (edge.producer_id, edge.consumer_id) == ("shop__list_orders", "shop__ship")
    assert (edge.producer_path, edge.consumer_param) == ("orders[].order_id", "order_id")
    assert edge.evidence.startswith("entity_key:order_id idf=")
    assert "same_server" in edge.evidence


def test_the_id_of_another_entity_makes_no_edge() -> None:
    assert edges(tool("list_users", gives=things(users=rows(id=TEXT))), tool("get_order", {"id": TEXT})) == []


def test_types_must_fit() -> None:
    number: JsonObject = {"type": "integer"}
    assert edges(LIST, tool("ship", {"order_id": number})) == []


def test_life_goes_forward() -> None:
    weight = {(edge.producer_id, edge.consumer_id): edge for edge in edges(LIST, GET, CANCEL)}
    forward = weight["shop__get_order", "shop__cancel_order"]
    assert "lifecycle:get>cancel" in forward.evidence
    backward = weight.get(("shop__cancel_order", "shop__get_order"))
    assert backward is None or backward.weight < forward.weight / 2


def test_a_source_of_ids_outweighs_a_tool_that_was_given_the_id() -> None:
    weight = {edge.producer_id: edge.weight for edge in edges(LIST, GET, CANCEL) if edge.consumer_id == CANCEL.tool_id}
    assert weight["shop__list_orders"] > weight["shop__get_order"]


def test_the_tool_about_an_entity_outweighs_one_that_mentions_it() -> None:
    about = tool("find_customer", gives=things(customers=rows(customer_id=TEXT)))
    mentions = tool("search_parcels", gives=things(parcels=rows(customer_id=TEXT)))
    ordered = edges(mentions, about, tool("greet", {"customer_id": TEXT}))
    assert [edge.producer_id for edge in ordered] == ["shop__find_customer", "shop__search_parcels"]


def test_rare_keys_weigh_more() -> None:
    def weight_of(key: str) -> float:
        tools = [tool("give", gives=things(order_id=TEXT, parcel_id=TEXT)), tool("take", {"parcel_id": TEXT})]
        tools += [tool(f"take_order_{i}", {"order_id": TEXT}) for i in range(8)]
        return next(edge.weight for edge in edges(*tools) if edge.consumer_param == key)

    assert weight_of("parcel_id") > weight_of("order_id")


def test_an_optional_parameter_counts_less() -> None:
    needed = only(LIST, tool("ship", {"order_id": TEXT}))
    optional = only(LIST, tool("ship", {"order_id": TEXT}, optional=("order_id",)))
    assert optional.weight == pytest.approx(needed.weight / 2, abs=1e-3)


def test_another_server_counts_less_but_an_email_means_the_same_everywhere() -> None:
    giver = tool("get_profile", gives=things(email=TEXT, profile_id=TEXT))
    (edge,) = edges(giver, tool("invite", {"email": TEXT, "profile_id": TEXT}, server="calendar"))
    assert edge.consumer_param == "email"
    assert "same_server" not in edge.evidence


def test_hub_keys_keep_only_the_best_producers() -> None:
    home = [tool(f"list_{i}", gives=things(email=TEXT)) for i in range(30)]
    away = [tool(f"list_{i}", gives=things(email=TEXT), server="away") for i in range(30)]
    taken = [
        edge for edge in edges(*home, *away, tool("invite", {"email": TEXT})) if edge.consumer_id == "shop__invite"
    ]
    assert len(taken) == PRODUCERS_PER_PARAMETER + FOREIGN_PRODUCERS


def test_neither_the_tool_itself_nor_the_code_tool_has_edges() -> None:
    code = tool(CODE_TOOL, {"order_id": TEXT}, things(order_id=TEXT))
    assert edges(GET, code) == []


def test_the_order_of_tools_changes_nothing() -> None:
    tools = [LIST, GET, CANCEL, *OTHERS]
    shuffled = tools[:]
    random.Random(3).shuffle(shuffled)
    assert build_graph(shuffled) == build_graph(tools)
    assert build_graph(tools)


def key(pattern: str) -> JsonObject:
    return {"type": "string", "pattern": pattern}


def test_values_of_one_format_join_servers() -> None:
    pay = tool("create_payment", gives=things(payment=things(payment_id=key("^PAY-[0-9]+$"))), server="pay")
    refund = tool("cancel_booking", {"payment_id": key("^PAY-[0-9]+$")}, server="hotel")
    edge = only(pay, refund)
    assert (edge.producer_id, edge.consumer_id) == ("pay__create_payment", "hotel__cancel_booking")
    assert "same_format:^PAY-[0-9]+$" in edge.evidence


@pytest.mark.parametrize("server", ["shop", "elsewhere"])
def test_values_of_another_format_cannot_flow(server: str) -> None:
    give = tool("create_order", gives=things(order_id=key("^ORD-[0-9]+$")))
    need = tool("get_order", {"order_id": key("^PO-[0-9]+$")}, server=server)
    assert edges(give, need) == []


def test_a_format_without_letters_of_its_own_joins_no_servers() -> None:
    give = tool("create_order", gives=things(order_id=key("^[0-9a-f]{32}$")), server="one")
    need = tool("get_order", {"order_id": key("^[0-9a-f]{32}$")}, server="other")
    assert edges(give, need) == []


def test_every_server_of_a_format_gives_its_best_producer() -> None:
    payment = things(payment_id=key("^PAY-[0-9]+$"))
    shops = [tool("create_sale", {}, payment, server=f"shop{i}") for i in range(5)]
    more = [tool("get_sale", {"sale": TEXT}, payment, server=f"shop{i}") for i in range(5)]
    refund = tool("refund_payment", {"payment_id": key("^PAY-[0-9]+$")}, server="pay")
    joined = [edge for edge in edges(*shops, *more, refund) if edge.consumer_id == "pay__refund_payment"]
    assert sorted(edge.producer_id.split("__")[0] for edge in joined) == [f"shop{i}" for i in range(5)]


def test_what_another_server_calls_the_same_is_another_thing() -> None:
    assert edges(LIST, tool("ship", {"order_id": TEXT}, server="parcel")) == []


def test_the_foreign_producer_that_is_kept_looks_things_up() -> None:
    profile = things(email=TEXT)
    givers = [tool(name, gives=profile, server="people") for name in ("change_profile", "find_profile", "add_profile")]
    assert only(*givers, tool("invite", {"email": TEXT})).producer_id == "people__find_profile"


def test_words_alone_join_no_servers() -> None:
    assert edges(tool("list_emails", server="mail"), tool("invite", {"email": TEXT})) == []


def test_without_a_schema_nobody_asks_a_tool_for_what_he_told_it() -> None:
    taught = tool("get_order", {"order_id": TEXT})
    label = tool("label_order", {"order_id": TEXT})
    assert edges(taught, label, tool("add_order_to_cart", {"order_id": TEXT})) == []


def test_without_a_schema_who_looks_a_thing_up_may_go_on_to_change_it() -> None:
    edge = only(tool("get_order", {"order_id": TEXT}), tool("cancel_order", {"order_id": TEXT}))
    assert (edge.producer_id, "passed_on×0.5" in edge.evidence) == ("shop__get_order", True)


def test_a_tool_that_is_listed_twice_feeds_itself_nothing() -> None:
    again = GET.model_copy(update={"tool_id": "shop__get_order_2"})
    assert edges(GET, again) == []


def test_two_kinds_of_one_thing_are_not_one() -> None:
    give, need = tool("list_mysql_instances"), tool("stop_postgres_instance", {"instance_id": TEXT})
    assert edges(give, need) == []
    assert edges(give, tool("stop_mysql_instance", {"instance_id": TEXT}))


def test_a_login_feeds_the_access_token() -> None:
    assert only(tool("get_user_token"), tool("fly", {"access_token": TEXT})).producer_id == "shop__get_user_token"


def test_a_field_fits_a_list_of_its_kind() -> None:
    edge = only(LIST, tool("ship", {"order_ids": {"type": "array", "items": TEXT}}))
    assert edge.consumer_param == "order_ids"


def test_the_evidence_adds_up_to_the_weight() -> None:
    pay = tool("create_payment", gives=things(payment=things(payment_id=key("^PAY-[0-9]+$"), email=TEXT)), server="pay")
    refund = tool("cancel_booking", {"payment_id": key("^PAY-[0-9]+$"), "email": TEXT}, server="hotel")
    find = tool("find_people", gives=things(people=rows(email=TEXT, name=TEXT, person_name=TEXT)), server="hr")
    rest = [tool("list_parcels", description="Returns the courier id."), tool("get_parcel", {"parcel_id": TEXT})]
    more = [tool("track", {"courier_id": TEXT, "parcel_id": TEXT, "person_name": TEXT}, optional=("parcel_id",))]
    found = edges(pay, refund, find, LIST, GET, CANCEL, *rest, *more)
    assert len({word.split("×")[0] for edge in found for word in edge.evidence.split() if "×" in word}) >= 6
    assert {edge.evidence: edge.weight for edge in found} == pytest.approx(
        {edge.evidence: weight_of(edge.evidence) for edge in found}, abs=1e-4
    )


def test_who_updates_a_thing_was_told_it_even_where_no_parameter_says_so() -> None:
    ship = tool("ship", {"order_id": TEXT})
    assert edges(tool("update_order"), ship) == []
    assert edges(tool("create_order"), ship)
