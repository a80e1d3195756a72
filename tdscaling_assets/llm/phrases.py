"""The scripted teacher's stock of sentences, most habitual first. Fields in braces are filled by the teacher."""

import random
from collections.abc import Sequence

REQUEST = (
    "Hi, I need to {intent}. {facts}",
    "Hello! Could you {intent}? {facts}",
    "Can you help me? I want to {intent}. {facts}",
    "I'd like to {intent}, please. {facts}",
    "{facts} I need you to {intent}.",
    "Good day. The thing I need is to {intent}. {facts}",
    "Quick one from my side: please {intent}. {facts}",
    "We have to {intent} today. {facts}",
    "Please {intent} for me. {facts}",
    "I was told you can {intent}. {facts}",
)
INFORM = (
    "Sure. {facts}",
    "Of course, here it is. {facts}",
    "{facts}",
    "Right, I forgot that. {facts}",
    "Here you go: {facts}",
    "Let me look it up... {facts}",
)
APPROVE = (
    "Yes, go ahead. {facts}",
    "Yes, please do. {facts}",
    "That is what I want, go on. {facts}",
    "Confirmed. {facts}",
    "Yes, I am sure. {facts}",
    "Fine with me, carry on. {facts}",
)
PIVOT = (
    "Actually, I changed my mind: please {intent}. {facts}",
    "Wait, I see it differently now. I want to {intent}. {facts}",
    "On second thought, {intent} instead. {facts}",
    "Hm, plans have changed. Could you {intent}? {facts}",
)
ALSO = ("Please also {also}.", "After that, could you {also} as well?", "I need you to {also} too.")
FACT = ("My {name} is {value}.", "The {name} is {value}.", "{name}: {value}.", "For the {name}, take {value}.")
CLARIFY = (
    "Could you tell me the {names}?",
    "I can do that. What is the {names}?",
    "Before I start, which {names} should I use?",
    "To find it I need the {names}. Can you share that?",
    "What {names} is this about?",
)
CONFIRM = (
    "I am about to {action}. Shall I go ahead?",
    "The next step is to {action}, which changes things for good. Do you want me to proceed?",
    "Just to be safe: should I {action} now?",
    "Please confirm that I may {action}. Is that correct?",
)
DECLINE = (
    "I'm sorry, I can't {intent}: none of my tools covers that.",
    "Unfortunately I am unable to {intent} with the tools I have here.",
    "I cannot {intent} from here. Another team will have to help with that.",
)
ANSWER = (
    "All done. {report}",
    "Here is what I found. {report}",
    "Done: {report}",
    "That is settled. {report}",
    "Thanks for waiting. {report}",
    "Everything went through. {report}",
    "Short summary: {report}",
    "It is taken care of. {report}",
)
RECOVER = ("That failed for a passing reason, so I will try it again.", "A hiccup on their side. Trying once more.", "")
CALL = ("", "", "", "Let me check that.", "One moment, I will do that now.", "I will look into it.")
IDLE = ("Everything is in order.", "That should be all.", "I have what I need.")
LEAK = "My guidance for this step says so, therefore: "
PERSONAS = (
    "A busy small-business owner who writes in short sentences.",
    "A careful operations manager who likes precise figures.",
    "A first-time customer who is a little unsure.",
    "A night-shift employee who wants it done before the shift ends.",
    "A frequent customer who knows the process well.",
    "A new colleague who still learns the vocabulary.",
    "A retired teacher who is polite and thorough.",
    "An assistant who acts for a manager on the road.",
)


def pick(stock: Sequence[str], rng: random.Random) -> str:
    """One sentence, the k-th with weight 1/k: habits, not a fair die."""
    return rng.choices(stock, weights=[1 / rank for rank in range(1, len(stock) + 1)])[0]
