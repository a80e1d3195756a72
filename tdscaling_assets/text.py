"""Text in, comparable text out: normalisation, identifier words, word n-grams."""

import re

_WORD = re.compile(r"[a-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def normalise(text: str) -> str:
    """Lower case, letters and digits only, single spaces."""
    return " ".join(_WORD.findall(text.lower()))


def identifier_words(name: str) -> list[str]:
    """The words of an identifier in any case style: `getOrder_by-id` → get, order, by, id."""
    return _WORD.findall(_CAMEL.sub(" ", name).lower())


def word_ngrams(text: str, n: int) -> set[str]:
    """All runs of `n` words of the normalised text; the whole text when it is shorter."""
    words = normalise(text).split()
    if len(words) < n:
        return {" ".join(words)} if words else set()
    return {" ".join(words[i : i + n]) for i in range(len(words) - n + 1)}


def singular(word: str) -> str:
    """English plural stripped by rule: `entries` → entry, `boxes` → box, `orders` → order."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        return word[:-1]
    return word
