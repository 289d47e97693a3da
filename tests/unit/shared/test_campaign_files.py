"""Campaign files: what the shipped ones say, and every mistake of an author at once, each with its place."""

from pathlib import Path

import pytest

from todoke_shared.campaigns.model import Campaign, Send, Wait
from todoke_shared.campaigns.source import load_campaign, load_campaigns
from todoke_shared.conditions import Compare
from todoke_shared.mistakes import FileMistakesError

LIBRARY = Path(__file__).parents[3] / "campaigns"
STEPS = "wait, send, ask, split, coupon, tag, untag, set, rich_menu, emit, stop, if"
GOOD = """\
campaign: second-visit
class: marketing
enter:
  on: order.delivered
  per: order
  when: {event.amount: {at_least: 3000}}
steps:
  - wait: 7d
  - send: ask-for-review
messages:
  ask-for-review:
    - {type: text, text: いかがでしたか？}
"""


def mistakes(folder: Path, text: str) -> list[str]:
    """What an author is told about a file of this text, the folder left out."""
    file = folder / "campaign.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(FileMistakesError) as error:
        load_campaign(file)
    assert str(error.value) == "\n".join(map(str, error.value.mistakes))
    return [str(mistake).removeprefix(f"{folder}/") for mistake in error.value.mistakes]


def one_mistake(folder: Path, old: str, new: str) -> str:
    """What an author is told about the good file with one thing changed."""
    assert GOOD.count(old) == 1
    [mistake] = mistakes(folder, GOOD.replace(old, new))
    return mistake


def test_the_shipped_campaigns_can_be_published() -> None:
    """Each file is one campaign of its own name, and reads the same once published."""
    campaigns = load_campaigns(LIBRARY)
    assert [campaign.campaign for campaign in campaigns] == [file.stem for file in sorted(LIBRARY.glob("*.yaml"))]
    for campaign in campaigns:
        assert Campaign.model_validate(campaign.to_document()) == campaign


def test_a_file_becomes_the_campaign_it_says(tmp_path: Path) -> None:
    """Every part of the language that is there today."""
    (tmp_path / "campaign.yaml").write_text(GOOD, encoding="utf-8")
    campaign = load_campaign(tmp_path / "campaign.yaml")
    assert (campaign.campaign, campaign.lane, campaign.account) == ("second-visit", "marketing", "main")
    assert (campaign.enter.per, campaign.enter.again) == ("order", "never")
    assert campaign.enter.condition == Compare("event.amount", "at_least", 3000)
    assert campaign.steps == (Wait.model_validate({"wait": "7d"}), Send(send="ask-for-review"))
    assert campaign.messages["ask-for-review"] == ({"type": "text", "text": "いかがでしたか？"},)


def test_on_is_a_word_and_not_true(tmp_path: Path) -> None:
    """YAML 1.1 reads the key `on` as true; an author who writes `on: order.delivered` means the word."""
    (tmp_path / "campaign.yaml").write_text(GOOD, encoding="utf-8")
    assert load_campaign(tmp_path / "campaign.yaml").enter.on == ("order.delivered",)


def test_a_group_means_each_of_its_events() -> None:
    """`cart.changed` is three events in one word."""
    [cart] = [campaign for campaign in load_campaigns(LIBRARY) if campaign.campaign == "cart-abandonment"]
    assert cart.enter.event_types == {"cart.updated", "cart.item_added", "cart.item_removed"}


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    """An author mends a file in one go: typo in a key, event, condition, step, duration, message and its count."""
    assert mistakes(
        tmp_path,
        """\
campaign: Second Visit
class: marketing
accounts: main
enter:
  on: [order.delivered, order.deliverd]
  when: {all: [{friend: true}, {event.amount: {atleast: 3000}}]}
exit:
  on: order.cancelled
  when: {cart.itms: 0}
steps:
  - wait: 7 days
  - wait: 1d
    send: ask-for-review
  - send: ask-for-reviw
  - pause: 1d
messages:
  ask-for-review: []
  six: [{}, {}, {}, {}, {}, {}]
""",
    ) == [
        "campaign.yaml:1: campaign: use lower-case letters, digits, - and _, and begin with a letter or digit",
        "campaign.yaml:3: accounts: nobody reads this key; check its spelling; did you mean `account`?",
        "campaign.yaml:5: enter.on: unknown event `order.deliverd`; "
        "see docs/events.md for the vocabulary, or use custom.*; did you mean `order.delivered`?",
        "campaign.yaml:6: enter.when.all[1].event.amount.atleast: unknown operator `atleast`; "
        "use one of is, at_least, at_most, more_than, less_than, one_of, known, has, has_any, has_all; "
        "did you mean `at_least`?",
        "campaign.yaml:9: exit[0].when.cart.itms: unknown attribute `cart.itms`; did you mean `cart.items`?",
        "campaign.yaml:11: steps[0].wait: write a duration as a number and s, m, h or d, for example 30m, 1h or 7d",
        "campaign.yaml:12: steps[1]: `wait` and `send` are two steps; begin each with a `-` of its own",
        "campaign.yaml:14: steps[2].send: no message has this name; "
        "add it under `messages`, or send one of those there; did you mean `ask-for-review`?",
        f"campaign.yaml:15: steps[3]: there is no step `pause`; use one of {STEPS}",
        "campaign.yaml:17: messages.ask-for-review: this message has 0 message objects; LINE takes 1 to 5",
        "campaign.yaml:18: messages.six: this message has 6 message objects; LINE takes 1 to 5",
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("campaign: second-visit\n", "", "1: campaign: this key is needed"),
        ("class: marketing", "class: loud", "2: class: use one of transactional, marketing"),
        (
            "  per: order",
            "  pre: order",
            "5: enter.pre: nobody reads this key; check its spelling; did you mean `per`?",
        ),
        ("  on: order.delivered", "  on:", "4: enter.on: write it as `order.placed`"),
        (
            "when: {event.amount: {at_least: 3000}}",
            "when: [1]",
            "6: enter.when: write a condition as a mapping, for example `{friend: true}`",
        ),
        (
            "event.amount:",
            "evnt.amount:",
            "6: enter.when.evnt.amount: unknown attribute `evnt.amount`; did you mean `event.amount`?",
        ),
        (
            "event.amount: {at_least: 3000}",
            "prefecture: 東京県",
            "6: enter.when.prefecture: unknown prefecture `東京県`; did you mean `東京都`?",
        ),
        (
            "event.amount: {at_least: 3000}",
            "orders: {within: 3h}",
            "6: enter.when.orders.within: write whole days as a number and d or w, for example 90d or 2w",
        ),
        (
            "  - wait: 7d",
            "  - {wait: 7d, wiat: 1h}",
            "8: steps[0].wiat: nobody reads this key; check its spelling; did you mean `wait`?",
        ),
        (
            "  - wait: 7d",
            "  - 7d",
            f"8: steps[0]: write a step as `wait: 1h` or `send: message-name`; its first word is one of {STEPS}",
        ),
        (
            "send: ask-for-review",
            "send: 5",
            "9: steps[1].send: write a text here; put a number, true or false in quotes",
        ),
        (
            "send: ask-for-review",
            "send: ask",
            "9: steps[1].send: no message has this name; add it under `messages`, or send one of those there",
        ),
        (
            "{type: text, text: いかがでしたか？}",
            "text",
            "12: messages.ask-for-review[0]: write a message object of LINE's as a mapping, for example "
            "`{type: text, text: こんにちは}`",
        ),
        ("class:", "1: 2\nclass:", "2: [1]: a key here must be a text; put it in quotes"),
    ],
)
def test_a_mistake_is_told_with_its_line_its_place_and_a_remedy(tmp_path: Path, old: str, new: str, told: str) -> None:
    """One change to a good file, one sentence."""
    assert one_mistake(tmp_path, old, new) == f"campaign.yaml:{told}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "1: the file: write a campaign as a mapping that starts with `campaign: its-name`"),
        ("- a\n- b\n", "1: the file: write a campaign as a mapping that starts with `campaign: its-name`"),
        ("hello", "1: the file: write a campaign as a mapping that starts with `campaign: its-name`"),
        ("a: 1\nb: [1\nc: 2\n", "3: the file: expected ',' or ']', but got ':'"),
        ("a: 1\n\tb: 2\n", "2: the file: found character '\\t' that cannot start any token"),
        (GOOD + "class: marketing\n", '13: the file: found duplicate key "class" with value "marketing"'),
        ("a: *nobody\n", "1: the file: found undefined alias 'nobody'"),
        ("a: !!python/object:os.system x\n", "1: the file: could not determine a constructor for the tag"),
        (GOOD + "---\n" + GOOD, "13: the file: but found another document"),
        ("a: \x00\n", "1: the file: this is not YAML"),
        ("when: 2026-13-45\n", "1: the file: month must be in 1..12; put a text in quotes"),
        ("[" * 5000 + "]" * 5000, "1: the file: this is nested too deeply"),
    ],
)
def test_a_file_that_is_no_mapping_of_yaml_is_a_mistake_too(tmp_path: Path, text: str, told: str) -> None:
    """Nothing that can lie in a folder stops the check of the others with a stack trace."""
    [mistake] = mistakes(tmp_path, text)
    assert mistake.startswith(f"campaign.yaml:{told}")


def test_a_file_in_another_encoding_or_none_at_all_is_a_mistake(tmp_path: Path) -> None:
    """Shift_JIS from an old editor, and a name that leads nowhere."""
    (tmp_path / "sjis.yaml").write_bytes("name: お茶".encode("shift_jis"))
    for name, told in (("sjis.yaml", "this is not YAML"), ("gone.yaml", "cannot be read: No such file or directory")):
        with pytest.raises(FileMistakesError, match=f"{name}:1: the file: {told}"):
            load_campaign(tmp_path / name)


def test_a_folder_tells_the_mistakes_of_all_its_files(tmp_path: Path) -> None:
    """One broken file hides none of another's, and two campaigns never share a name."""
    (tmp_path / "a.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "b.yaml").write_text("[", encoding="utf-8")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "d.yaml").write_text(GOOD, encoding="utf-8")
    with pytest.raises(FileMistakesError) as error:
        load_campaigns(tmp_path)
    assert [(m.file.name, m.line) for m in error.value.mistakes] == [("b.yaml", 1), ("d.yaml", 1)]
    assert error.value.mistakes[1].what == "`second-visit` is the name of two campaigns"
