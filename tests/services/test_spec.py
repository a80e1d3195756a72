"""What a service file may say, and the sentence that answers a wrong one."""

from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tdscaling_assets.errors import SpecError
from tdscaling_assets.services.spec import ServiceSpec, load_service, load_services, service_tools
from tdscaling_assets.services.world import World

Variant = Callable[[str, str, str], ServiceSpec]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "order.status != 'delivered'",
            "order.statsu != 'delivered'",
            r"operation request_return: order has no field 'statsu'; write one of order_id, ",
        ),
        (
            "order.status != 'delivered'",
            "ordr.status != 'delivered'",
            r"operation request_return: .* uses 'ordr', which is nothing here; write one of",
        ),
        (
            "order.status != 'delivered'",
            "order.status !! 'delivered'",
            r"operation request_return: cannot parse .*write one Python expression",
        ),
        (
            "rows('return', order_id=order_id, product_id=product_id)",
            "rows('retrun', order_id=order_id, product_id=product_id)",
            r"operation request_return: there is no entity 'retrun'; write one of customer, ",
        ),
        (
            "rows('return', order_id=order_id, product_id=product_id)",
            "rows('return', order=order_id, product_id=product_id)",
            r"operation request_return: return has no field 'order'; write one of return_id, ",
        ),
        (
            "sum(earlier.quantity for earlier in rows('return'",
            "sum(earlier.quantities for earlier in rows('return'",
            r"operation request_return: return has no field 'quantities'; write one of return_id, ",
        ),
        (
            "paid: [packed, cancelled]",
            "paid: [packed, canceled]",
            r"entity order: field 'status' moves to 'canceled', which is no state; write `canceled: \[\]`",
        ),
        ("lost: [cancelled]", "lost: [canceled]", r"entity order: field 'status' has states outside `moves`"),
        (
            "status: cancelled, refunded",
            "status: gone, refunded",
            r"operation cancel_order: .*uses 'gone', which is nothing here",
        ),
        (
            "  get_product:\n    title: Get product\n",
            "  get_product:\n    title: Get product\n    program: {run: compile_c, with: {}}\n",
            r"operation get_product: there is no program 'compile_c'; write one of select_sql, run_tests",
        ),
        (
            "{entity: return, value: new_return}",
            "{entity: parcel, value: new_return}",
            r"there is no entity 'parcel'; write one of customer, ",
        ),
        ("          refunded: 0\n", "", r"operation create_order: create order leaves out refunded; set them"),
        (
            "status: cancelled, refunded",
            "status: cancelled, refund",
            r"operation cancel_order: order has no field 'refund'",
        ),
        (
            "- {update: order, set: {shipping_address",
            "- {update: ordr, set: {shipping_address",
            r"operation update_shipping_address: 'ordr' holds no row; load it with `get`",
        ),
        (
            "      - get: product\n    returns",
            "      - fetch: product\n    returns",
            r"operation get_product: .*a step must start with one of get, find",
        ),
        (
            "      - get: product\n    returns",
            "      - get: product\n      - {delete: product}\n    returns",
            r"operation get_product: `given` changes state; move",
        ),
        (
            "  get_product:\n",
            "  product:\n",
            r"operation product: the name is not a verb and a noun; write one such as `get_order`",
        ),
        (
            "quantity: {type: integer, minimum: 1, maximum: 2,",
            "quantity: {type: integer, minimum: 1,",
            r"parameter 'quantity' has no range; give `minimum` and `maximum`",
        ),
        (
            "{seed: person(number).name}",
            "{description: Full name}",
            r"entity customer: field 'name' has no first value; write `seed:`",
        ),
        (
            "title: Get product",
            "headline: Get product",
            r"operation get_product: 'headline' is no key|operation get_product: title: field required",
        ),
        ("name: shop", "name: store", r"the service is named 'store'; name the file store.yaml"),
    ],
)
def test_a_wrong_spec_says_where_and_what_to_write(variant: Variant, old: str, new: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as raised:
        variant("shop", old, new)
    assert str(raised.value).startswith("shop.yaml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "order.status != 'delivered'",
            "order.status != 'deliverd'",
            r"compares order\.status with 'deliverd'; it is one",
        ),
        ("row.status == 'delivered' and", "row.status == 'deliverd' and", r"compares order\.status with 'deliverd'"),
        ('id: "CUS-{n}"', 'id: "CUS"', r"entity customer: its id 'CUS' gives every row the same key"),
        ("rows: 16\n    table", "rows: 60\n    table", r"entity product: `rows` is 60, but the table has 20"),
        ("examples: [knife, kettle", "examples: [7, kettle", r"parameter 'query' does not accept its own 7"),
        ("maximum: 200, desc", "maximum: 2, desc", r"parameter 'max_price' has a minimum above its maximum"),
        (
            "title: Get product\n",
            "title: Get product\n    titel: x\n",
            r"'titel' is no key of this format; did you mean 'title'",
        ),
        ("  get_product:\n", "  get_order:\n", r"shop\.yaml: not YAML .*'get_order' stands twice in one mapping"),
    ],
)
def test_a_slip_is_found_before_it_bites(variant: Variant, old: str, new: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        variant("shop", old, new)


def test_an_empty_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text("", encoding="utf-8")
    with pytest.raises(SpecError, match=r"shop\.yaml: it holds no mapping"):
        load_service(path)


def test_a_seed_that_cannot_be_computed_names_its_entity(variant: Variant) -> None:
    spec = variant("shop", "seed: person(number).phone", "seed: person(number).fax")
    with pytest.raises(SpecError, match=r"shop\.yaml, entity customer: cannot evaluate .*there is no 'fax'"):
        World([spec], 1).digest()


def test_a_file_that_is_not_yaml_says_so(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text("name: [unclosed", encoding="utf-8")
    with pytest.raises(SpecError, match=r"shop\.yaml: not YAML"):
        load_service(path)


def test_the_example_of_the_docs_runs(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "services.md").read_text(encoding="utf-8")
    path = tmp_path / "toolshed.yaml"
    path.write_text(page.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    toolshed = World([load_service(path)], 3)
    loan_id = toolshed.candidates("toolshed", "return_tool", "loan_id")[0]
    assert toolshed.call("toolshed", "return_tool", {"loan_id": loan_id}).ok
    assert toolshed.broken_invariants() == []


def test_tool_schemas_are_valid_json_schema() -> None:
    for spec in load_services().values():
        for tool in service_tools(spec):
            Draft202012Validator.check_schema(tool["inputSchema"])
            Draft202012Validator.check_schema(tool["outputSchema"])


def test_every_service_reads_writes_destroys_and_lists_numbers() -> None:
    for name, spec in load_services().items():
        hints = [tool["annotations"] for tool in service_tools(spec)]
        assert any(hint["destructiveHint"] for hint in hints), name
        assert any(not hint["readOnlyHint"] and not hint["destructiveHint"] for hint in hints), name
        assert any(_lists_numbers(tool) for tool in service_tools(spec)), name


def test_every_parameter_is_described() -> None:
    for spec in load_services().values():
        for tool in service_tools(spec):
            for name, schema in tool["inputSchema"]["properties"].items():
                assert schema.get("description"), (tool["name"], name)


def test_keys_have_one_name_in_outputs_and_parameters() -> None:
    tools = {str(tool["name"]): str(tool) for tool in service_tools(load_services()["shop"])}
    assert "'order_id'" in tools["list_orders"]
    assert "'order_id'" in tools["get_order"]


def _lists_numbers(tool: object) -> bool:
    outputs = tool["outputSchema"]["properties"].values()
    rows = [schema["items"].get("properties", {}).values() for schema in outputs if schema["type"] == "array"]
    return tool["annotations"]["readOnlyHint"] and any(
        field["type"] in ("number", "integer") for fields in rows for field in fields
    )
