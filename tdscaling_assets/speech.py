"""What an assistant says in, what it does by saying it out: confirm, clarify, decline or answer.

Patterns over lower-case English sentences, first rule that fits. They are our own definition (docs/metrics.md).
"""

import re
from collections.abc import Sequence

from tdscaling_assets.schema import Label

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_QUESTION = re.compile(r"\?[^\w?]*(\(.*\))?\W*$")
_OPEN_CLAUSE = re.compile(r"\b(how|what|which|where|when|who)\b[^,:;]*$")
_PLEASANTRY = re.compile(
    r"(any|some)(thing|one)? ?(else|other|more|further)|(else|other|more|further) (i can|you need|you('d| would) like)|"
    r"(help|assist) you (further|with (anything|something))|"
    r"(let me know|reach out|feel free)\b.*\bif you('re)? (need|have|run|experience|encounter|still)|"
    r"if you (need|have|run|experience|encounter|still)\b.*"
    r"\b(let me know|reach out|feel free|just ask)(?! (which|what|your|the))"
)
_LEAVE_QUESTION = re.compile(
    r"\b((shall|should) (i|we)|(may|can) i (?!please|have|get|ask|know|help|assist)|do you want me to|"
    r"would you like (me|us) to|do you (confirm|approve|agree|authori[sz]e)|"
    r"do i have your (permission|approval|consent|confirmation|authori[sz]ation)|"
    r"(is|does|are) (that|this|these|it|everything|all)( of (this|that))?( look| sound| seem)? "
    r"(ok|okay|correct|fine|right|good|accurate)|proceed|go ahead)\b"
)
_LEAVE_REQUEST = re.compile(
    r"\b(((please|can you|could you)( please)?( explicitly)? confirm)\b"
    r"(?! (which|what|where|when|how|who|your|their)\b)"
    r"(?! (if|whether) (you're|you are|you have|you can|you see|your|the|any)\b)"
    r"(?! the (\w+ ){0,2}(name|email|e-mail|number|id|zip|phone)\b)|"
    r"(reply|respond|answer|say|type|tell me|write)( back)?( with)? ?\W{0,2}(yes|confirm|approve|go ahead|proceed)\b|"
    r"(i|we)('ll)?( will)?( just)? need your (explicit |final )?(confirmation|approval|consent|permission|go-ahead)\b|"
    r"(let me know|tell me) (if|whether) (you('d| would) like me to|you want me to|i (should|may|can))\b|"
    r"yes ?/ ?no\b)"
)
_DECLINE = re.compile(
    r"\b(i ((still |currently |unfortunately )?(can ?not|can't)|(am|'m) (not able|unable)|won't be able)|"
    r"i'm (unable|not able|sorry, but)|(i was|unfortunately,?) unable to (?!find|locate|verify)|not possible for me|"
    r"we ((can ?not|can't)|are (unable|not able))|there is no (tool|way)|(is|are) not (possible|eligible|allowed)|"
    r"(can ?not|can't) be (cancel|chang|modif|return|exchang|refund|process|done|complet)\w*|"
    r"i (do not|don't) have (a|the|any) (tool|ability|way|access|permission))"
)
_DONE = re.compile(r"\b(success\w*|submitted|completed?|all set|done|in place|(has|have) been|i've (now )?\w+ed)\b")
_REQUEST = re.compile(
    r"\b(please|could you|can you|would you|kindly)( also| first| please)? "
    r"(provide|tell me|share|specify|give me|send me|enter your|choose|select|pick|clarify|describe|indicate|"
    r"confirm|reply with|let me know)\b|"
    r"\b(i|we)('ll)?( will)?( still)? (need|require) "
    r"(your|the|to know|some|a few|one|two|more|you to (provide|tell))\b|"
    r"\b(let me know|tell me) (which|what|how|where|when|who|your|the)\b"
)
_OFFER = re.compile(r"\b(would you (like|prefer)|do you want)\b")


def spoken_label(text: str) -> Label:
    """Confirm asks leave before acting, clarify asks for information, decline says it cannot; the rest is answer."""
    sentences = _sentences(text)
    questions = [sentence for sentence in sentences if _QUESTION.search(sentence)]
    if any(map(_asks_leave, questions)) or any(map(_LEAVE_REQUEST.search, sentences)):
        return "confirm"
    declines = _declines(sentences)
    if declines:
        questions = [question for question in questions if not _OFFER.search(question)]
    if questions or any(map(_REQUEST.search, sentences)):
        return "clarify"
    return "decline" if declines else "answer"


def _asks_leave(question: str) -> bool:
    """Asks yes or no: `should I cancel it?`, but not `which order should I cancel?`."""
    match = _LEAVE_QUESTION.search(question)
    return match is not None and not _OPEN_CLAUSE.search(question[: match.start()])


def _declines(sentences: Sequence[str]) -> bool:
    """A refusal before any report of something done; after one it is a remark, not the message."""
    first = next((i for i, sentence in enumerate(sentences) if _DECLINE.search(sentence)), None)
    return first is not None and not any(map(_DONE.search, sentences[:first]))


def _sentences(text: str) -> list[str]:
    """Lower-case sentences and lines without the closing pleasantries."""
    parts = _SENTENCE.split(text.lower().replace("’", "'").replace("*", ""))
    return [part.strip() for part in parts if part.strip() and not _PLEASANTRY.search(part)]
