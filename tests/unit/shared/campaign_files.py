"""Campaigns for tests of the language: one that says everything, and small ones that say one thing."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.parts import Part
from todoke_shared.campaigns.source import load_campaign
from todoke_shared.mistakes import FileMistakesError

WHOLE = """\
campaign: trial-care
name: トライアルのご案内
class: marketing
account: shop
zone: America/New_York
starts: 2026-12-01 10:00
ends: 2026-12-31 23:59
enter:
  on: line.message
  keyword: [クーポン, coupon]
  when: {friend: true}
  per: {field: reservation_id}
  again: {after: 30d}
exit:
  - on: order.cancelled
  - on: segment.left
    segment: sleepers
goal:
  - on: order.placed
    when: {event.amount: {at_least: 1000}}
    within: 14d
    ends: false
  - on: review.posted
holdout: 10
quiet_hours: {from: "22:00", to: "08:00"}
caps:
  - {messages: 1, within: 1d}
  - {messages: 3, within: 30d}
consent: required
expires: 1d
late: {after: 2h, then: skip}
running: move
steps:
  - wait: 1h
  - send: first
    if: {orders.ever: false}
  - ask: skin-type
    message: question
    answers: [乾燥肌, 脂性肌]
    within: 2d
  - if: {points: {at_least: 500}}
    then:
      - send: first
    else:
      - coupon: spring-2026
  - split: {a: 90, b: 10}
    name: subject
    a:
      - send: first
    b: []
  - tag: vip
  - untag: new
  - set: {favourite: tea, cups: 3, loves: [tea], member: true}
  - rich_menu: member
  - rich_menu: none
  - emit: custom.care-finished
    data: {score: 1}
  - stop: true
messages:
  first:
    - {type: text, text: はじめまして}
  question:
    - {type: text, text: お肌のタイプは？}
links: {per: person, except: [app.shop.example]}
budget: {messages: 5000, yen: 10000}
"""
"""Every key and every step."""

SMALL: dict[str, Any] = {
    "campaign": "care",
    "class": "marketing",
    "enter": {"on": "order.placed"},
    "steps": [{"send": "hello"}],
    "messages": {"hello": [{"type": "text", "text": "こんにちは"}]},
}


def campaign_of(**told: Any) -> Campaign:
    """A small campaign that says this besides, or instead."""
    return Campaign.model_validate({**SMALL, **told})


def document_of(value: object) -> object:
    """A part of a campaign as it is published."""
    return value.model_dump(mode="json", by_alias=True, exclude_none=True) if isinstance(value, Part) else value


def mistakes_in(folder: Path, text: str) -> list[str]:
    """What an author is told about a file of this text: `line: place: what`."""
    file = folder / "campaign.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(FileMistakesError) as error:
        load_campaign(file)
    return [str(mistake).removeprefix(f"{file}:") for mistake in error.value.mistakes]


def whole_with(old: str, new: str) -> str:
    """The campaign that says everything, with one thing changed."""
    assert WHOLE.count(old) == 1, old
    return WHOLE.replace(old, new)


def read(text: str) -> Any:
    """YAML, as files are read."""
    return YAML(typ="safe", pure=True).load(text)


HEAD = """\
campaign: care
class: marketing
enter: {on: order.placed}
"""
TAIL = """\
messages:
  hello: [{type: text, text: こんにちは}]
"""


def steps(*lines: str) -> str:
    """A campaign with these steps; the first of them is on line 5."""
    return HEAD + "steps:\n" + "".join(f"  {line}\n" for line in lines) + TAIL
