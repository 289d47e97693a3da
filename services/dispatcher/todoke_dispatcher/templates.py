"""Requests -> what is sent, by the message templates of published campaigns."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from uuid import UUID

from todoke_dispatcher.adapters.stored_requests import StoredRequest, StoredTemplate
from todoke_dispatcher.domain.asking import with_question
from todoke_dispatcher.domain.delivery import Delivery
from todoke_dispatcher.domain.linking import Marked
from todoke_dispatcher.domain.menus import menu_body
from todoke_dispatcher.domain.rendering import LineMessage, RenderError, addressed, render, variables_of
from todoke_dispatcher.linking import ClaimLinks
from todoke_dispatcher.missing import MissingError, Version
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.requests import MessageRequest, TemplateRef
from todoke_shared.shops import Shop


class UnreadableTemplateError(LookupError):
    """The campaign's version is published, and this release cannot read it."""


class Templates:
    """Message templates of published campaigns; `looked_up`: versions that were asked for just now."""

    def __init__(
        self,
        catalogue: CampaignCatalogue,
        looked_up: AbstractSet[Version],
        links: ClaimLinks,
        shops: Mapping[str, Shop],
    ) -> None:
        self._catalogue = catalogue
        self._looked_up = looked_up
        self.links = links
        self._shops = shops

    def is_quiet(self, request: MessageRequest | StoredRequest, now: datetime) -> bool:
        """Whether `now` is in the quiet hours of the request's campaign. MissingError when that must be brought.

        Who asked for it kept them. What has waited here since, for a month to turn or for LINE to be back, may meet
        them. What cannot be read is not this question's: `body` says so.
        """
        if request.template is None:
            return False
        try:
            campaign = self._campaign(request.template)
        except (RenderError, UnreadableTemplateError):
            return False
        shop = self._shops.get(request.shop)
        quiet = campaign.quiet_hours_in(None if shop is None else shop.quiet_hours)
        return quiet is not None and quiet.show(now.astimezone(campaign.tz).time())

    def body(self, delivery: Delivery) -> bytes:
        """The exact body. RenderError when there is none to be had; MissingError when something must be brought."""
        if delivery.body is not None:
            return delivery.body
        request = delivery.request
        if request.rich_menu is not None:
            return menu_body(request)
        marked = self.marked(request)
        if marked.per == "person":
            content = self.links.own(delivery.message_id, delivery.lane, request, marked)
        else:
            content = self.links.shared(delivery.lane, request, marked)
        return addressed(request.to, content)

    def marked(self, request: MessageRequest) -> Marked:
        """All of the body but its recipient, its links not yet anybody's. Raises as `body` does."""
        campaign = None if request.template is None else self._campaign(request.template)
        return self.links.mark(request, campaign, self._messages(request))

    def _messages(self, request: MessageRequest) -> Sequence[object]:
        if request.template is None:
            return request.messages or ()
        wanted, campaign = request.template, self._campaign(request.template)
        filled = render(self.template(wanted), wanted.variables, campaign.tz)
        return filled if wanted.question is None else with_question(filled, campaign, wanted.question)

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
                raise MissingError(version=version)
            raise RenderError(f"render: version {wanted.version} of campaign {wanted.campaign} was never published")
        return published.campaign


class Contents:
    """What many requests send, each content rendered once: for the length of one claim.

    Requests whose templates read the same values are alike, whatever else their variables hold. That only saves
    rendering: equal content is what puts messages into one group.
    """

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self.is_quiet = templates.is_quiet
        self._read: dict[tuple[str, int, str], tuple[str, ...]] = {}
        self._rendered: dict[tuple[object, ...], Marked] = {}
        self._filled: dict[tuple[object, ...], bytes] = {}

    def of(self, message: UUID, request: StoredRequest, value: bytes) -> bytes:
        """The content of a request, stored as `value`. Raises as `Templates.body` does, or BadMessageError."""
        content = self.of_all(request, value)
        if content is not None:
            return content
        return self._templates.links.own(message, "marketing", request, self._rendered[self._alike(request)])

    def of_all(self, request: StoredRequest, value: bytes) -> bytes | None:
        """The content of all who are to get the same; None where each has links of their own. Raises as `of`."""
        alike = self._alike(request)
        content = self._filled.get(alike)
        if content is not None:
            return content
        marked = self._rendered.get(alike)
        if marked is None:
            marked = self._rendered[alike] = self._templates.marked(MessageRequest.from_json(value))
        if marked.per == "person":
            return None
        content = self._filled[alike] = self._templates.links.shared("marketing", request, marked)
        return content

    def _alike(self, request: StoredRequest) -> tuple[object, ...]:
        wanted, counted = request.template, (request.shop, request.campaign, request.step)
        if wanted is None:
            return (*counted, bytes(request.messages))
        which = (wanted.campaign, wanted.version, wanted.message)  # its variables do not depend on the question
        names = self._read.get(which)
        if names is None:
            names = self._read[which] = tuple(sorted(variables_of(self._templates.template(wanted))))
        values = wanted.variables
        return (*counted, *which, wanted.question, *(bytes(values[name]) if name in values else None for name in names))
