"""Requests -> what is sent, by the message templates of published campaigns."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from todoke_dispatcher.adapters.stored_requests import StoredRequest, StoredTemplate
from todoke_dispatcher.domain.asking import with_question
from todoke_dispatcher.domain.delivery import Delivery
from todoke_dispatcher.domain.menus import menu_body
from todoke_dispatcher.domain.rendering import LineMessage, RenderError, content_of, push_body, render, variables_of
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.requests import MessageRequest, TemplateRef

Version = tuple[str, int]
"""A campaign and its version."""


class MissingTemplateError(LookupError):
    """The campaign's version is not in memory."""

    def __init__(self, version: Version) -> None:
        super().__init__(version)
        self.version = version


class UnreadableTemplateError(LookupError):
    """The campaign's version is published, and this release cannot read it."""


class Templates:
    """Message templates of published campaigns; `looked_up`: versions that were asked for just now."""

    def __init__(self, catalogue: CampaignCatalogue, looked_up: AbstractSet[Version]) -> None:
        self._catalogue = catalogue
        self._looked_up = looked_up

    def body(self, delivery: Delivery) -> bytes:
        """The exact body. RenderError when there is none to be had; MissingTemplateError when it must be fetched."""
        if delivery.body is not None:
            return delivery.body
        request = delivery.request
        if request.rich_menu is not None:
            return menu_body(request)
        return push_body(request.to, self._messages(request))

    def _messages(self, request: MessageRequest) -> Sequence[object]:
        if request.template is None:
            return request.messages or ()
        wanted, campaign = request.template, self._campaign(request.template)
        filled = render(self.template(wanted), wanted.variables, campaign.tz)
        return filled if wanted.question is None else with_question(filled, campaign, wanted.question)

    def content(self, request: MessageRequest) -> bytes:
        """All of the body but its recipient. Raises as `body` does."""
        return content_of(self._messages(request))

    def template(self, wanted: TemplateRef | StoredTemplate) -> Sequence[LineMessage]:
        """The message objects to fill in. Raises as `body` does."""
        messages: Mapping[str, Sequence[LineMessage]] = self._campaign(wanted).messages
        if wanted.message not in messages:
            raise RenderError(f"render: campaign {wanted.campaign} has no such message in version {wanted.version}")
        return messages[wanted.message]

    def _campaign(self, wanted: TemplateRef | StoredTemplate) -> Campaign:
        published = self._catalogue.known(wanted.campaign, wanted.version)
        if published is None:
            version = (wanted.campaign, wanted.version)
            if self._catalogue.is_unreadable(*version):
                raise UnreadableTemplateError(version)
            if version not in self._looked_up:
                raise MissingTemplateError(version)
            raise RenderError(f"render: version {wanted.version} of campaign {wanted.campaign} was never published")
        return published.campaign


class Contents:
    """What many requests send, each content rendered once: for the length of one claim.

    Requests whose templates read the same values are alike, whatever else their variables hold. That only saves
    rendering: equal content is what puts messages into one group.
    """

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._read: dict[tuple[str, int, str], tuple[str, ...]] = {}
        self._rendered: dict[tuple[object, ...], bytes] = {}

    def of(self, request: StoredRequest, value: bytes) -> bytes:
        """The content of a request, stored as `value`. Raises as `Templates.body` does, or BadMessageError."""
        alike = self._alike(request)
        content = self._rendered.get(alike)
        if content is None:
            content = self._rendered[alike] = self._templates.content(MessageRequest.from_json(value))
        return content

    def _alike(self, request: StoredRequest) -> tuple[object, ...]:
        wanted = request.template
        if wanted is None:
            return (bytes(request.messages),)
        which = (wanted.campaign, wanted.version, wanted.message)  # its variables do not depend on the question
        names = self._read.get(which)
        if names is None:
            names = self._read[which] = tuple(sorted(variables_of(self._templates.template(wanted))))
        values = wanted.variables
        return (*which, wanted.question, *(bytes(values[name]) if name in values else None for name in names))
