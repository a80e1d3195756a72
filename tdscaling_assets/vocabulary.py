"""The words by which tools are compared: verbs in the order of a life, identifiers, words that name nothing. English.

Which words are here, and where, is our own choice.
"""


def vocabulary(words: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(words.split())


# An entity's life: a flow goes from an earlier stage to a later one.
LIFE = (
    "create add book place open start register new make submit post insert upload schedule generate reserve issue "
    "clone copy duplicate fork import deploy launch initiate draft publish save",
    "list search find query browse lookup discover resolve enumerate",
    "get read fetch retrieve show view describe check track inspect download scrape crawl extract",
    "update edit modify set change patch put move rename assign send pay transfer confirm approve reschedule "
    "replace enable disable toggle reply merge share restore pause resume restart",
    "delete cancel remove close archive refund return terminate void revoke end stop destroy uninstall dismiss drop",
)
STAGES = {verb: stage for stage, verbs in enumerate(LIFE) for verb in verbs.split()}
CREATE, FIND, GET, CHANGE, END = range(len(LIFE))
TOLD = vocabulary(
    "download check track inspect scrape crawl extract "
    "update edit modify set change patch put move rename assign approve confirm reschedule "
    "replace enable disable toggle reply merge share restore pause resume restart"
)
# Words that make a key a reference to one thing; the natural ones mean the same on every server.
NATURAL = vocabulary("email url city country ticker isbn iata phone domain ip postcode zip")
IDENTIFIERS = NATURAL | vocabulary(
    "id uuid guid key slug number code sku handle reference token address symbol uri hash sha arn"
)
NATURAL_PAIRS = vocabulary("email_address ip_address phone_number country_code zip_code postal_code domain_name")
BARE = vocabulary("id uuid guid key slug number code name handle")
SPELLINGS = {"identifier": "id", "ref": "reference", "no": "number"}
SHORT_FORMS = {
    "repository": "repo",
    "org": "organization",
    "organisation": "organization",
    "application": "app",
    "db": "database",
    "configuration": "config",
    "env": "environment",
    "tx": "transaction",
    "txn": "transaction",
    "doc": "document",
    "msg": "message",
}
PEOPLE = vocabulary("assignee owner author creator reviewer approver requester reporter manager")  # users in a role
PLAIN = vocabulary("object item record entry node row")  # dull words that are a noun when they are alone
# Keys that name no entity: they say how to ask, or hold anything.
GENERIC = vocabulary(
    "limit offset page size page_size page_number per_page cursor query q sort sort_by order_by format status state "
    "type kind name title description text content message note reason comment date time start end start_date "
    "end_date start_time end_time from to since until quantity amount price total count currency language locale "
    "value data input output result response error success ok enabled active option filter field category tag label "
    "mode level unit body timestamp created_at updated_at max min max_result num_result api_key password username "
    "timeout verbose include exclude width height color x y a b key id code number prompt "
    "direction year month day period interval role priority property context session path file_path new_name "
    "first_name last_name full_name display_name keyword keywords search_term topic subject instruction question "
    "answer summary reasoning thought page_token next_page_token next_token continuation_token sync_token max_token "
    "min_token base_url proxy_url callback_url redirect_uri redirect_url desc reference"
)
MEASURES = vocabulary("at minute second hour day week month date time cent amount limit count size price total percent")
WRAPPERS = vocabulary("item result data record entry response value node row object list payload output")
DULL = (WRAPPERS - {"node", "row"}) | vocabulary(
    "info information detail tool text content status all history id name api"
)
ROLES = vocabulary("from to source destination dest target new old origin parent primary default current")
STOPS = vocabulary("by for from to with in on of and or at as via using into that which")
FILLERS = vocabulary("a an the all your one single new specific given available existing multiple list")
