"""What an author is told: every mistake with its line and its place, what to write instead, and all of them at once."""

from pathlib import Path

import pytest

from tests.unit.shared.campaign_files import WHOLE, mistakes_in, steps, whole_with
from todoke_shared.campaigns.source import load_campaign


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("zone: America/New_York", "zone: Asia/Tokio", "5: zone: there is no time zone `Asia/Tokio`; "
         "write one as Asia/Tokyo; did you mean `Asia/Tokyo`?"),
        ("zone: America/New_York", "zone: asia/tokyo/", "5: zone: there is no time zone `asia/tokyo/`; "
         "write one as Asia/Tokyo; did you mean `Asia/Tokyo`?"),
        ("starts: 2026-12-01 10:00", "starts: 2026-12-01", "6: starts: write a local date and time, "
         "for example 2026-12-24 10:00; it is of the campaign's `zone`"),
        ("starts: 2026-12-01 10:00", "starts: 2026-12-01T10:00+09:00", "6: starts: write a local date and time, "
         "for example 2026-12-24 10:00; it is of the campaign's `zone`"),
        ("starts: 2026-12-01 10:00", "starts: 2026-11-31 10:00", "6: starts: there is no 2026-11-31 10:00; "
         "write a local date and time, for example 2026-12-24 10:00; it is of the campaign's `zone`"),
        ("ends: 2026-12-31 23:59", "ends: 2026-12-01 10:00", "7: ends: it would end before it starts "
         "(2026-12-01 10:00); write a later time"),
        ("  on: line.message", "  on: line.mesage", "9: enter.on: unknown event `line.mesage`; see docs/events.md for "
         "the vocabulary, or use custom.*; did you mean `line.message`?"),
        ("  on: line.message", "  on: [line.message, call]", "9: enter.on: `call` stands alone under `enter`: "
         "a campaign that only other systems start"),
        ("  on: line.message", "  on: line.postback", "10: enter.keyword: `keyword` is read of `line.message` alone; "
         "write `on: line.message`, or leave it out"),
        ("keyword: [クーポン, coupon]", "keyword: []", "10: enter.keyword: write at least one keyword; without this "
         "key any message brings its writer in"),
        ("keyword: [クーポン, coupon]", "keyword: [' ']", "10: enter.keyword: "
         "a keyword is a text of at least one character"),
        ("keyword: [クーポン, coupon]", "postback: menu=1", "10: enter.postback: `postback` is read of "
         "`line.postback` alone; write `on: line.postback`, or leave it out"),
        ("per: {field: reservation_id}", "per: {feild: reservation_id}", "12: enter.per.field: this key is needed"),
        ("per: {field: reservation_id}", "per: persn", "12: enter.per: use one of person, order, cart, event or "
         "`{field: name}`; did you mean `person`?"),
        ("again: {after: 30d}", "again: restrat", "13: enter.again: use one of never, always, restart or "
         "`{after: 30d}`; did you mean `restart`?"),
        ("again: {after: 30d}", "again: {after: 30}", "13: enter.again.after: write a duration as a number and "
         "s, m, h or d, for example 30m, 1h or 7d"),
        ("again: {after: 30d}", "at: '10:00'", "13: enter.at: `at` goes with `date`; the time of a schedule stands "
         "within `schedule: {…}`"),
        ("again: {after: 30d}", "offset: 3d", "13: enter.offset: `offset` counts from a date; "
         "add `date: birthday`, or leave it out"),
        ("again: {after: 30d}", "rate: 200", "13: enter.rate: `rate` is for a `schedule`, where many come in at once; "
         "leave it out"),
        ("    within: 14d", "    witin: 14d", "21: goal[0].witin: nobody reads this key; check its spelling; "
         "did you mean `within`?"),
        ("holdout: 10", "holdout: 51", "24: holdout: write a whole number of percent, 0 to 50, for example 10"),
        ("name: トライアルのご案内", r'name: "\0"', "1: name: must not contain the character U+0000"),
        ("holdout: 10", "holdout: .inf", "1: holdout: must be a finite number; JSON has no NaN or Infinity"),
        ("holdout: 10", "holdout: 0.1", "24: holdout: write a whole number of percent, 0 to 50, for example 10"),
        ('{from: "22:00", to: "08:00"}', '{from: "22:00", to: "24:00"}', "25: quiet_hours.to: write a time of day as "
         'hours and minutes in quotes, for example "09:00" or "20:30"'),
        ('{from: "22:00", to: "08:00"}', '{from: "22:00", until: "08:00"}', "25: quiet_hours.to: this key is needed"),
        ('{from: "22:00", to: "08:00"}', '{from: "22:00", to: "22:00"}', "25: quiet_hours.to: quiet hours end when "
         "they begin; give two times, or write `quiet_hours: none`"),
        ("{messages: 1, within: 1d}", "{messages: 0, within: 1d}", "27: caps[0].messages: "
         "write a number of at least 1"),
        ("{messages: 1, within: 1d}", "{messages: 1, within: 400d}", "27: caps[0].within: "
         "a cap counts over 1m to 366d"),
        ("consent: required", "consent: requird", "29: consent: use one of marketing, required, none; "
         "did you mean `required`?"),
        ("expires: 1d", "expires: 99999d", "30: expires: no message is of use for 99999d; write at most 3650d"),
        ("then: skip}", "then: skp}", "31: late.then: use one of send, skip; did you mean `skip`?"),
        ("running: move", "running: movee", "32: running: use one of finish, move; did you mean `move`?"),
        ("running: move", "runing: move", "32: runing: nobody reads this key; check its spelling; "
         "did you mean `running`?"),
        ("answers: [乾燥肌, 脂性肌]", "answers: []", "39: steps[2].answers: a question has 1 to 13 answers, "
         "as LINE has quick replies; here are 0"),
        ("answers: [乾燥肌, 脂性肌]", f"answers: {list('abcdefghijklmn')}", "39: steps[2].answers: "
         "a question has 1 to 13 answers, as LINE has quick replies; here are 14"),
        ("answers: [乾燥肌, 脂性肌]", f"answers: [{'肌' * 21}, {'😀' * 11}]", "39: steps[2].answers: "
         f"LINE shows at most 20 characters of an answer; shorten `{'肌' * 21}` (21), `{'😀' * 11}` (22)"),
        ("answers: [乾燥肌, 脂性肌]", "answers: [はい, はい]", "39: steps[2].answers: `はい` stands here twice; "
         "a customer could not tell which to tap"),
        ("    message: question", "    message: qestion", "38: steps[2].message: no message has this name; add it "
         "under `messages`, or send one of those there; did you mean `question`?"),
        ("{points: {at_least: 500}}", "{point: {at_least: 500}}", "41: steps[3].if.point: unknown attribute `point`; "
         "did you mean `points`?"),
        ("{orders.ever: false}", "{orders.evr: false}", "36: steps[1].if.orders.evr: unknown attribute `orders.evr`; "
         "did you mean `orders.ever`?"),
        ("coupon: spring-2026", "coupn: spring-2026", "45: steps[3].else[0]: there is no step `coupn`; use one of "
         "wait, send, ask, split, coupon, tag, untag, set, rich_menu, emit, stop, if; did you mean `coupon`?"),
        ("split: {a: 90, b: 10}", "split: {a: 90.5, b: 9.5}", "46: steps[4].split.a: write a whole number here"),
        ("split: {a: 90, b: 10}", "split: {a: 0, b: 0}", "46: steps[4].split: the shares come to 0; "
         "write whole numbers, for example {a: 50, b: 50}"),
        ("split: {a: 90, b: 10}", "split: {a: 90, b: 5, c: 5}", "46: steps[4]: write the steps of `c` beside "
         "`split`: `c: [...]`, or [] for none"),
        ("    b: []", "    bb: []", "46: steps[4]: write the steps of `b` beside `split`: `b: [...]`, "
         "or [] for none"),
        ("untag: new", "untag: new\n    if: {friend: true}", "53: steps[6].if: only `send` has a condition of its own; "
         "write `- if: {…}` and put this step under its `then:`"),
        ("{favourite: tea, cups: 3, loves: [tea], member: true}", "{favourite: null}", "53: steps[7].set.favourite: "
         "an attribute is a text, a number, true or false, or a list of texts; put a date in quotes"),
        ("{favourite: tea, cups: 3, loves: [tea], member: true}", "favourite", "53: steps[7].set: "
         "write it as `{favourite: tea}`"),
        ("{favourite: tea, cups: 3, loves: [tea], member: true}", "{}", "53: steps[7].set: "
         "at least 1 of them must stand here"),
        ('{from: "22:00", to: "08:00"}', "22:00-08:00", '25: quiet_hours: write it as `{from: "21:00", to: "09:00"}`'),
        ("{messages: 5000, yen: 10000}", "5000", "65: budget: write it as `{messages: 5000}`"),
        ("{after: 2h, then: skip}", "skip", "31: late: write it as `{after: 2h, then: skip}`"),
        ("  - on: order.cancelled", "  - order.cancelled", "15: exit[0]: write it as `{on: order.placed}`"),
        ("  - if: {points: {at_least: 500}}", "  - if: points", "41: steps[3].if: write a condition as a mapping, "
         "for example `{friend: true}`"),
        ("    b: []", "    b: {send: first}", "50: steps[4].b: write a list of steps here, for example "
         "`[send: its-name]`"),
        ("{favourite: tea, cups: 3, loves: [tea], member: true}", "{tags: [a]}", "53: steps[7].set: `tags` cannot be "
         "set: write `tag: name` or `untag: name`, which leave the other tags as they are"),
        ("{messages: 5000, yen: 10000}", "{}", "65: budget: a budget has `messages`, `yen`, or both; "
         "for example {messages: 5000}"),
        ("{messages: 5000, yen: 10000}", "{messages: 0}", "65: budget.messages: "
         "write a number of at least 1"),
        ("{messages: 5000, yen: 10000}", "{message: 5000}", "65: budget.message: nobody reads this key; "
         "check its spelling; did you mean `messages`?"),
        ("{messages: 5000, yen: 10000}", "{yen: 2.5}", "65: budget.yen: write a whole number here"),
        ("emit: custom.care-finished", "emit: order.placed", "56: steps[10].emit: a campaign tells events of your own: "
         "write `custom.` and a name"),
        ("stop: true", "stop: yes", "58: steps[11].stop: write true here, or leave this out"),
        ("  - wait: 1h", "  - wait: {until: fridy 12:00}", "34: steps[0].wait: unknown day `fridy`; use one of monday, "
         "tuesday, wednesday, thursday, friday, saturday, sunday; did you mean `friday`?"),
        ("  - wait: 1h", "  - wait: {until: friday}", "34: steps[0].wait.until: write a time of day as hours and "
         'minutes in quotes, for example "09:00" or "20:30"'),
        ("  - wait: 1h", "  - wait: {days: 3}", "34: steps[0].wait.at: this key is needed"),
        ("  - wait: 1h", "  - wait: {dayz: 3}", "34: steps[0].wait: a wait is a duration (`1h`), "
         '`{until: "20:00"}`, `{until: friday 12:00}`, `{days: 3, at: "20:00"}` or '
         '`{date: event.reserved_at, offset: -2d, at: "18:00"}`'),
        ("  - wait: 1h", "  - wait: {date: birthdy, at: '10:00'}", "34: steps[0].wait.date: `birthdy` is no date; "
         "use `event.` and a field of the event, `birthday`, or `date.` and its name; did you mean `birthday`?"),
        ("  - wait: 1h", "  - wait: {date: birthday, offset: 2h}", "34: steps[0].wait.offset: write whole days before "
         "(-) or after, for example -7d or 3d"),
        ("  - wait: 1h", "  - wait: 1h\n    until: friday", "35: steps[0].until: nobody reads this key; "
         "check its spelling"),
        ("{per: person, except: [app.shop.example]}", "persons", "64: links.per: use one of person, message, off; "
         "did you mean `person`?"),
        ("{per: person, except:", "{per: person, expect:", "64: links.expect: nobody reads this key; check its "
         "spelling; did you mean `except`?"),
        ("[app.shop.example]", "['https://']", "64: links.except[0]: write a host, or a host and the beginning of a "
         "path, for example app.shop.example or shop.example/terms"),
        ("  - wait: 1h", "  - wait: 1h\n    tag: vip", "34: steps[0]: `wait` and `tag` are two steps; "
         "begin each with a `-` of its own"),
    ],
)  # fmt: skip
def test_one_change_to_a_right_campaign_is_one_sentence(tmp_path: Path, old: str, new: str, told: str) -> None:
    """With the line, the place, and what to write instead: of every key and step."""
    assert mistakes_in(tmp_path, whole_with(old, new))[0] == told


def test_the_right_campaign_is_right(tmp_path: Path) -> None:
    """Without a change there is nothing to tell: the sentences above are about the changes."""
    with pytest.raises(pytest.fail.Exception):
        mistakes_in(tmp_path, WHOLE)


EMPTY = "nothing stands here; write a value, or leave the key out"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("  when: {friend: true}", "  when:", f"11: enter.when: {EMPTY}"),
        ("    if: {orders.ever: false}", "    if:", f"36: steps[1].if: {EMPTY}"),
        ('quiet_hours: {from: "22:00", to: "08:00"}', "quiet_hours:", f"25: quiet_hours: {EMPTY}"),
        ("expires: 1d", "expires:", f"30: expires: {EMPTY}"),
        ("{messages: 5000, yen: 10000}", "{messages: 5000, yen: }", f"65: budget.yen: {EMPTY}"),
        ("{after: 2h, then: skip}", "{after: , then: skip}", "31: late.after: write a duration as a number and s, m, h "
         "or d, for example 30m, 1h or 7d"),
    ],
)  # fmt: skip
def test_a_key_with_nothing_behind_it_is_a_mistake(tmp_path: Path, old: str, new: str, told: str) -> None:
    """An audience whose condition was forgotten would be everybody; each such key is told once."""
    assert mistakes_in(tmp_path, whole_with(old, new)) == [told]


def test_null_may_stand_in_what_is_not_ours(tmp_path: Path) -> None:
    """LINE's own objects and the data of an event."""
    text = whole_with("data: {score: 1}", "data: {score: null}").replace(
        "text: はじめまして}", "text: はじめまして, x: null}"
    )
    (tmp_path / "campaign.yaml").write_text(text, encoding="utf-8")
    assert load_campaign(tmp_path / "campaign.yaml").campaign == "trial-care"


def test_a_mistake_makes_no_second_one(tmp_path: Path) -> None:
    """The only step is wrong, so none is left; a wrong step stands where none is reached: each is told once."""
    words = "wait, send, ask, split, coupon, tag, untag, set, rich_menu, emit, stop, if"
    unknown = f"there is no step `wate`; use one of {words}; did you mean `wait`?"
    assert mistakes_in(tmp_path, steps("- wate: 1d")) == [f"5: steps[0]: {unknown}"]
    assert mistakes_in(tmp_path, steps("- send: hello", "- stop: true", "- wate: 1d")) == [f"7: steps[2]: {unknown}"]


def test_an_author_writes_the_words_of_the_language_and_no_others(tmp_path: Path) -> None:
    """What the model calls a key inside is no key."""
    assert mistakes_in(tmp_path, steps("- send: hello").replace("class:", "lane:")) == [
        "1: class: this key is needed",
        "2: lane: nobody reads this key; check its spelling; did you mean `late`?",
    ]


def test_one_kind_of_mistake_hides_no_other(tmp_path: Path) -> None:
    """What cannot be read, what names nothing, and what makes no sense together: all in one go."""
    text = """\
campaign: care
class: marketing
zone: Tokyo
enter: {date: birthday, at: "10:00"}
holdout: 80
steps:
  - send: hello
    if: {event.a: 1}
  - wate: 1d
  - if: {frend: true}
    then:
      - stop: true
      - send: hello
  - if: {friend: true}
    then:
      - stop: true
      - tag: a
      - send: helo
messages:
  hello: [{type: text, text: "{{ coupon.code }}"}]
  empty: []
"""
    assert [one.partition(": ")[0] + " " + one.split(": ")[1] for one in mistakes_in(tmp_path, text)] == [
        "3 zone",
        "5 holdout",
        "8 steps[0].if.event.a",
        "9 steps[1]",
        "10 steps[2].if.frend",
        "17 steps[3].then[1]",
        "18 steps[3].then[2].send",
        "20 messages.hello[0]",
        "21 messages.empty",
    ]
