"""LINE's own word on a campaign's messages: the sample people's go to its validate endpoints, and to nobody.

Through line-bot-sdk's client, and not its models, which would leave out what they do not know. The endpoint looks at
`messages` alone (https://developers.line.biz/en/reference/messaging-api/#validate-message-objects-of-push-message).
"""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

from linebot.v3.messaging import ApiClient, ApiException, Configuration
from urllib3.exceptions import HTTPError

from todoke_dispatcher.adapters.token_sources import token_of
from todoke_local.messages.trials import Trial, try_messages
from todoke_local.settings import LocalSettings
from todoke_shared.accounts import read_config
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.words import nearest
from todoke_shared.conditions.errors import did_you_mean
from todoke_shared.jsons import dumps, loads
from todoke_shared.yaml_files import Place

TIMEOUT_SECONDS = 10.0
_OBJECT = re.compile(r"messages\[\d+\]")


class LineValidator:
    """Asks LINE of each campaign. `url`: whom it asks."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self._client = ApiClient(Configuration(host=self.url, access_token=token))
        self._told: dict[tuple[str, bytes], list[tuple[str, str]]] = {}

    def __call__(self, campaign: Campaign) -> Iterator[tuple[Place, str]]:
        """What LINE refuses, with its place in the file. ValueError when it cannot be asked."""
        endpoint = "multicast" if campaign.enter.kind == "schedule" else "push"
        told: set[tuple[Place, str]] = set()
        for tried in try_messages(campaign):
            for trial in tried.trials:
                for complaint in self._complaints(endpoint, trial):
                    if complaint not in told:
                        told.add(complaint)
                        yield complaint

    def _complaints(self, endpoint: str, trial: Trial) -> Iterator[tuple[Place, str]]:
        if trial.errors:
            return  # nobody gets it so
        key = (endpoint, dumps(trial.objects))
        if key not in self._told:
            self._told[key] = self._ask(endpoint, trial.objects)
        for property_, what in self._told[key]:
            yield trial.place_of(property_), f"{self.url} refuses it: {what}"

    def _ask(self, endpoint: str, objects: list[Any]) -> list[tuple[str, str]]:
        try:
            self._client.call_api(
                f"/v2/bot/message/validate/{endpoint}",
                "POST",
                header_params={"Content-Type": "application/json"},
                body={"messages": objects},
                response_types_map={},
                auth_settings=["Bearer"],
                _request_timeout=TIMEOUT_SECONDS,
                _host=self.url,
            )
        except ApiException as error:
            if error.status == 400 and (found := _details(error.body)):
                return found
            raise ValueError(_unasked(self.url, error.status)) from None  # its text holds headers and body
        except HTTPError as error:
            raise ValueError(f"{self.url} does not answer ({type(error).__name__}): {_WHICH}") from None
        return []


_WHICH = "is it TODOKE_LINE_API_URL (https://api.line.me for LINE itself) that you mean?"


def line_validator(settings: LocalSettings, account: str) -> LineValidator:
    """The validator of an account of the configuration. ValueError when there is none of this name."""
    config = read_config(settings.config)
    known = config.accounts.get(account)
    if known is None:
        hint = did_you_mean(nearest(account, config.accounts))
        raise ValueError(f"no account `{account}` is configured; there is {', '.join(sorted(config.accounts))}{hint}")
    url = settings.line_api_url or f"http://127.0.0.1:{settings.simulator_port}"
    return LineValidator(url, asyncio.run(token_of(url, account, known if config.trial else known.for_sending())))


def _details(body: Any) -> list[tuple[str, str]]:
    """What LINE lists, as (property, words). A place in a Flex message is its path there, `/body/contents/0`."""
    try:
        answer = loads(body)
        whole = str(answer["message"])
        details = answer.get("details") or [{"message": whole, "property": ""}]
        named = _OBJECT.search(whole)
        return [(_property(str(one.get("property", "")), named), str(one["message"])) for one in details]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []


def _property(told: str, named: "re.Match[str] | None") -> str:
    if told.startswith("/"):
        within = ".".join(f"[{part}]" if part.isdecimal() else part for part in told[1:].split("/"))
        return f"{named[0] if named else 'messages[0]'}.contents.{within}"
    return told or (named[0] if named else "messages[0]")


def _unasked(url: str, status: int | None) -> str:
    if status in (401, 403):
        return f"{url} does not take this account's access token; is the account the right one? {_WHICH}"
    return f"{url} answers {status} where it should check messages; {_WHICH}"
