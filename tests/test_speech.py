"""What is said decides the label: real phrasings of every kind, and the look-alikes of the next."""

import pytest

from tdscaling_assets.speech import spoken_label


@pytest.mark.parametrize(
    "text",
    [
        "I will refund $20 to your card. Shall I go ahead?",
        "Would you like me to cancel order #W1?",
        "Would you like to proceed with these changes?",
        "Here is the summary.\n- Item: lamp\n\nPlease reply “yes” to proceed or “no” to cancel.",
        "Please confirm (yes/no) so I can update your order.",
        "Do you confirm these changes?",
        "Refund: $5. Is that okay?",
        "When it ships, should I write to you?",
        "Please confirm that I should delete the file.",
        "I can't split it, but I can use the gift card. Should I do that?",
    ],
)
def test_asking_leave_is_confirm(text: str) -> None:
    assert spoken_label(text) == "confirm"


@pytest.mark.parametrize(
    "text",
    [
        "Could you please provide your email address?",
        "Which order do you mean?",
        "Please share your zip code.",
        "To proceed with the exchange, please provide the order number.",
        "Can you please confirm your phone number?",
        "Could you confirm which line this is about?",
        "I couldn’t find that account. What name is it under?",
        "May I have your user ID?",
        "I’m not able to send it elsewhere. Please tell me which card to use.",
        "How would you like to proceed?",
        "Before I start, which order number should I use?",
        "I'll need your order id first.",
    ],
)
def test_asking_for_information_is_clarify(text: str) -> None:
    assert spoken_label(text) == "clarify"


@pytest.mark.parametrize(
    "text",
    [
        "I’m sorry, but I can’t share another customer's data.",
        "I am unable to cancel a delivered order. Is there anything else I can help you with?",
        "Unfortunately this ticket is not eligible for a refund. Would you like something else?",
        "I don't have a tool for that.",
        "That order cannot be cancelled.",
        "That order cannot be cancelled. Would you like to see its status?",
    ],
)
def test_saying_it_cannot_is_decline(text: str) -> None:
    assert spoken_label(text) == "decline"


@pytest.mark.parametrize(
    "text",
    [
        "Your order was cancelled and $20 refunded.",
        "Done. Is there anything else I can help you with today?",
        "Your return has been submitted. I can't give an exact arrival time.",
        "Let me know if you need any further assistance!",
        "Please restart your phone. If you still have issues, let me know and I'll help you further.",
        "",
    ],
)
def test_the_rest_is_answer(text: str) -> None:
    assert spoken_label(text) == "answer"
