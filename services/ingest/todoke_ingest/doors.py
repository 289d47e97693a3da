"""Every door of ingest: which request is taken by whom."""

from todoke_ingest.handlers import campaigns, collect, events, line_webhook, platforms, redirect, segment, shopify, tag
from todoke_ingest.http import Door
from todoke_ingest.settings import IngestSettings


def doors(settings: IngestSettings) -> list[Door]:
    """The doors, with the limits that the settings give them."""
    return [*_of_systems(settings.max_body_bytes), *_of_platforms(settings.max_webhook_bytes), *_of_people()]


def _of_systems(limit: int) -> list[Door]:
    """With a key."""
    return [
        Door(events.DOOR, "/v1/events", events.take_events, limit=limit, purpose="events"),
        *(
            Door(
                campaigns.DOOR,
                f"/v1/campaigns/{{campaign}}/{action}",
                campaigns.calling(action),
                limit=campaigns.LIMIT,
                purpose="events",
            )
            for action in campaigns.ACTIONS
        ),
        *(
            Door(
                segment.DOOR,
                path,
                segment.taking(call),
                limit=limit,
                purpose="segment",
                gzip=True,
                shape=segment.told,
            )
            for path, call in segment.PATHS
        ),
    ]


def _of_platforms(limit: int) -> list[Door]:
    """With their own signatures."""
    return [
        Door(line_webhook.DOOR, "/webhooks/line/{account}", line_webhook.take_line_webhook, limit=limit),
        Door(shopify.DOOR, "/webhooks/shopify/{shop}", shopify.take_shopify_webhook, limit=limit),
        Door(platforms.ECCUBE, "/webhooks/eccube/{shop}", platforms.take_eccube, limit=limit),
        Door(platforms.MAKESHOP, "/webhooks/makeshop/{shop}", platforms.take_makeshop, limit=limit),
    ]


def _of_people() -> list[Door]:
    """Browsers: the tag, and links in messages."""
    return [
        Door(tag.DOOR, "/tag.js", tag.take_tag, method="GET"),
        Door(tag.DOOR, "/tag.js", tag.take_tag, method="HEAD"),
        Door(
            collect.DOOR,
            "/v1/collect",
            collect.take_collect,
            limit=collect.LIMIT,
            purpose="browser",
            shape=collect.readable,
        ),
        Door(collect.DOOR, "/v1/collect", collect.take_preflight, method="OPTIONS", purpose="browser"),
        Door(redirect.DOOR, "/r/{token}", redirect.take_click, method="GET"),
        Door(redirect.DOOR, "/r/{token}", redirect.take_click, method="HEAD"),
    ]
