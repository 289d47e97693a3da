"""What an author is told of parts that can be read, and make no sense together."""

from pathlib import Path

import pytest

from tests.unit.shared.campaign_files import mistakes_in, steps


@pytest.mark.parametrize(
    ("enter", "told"),
    [
        ("{when: {friend: true}}", "3: enter: people come in by exactly one of `on`, `date`, `schedule`: "
         "none stands here"),
        ("{on: order.placed, date: birthday, at: '10:00'}", "3: enter: people come in by exactly one of `on`, `date`, "
         "`schedule`: on and date stand here; leave one"),
        ("{date: birthday}", '3: enter.at: on that date, at what time? Add `at: "10:00"`'),
        ("{date: contract, at: '10:00'}", "3: enter.date: `contract` is no date; use `birthday`, or `date.` and its "
         "name; did you mean `date.contract`?"),
        ("{date: event.day, at: '10:00'}", "3: enter.date: `event.day` is no date; use `birthday`, or `date.` and its "
         "name"),
        ("order.placed", "3: enter: write it as `{on: order.placed}`"),
        ("{schedule: friday 12:00}", "3: enter.schedule: write it as `{at: 2026-12-24 10:00}`"),
        ("{date: birthday, at: '10:00', per: order}", "3: enter.per: a date or a schedule brings persons in, with no "
         "event behind them; use `per: person`"),
        ("{schedule: {every: fryday, at: '10:00'}}", "3: enter.schedule.every: unknown day `fryday`; use one of day, "
         "monday, tuesday, wednesday, thursday, friday, saturday, sunday, month; did you mean `friday`?"),
        ("{schedule: {every: month, at: '10:00'}}", "3: enter.schedule.on: `every: month` and `on`, a day of it "
         "(1 to 31, or last), go together"),
        ("{schedule: {every: day, on: 3, at: '10:00'}}", "3: enter.schedule.on: `every: month` and `on`, a day of it "
         "(1 to 31, or last), go together"),
        ("{schedule: {every: month, on: 32, at: '10:00'}}", "3: enter.schedule.on: a day of the month is 1 to 31, "
         "or `last`"),
        ("{schedule: {at: '10:00'}}", "3: enter.schedule.at: write a local date and time, for example "
         "2026-12-24 10:00; it is of the campaign's `zone`"),
        ("{schedule: {at: 2026-12-24 10:00}, rate: 0}", "3: enter.rate: write a number of at least 1"),
    ],
)  # fmt: skip
def test_how_people_come_in_is_read_closely(tmp_path: Path, enter: str, told: str) -> None:
    """Dates, schedules, and what goes with them."""
    text = steps("- send: hello").replace("{on: order.placed}", enter)
    assert mistakes_in(tmp_path, text) == [told]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["- send: hello", "- stop: true", "- send: hello"],
         ["7: steps[2]: this is never reached: the run has stopped before it; take it out, or the `stop`"]),
        (["- if: {friend: true}", "  then: [stop: true]", "  else: [send: hello, stop: true]", "- tag: a"],
         ["8: steps[1]: this is never reached: the run has stopped before it; take it out, or the `stop`"]),
        (["- split: {a: 1, b: 1}", "  a: [stop: true, tag: c]", "  b: []", "- send: hello"],
         ["6: steps[0].a[1]: this is never reached: the run has stopped before it; take it out, or the `stop`"]),
        (["- wait: 1h", "- if: {friend: true}", "  then: [stop: true]"],
         ["4: steps: nothing happens in this campaign; add a step that does something, for example `send: name`"]),
        (["- wait: 999999d", "- send: hello"], ["5: steps[0].wait: nobody waits for 999999d; write at most 3650d"]),
        (["- ask: a", "  message: hello", "  answers: [x]", "  within: 0s"],
         ["8: steps[0].within: a question stays open for 1m to 3650d"]),
        (["- ask: a", "  message: hello", "  answers: [x]", "- ask: a", "  message: hello", "  answers: [y]"],
         ["10: steps[1].answers: `a` is asked before with other answers; give this question another name"]),
    ],
)  # fmt: skip
def test_steps_that_make_no_sense_together_are_told(tmp_path: Path, lines: list[str], told: list[str]) -> None:
    """Never reached, empty, without end, or the same question twice."""
    assert mistakes_in(tmp_path, steps(*lines)) == told


@pytest.mark.parametrize(
    ("enter", "step", "event"),
    [
        ("{on: custom.a, again: always}", "emit: custom.a", "custom.a"),
        ("{on: customer.updated, again: restart}", "set: {a: 1}", "customer.updated"),
        ("{on: custom.tag.added, again: always}", "tag: a", "custom.tag.added"),
        ("{on: [order.placed, custom.tag.removed], again: always}", "untag: a", "custom.tag.removed"),
    ],
)
def test_a_campaign_does_not_start_itself_for_ever(tmp_path: Path, enter: str, step: str, event: str) -> None:
    """Unless entering again is refused, which ends the circle."""
    text = steps("- send: hello", f"- {step}").replace("{on: order.placed}", enter)
    assert mistakes_in(tmp_path, text) == [
        f"6: steps[1]: this tells `{event}`, which starts this very campaign again, without end; "
        "enter by another event, or write `again: never`"
    ]
    harmless = text.replace("always", "never").replace("restart", "never")
    with pytest.raises(pytest.fail.Exception):
        mistakes_in(tmp_path, harmless)


def test_where_no_event_starts_a_campaign_none_can_be_asked_about(tmp_path: Path) -> None:
    """Conditions, dates and templates that name an event, in a campaign that a date starts."""
    text = """\
campaign: birthday
class: marketing
enter: {date: birthday, at: "10:00", when: {event.a: 1}}
steps:
  - wait: {date: event.day, at: "10:00"}
  - send: hello
    if: {any: [{friend: true}, {event.amount: 3}]}
  - if: {not: {event.b: {known: true}}}
    then: [send: hello]
messages:
  hello: [{type: text, text: "{{ name }}, event.a {{ 'event' }}"}, {type: text, text: "{% if event.a %}a{% endif %}"}]
"""
    remedy = "nobody's event starts this campaign, a date does: ask about the person instead"
    told = [
        f"3: enter.when.event.a: `event.a`: {remedy}",
        f"5: steps[0].wait.date: `event.day`: {remedy}",
        f"7: steps[1].if.any[1].event.amount: `event.amount`: {remedy}",
        f"8: steps[2].if.not.event.b: `event.b`: {remedy}",
        f"11: messages.hello[1]: a template says `event`: {remedy}",
    ]
    assert mistakes_in(tmp_path, text) == told
    schedule = text.replace('date: birthday, at: "10:00"', "schedule: {every: day, at: '10:00'}")
    assert mistakes_in(tmp_path, schedule) == [one.replace("a date does", "a schedule does") for one in told]


def test_a_coupon_in_a_message_needs_a_step_that_assigns_it(tmp_path: Path) -> None:
    """Without one the message would fail for everybody."""
    text = steps("- send: hello").replace("こんにちは", '"{{ coupon.code }}"')
    assert mistakes_in(tmp_path, text) == [
        "7: messages.hello[0]: a template says `coupon`, and no step assigns one; add `coupon: its-pool`"
    ]


def test_the_buttons_of_a_question_and_of_its_message_are_counted_together(tmp_path: Path) -> None:
    """LINE takes 13 in all; the message may bring some of its own."""
    item = "{type: action, action: {type: message, label: a, text: a}}"
    text = steps("- ask: a", "  message: hello", f"  answers: {list('abcdefghijkl')}").replace(
        "text: こんにちは", f"text: a, quickReply: {{items: [{item}, {item}]}}"
    )
    assert mistakes_in(tmp_path, text) == [
        "7: steps[0].answers: LINE shows at most 13 buttons; here are 12 answers beside the 2 that `hello` has of "
        "its own"
    ]


@pytest.mark.parametrize(
    ("enter", "told"),
    [
        ("{schedule: {at: 2026-12-31 10:00}}", "5: enter.schedule.at: nobody would come in: this is outside `starts` "
         "and `ends`"),
        ("{schedule: {every: day, at: '10:00'}}", "5: enter.schedule.every: between `starts` and `ends` there is no "
         "full day; write `at: …` once"),
    ],
)  # fmt: skip
def test_a_schedule_that_never_comes_is_told(tmp_path: Path, enter: str, told: str) -> None:
    """A broadcast outside the time in which the campaign runs would go to nobody."""
    limits = "starts: 2026-12-01 10:00\nends: 2026-12-01 18:00\n"
    text = limits + steps("- send: hello").replace("{on: order.placed}", enter)
    assert mistakes_in(tmp_path, text) == [told]


def test_steps_are_at_most_a_hundred_and_ten_deep(tmp_path: Path) -> None:
    """Nested ones count."""
    many = steps(*["- if: {friend: true}", "  then:", *["    - send: hello"] * 100])
    assert mistakes_in(tmp_path, many) == [
        "4: steps: here are 101 steps, nested ones included; a campaign has at most 100"
    ]
    nested = "send: hello"
    for _ in range(10):
        nested = f"if: {{friend: true}}, then: [{{{nested}}}]"
    assert mistakes_in(tmp_path, steps(f"- {{{nested}}}")) == [
        "4: steps: steps may be nested 10 deep; tell an event (`emit`) that starts another campaign"
    ]
