"""Text in, comparable text out."""

import pytest

from tdscaling_assets.text import identifier_words, normalise, singular, word_ngrams


def test_normalise_keeps_letters_and_digits_only() -> None:
    assert normalise("  Hello,\n WORLD — 42! ") == "hello world 42"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("getOrder_by-id", ["get", "order", "by", "id"]),
        ("HTTPServerName", ["http", "server", "name"]),
        ("list.items2", ["list", "items2"]),
        ("", []),
    ],
)
def test_identifier_words_of_any_case_style(name: str, words: list[str]) -> None:
    assert identifier_words(name) == words


def test_ngrams_are_runs_of_words() -> None:
    assert word_ngrams("a B, c d", 3) == {"a b c", "b c d"}


def test_ngrams_of_a_shorter_text_are_the_text() -> None:
    assert word_ngrams("A b", 3) == {"a b"}


def test_ngrams_of_nothing_are_nothing() -> None:
    assert word_ngrams(" . ", 3) == set()


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        ("entries", "entry"),
        ("boxes", "box"),
        ("orders", "order"),
        ("addresses", "address"),
        ("branches", "branch"),
        ("address", "address"),
        ("status", "status"),
        ("analysis", "analysis"),
        ("ties", "tie"),
        ("gas", "gas"),
    ],
)
def test_singular_strips_the_plural(plural: str, one: str) -> None:
    assert singular(plural) == one
