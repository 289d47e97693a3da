"""What flows through the services just now, read from their metrics: one number for each noun of the flow."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
from prometheus_client.parser import text_string_to_metric_families


@dataclass
class Flow:
    """Counts since the services started. By campaign: `triggers` (entries), `requests` and `messages` (accepted)."""

    events: int = 0
    dead_letters: int = 0
    timers: int = 0
    triggers: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)
    not_sent: Counter[str] = field(default_factory=Counter)

    def since(self, before: "Flow") -> "Flow":
        """What has flowed since `before`."""
        return Flow(
            events=self.events - before.events,
            dead_letters=self.dead_letters - before.dead_letters,
            timers=self.timers - before.timers,
            triggers=self.triggers - before.triggers,
            requests=self.requests - before.requests,
            messages=self.messages - before.messages,
            not_sent=self.not_sent - before.not_sent,
        )

    @property
    def campaigns(self) -> list[str]:
        """Every campaign that anything was counted for."""
        return sorted({*self.triggers, *self.requests, *self.messages, *self.not_sent})


async def read_flow(session: aiohttp.ClientSession, urls: Mapping[str, str]) -> Flow:
    """Add up the metrics of the services at `urls`. One that does not answer counts nothing."""
    flow = Flow()
    for text in await asyncio.gather(*(_metrics(session, url) for url in urls.values())):
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                _add(flow, sample.name, sample.labels, int(sample.value))
    return flow


def _add(flow: Flow, name: str, labels: Mapping[str, str], value: int) -> None:
    match name:
        case "todoke_events_accepted_total":
            flow.events += value
        case "todoke_dead_letters_total":
            flow.dead_letters += value
        case "todoke_timers_fired_total":
            flow.timers += value
        case "todoke_triggers_total" if labels["kind"] == "enter":
            flow.triggers[labels["campaign"]] += value
        case "todoke_requests_total":
            flow.requests[labels["campaign"]] += value
        case "todoke_deliveries_total":
            kind = flow.messages if labels["state"] == "accepted" else flow.not_sent
            kind[labels["campaign"]] += value


async def _metrics(session: aiohttp.ClientSession, url: str) -> str:
    try:
        async with session.get(f"{url}/metrics", timeout=aiohttp.ClientTimeout(total=5)) as response:
            return await response.text() if response.ok else ""
    except (aiohttp.ClientError, TimeoutError):
        return ""
