"""A message that asks: the answers of its question as buttons, once its texts are filled in."""

from collections.abc import Mapping, Sequence

from todoke_dispatcher.domain.rendering import RenderError
from todoke_shared.campaigns.asking import with_answers
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.steps import Ask, walk


def with_question(filled: Sequence[object], campaign: Campaign, question: str) -> Sequence[object]:
    """The message objects with a button for each answer. RenderError when the campaign asks no such question.

    The answers are no templates: what is tapped is what the campaign's file says, to the letter.
    """
    asked = (step for _, step in walk(campaign.steps) if isinstance(step, Ask) and step.ask == question)
    ask = next(asked, None)
    if ask is None:
        raise RenderError(f"render: campaign {campaign.campaign} asks no question {question} in this version")
    return with_answers([message for message in filled if isinstance(message, Mapping)], campaign.campaign, ask)
