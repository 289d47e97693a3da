"""Rich menus in the simulator: a menu, its alias, who sees it."""

import httpx
import pytest

from tests.unit.line_simulator.line_client import KEY, LineClient, problem_properties

MENU = {
    "size": {"width": 2500, "height": 843},
    "selected": True,
    "name": "会員",
    "chatBarText": "メニュー",
    "areas": [
        {
            "bounds": {"x": 0, "y": 0, "width": 2500, "height": 843},
            "action": {"type": "uri", "label": "会員証", "uri": "https://shop.example/card"},
        }
    ],
}


async def create(line: LineClient, alias: str) -> str:
    """A menu of that alias; gives its id."""
    created = await line.line("richmenu", MENU)
    menu = str(created.json()["richMenuId"])
    named = await line.line("richmenu/alias", {"richMenuAliasId": alias, "richMenuId": menu})
    assert named.status_code == 200, named.text
    return menu


async def delete(line: LineClient, path: str) -> httpx.Response:
    """DELETE, without a body."""
    return await line.line(path, method="DELETE", raw=b"")


async def link(line: LineClient, user_id: str, menu: str) -> httpx.Response:
    """Link a menu to a user."""
    return await line.line(f"user/{user_id}/richmenu/{menu}", raw=b"")


async def seen(line: LineClient, user: str) -> object:
    """The menu that `/sim` shows of a person."""
    return (await line.http.get(f"/sim/users/{user}")).json()["richMenu"]


async def test_a_person_sees_the_menu_they_are_linked_to_until_they_are_unlinked(line: LineClient) -> None:
    """Linking and unlinking twice is the same as once; LINE and `/sim` say the same."""
    mai, menu = await line.act("mai", "follow"), await create(line, "member")
    assert (await line.read(f"user/{mai}/richmenu")).status_code == 404
    assert await seen(line, "mai") is None
    for _ in range(2):
        assert (await link(line, mai, menu)).status_code == 200
        assert (await line.read(f"user/{mai}/richmenu")).json() == {"richMenuId": menu}
    assert await seen(line, "mai") == {"richMenuId": menu, "name": "会員", "aliases": ["member"]}
    for _ in range(2):
        assert (await delete(line, f"user/{mai}/richmenu")).json() == {}
        assert await seen(line, "mai") is None


async def test_an_alias_can_be_given_to_another_menu(line: LineClient) -> None:
    """Whoever asks afterwards finds the new one; nobody's menu changes by it."""
    old, new = await create(line, "member"), await create(line, "guest")
    assert (await line.read("richmenu/alias/member")).json() == {"richMenuAliasId": "member", "richMenuId": old}
    assert (await line.line("richmenu/alias/member", {"richMenuId": new})).status_code == 200
    assert (await line.read("richmenu/alias/member")).json()["richMenuId"] == new
    assert len((await line.read("richmenu/alias/list")).json()["aliases"]) == 2
    assert (await delete(line, "richmenu/alias/member")).status_code == 200
    assert (await line.read("richmenu/alias/member")).status_code == 404


async def test_a_deleted_menu_is_nobodys(line: LineClient) -> None:
    """Who saw it sees the default one; it cannot be linked any more, and its alias still names it, as with LINE."""
    mai, menu = await line.act("mai", "follow"), await create(line, "member")
    await link(line, mai, menu)
    assert (await line.read(f"richmenu/{menu}")).json()["name"] == "会員"
    assert (await delete(line, f"richmenu/{menu}")).status_code == 200
    assert await seen(line, "mai") is None
    assert (await line.read("richmenu/list")).json() == {"richmenus": []}
    assert (await link(line, mai, menu)).status_code == 404


@pytest.mark.parametrize("alias", ["Member", "", "m" * 33])
async def test_an_alias_has_lines_form(line: LineClient, alias: str) -> None:
    """a-z, 0-9, _ and -, at most 32; a menu that is not there has none, and a name that is taken is refused."""
    menu = await create(line, "member")
    bad = await line.line("richmenu/alias", {"richMenuAliasId": alias, "richMenuId": menu})
    assert problem_properties(bad) == ["richMenuAliasId"]
    nothing = await line.line("richmenu/alias", {"richMenuAliasId": "other", "richMenuId": "richmenu-none"})
    taken = await line.line("richmenu/alias", {"richMenuAliasId": "member", "richMenuId": menu})
    assert (nothing.status_code, taken.status_code) == (400, 400)


async def test_a_menu_is_checked_and_a_retry_key_refused(line: LineClient) -> None:
    """What LINE would not take, the simulator does not either."""
    assert problem_properties(await line.line("richmenu", {"name": "会員", "size": {}, "selected": True})) == [
        "chatBarText",
        "areas",
    ]
    assert (await line.line("richmenu", MENU | {"areas": "none"})).status_code == 400
    mai, menu = await line.act("mai", "follow"), await create(line, "member")
    assert (await line.line(f"user/{mai}/richmenu/{menu}", raw=b"", key=KEY)).status_code == 400
    assert (await link(line, "U" + "0" * 32, menu)).status_code == 400


async def test_what_a_person_is_to_an_account_is_shown(line: LineClient) -> None:
    """By the readable name; a name that nobody has is told so."""
    mai = await line.act("mai", "follow", displayName="舞")
    shown = (await line.http.get("/sim/users/mai")).json()
    assert shown == {
        "userId": mai,
        "displayName": "舞",
        "isFriend": True,
        "hasBlocked": False,
        "richMenu": None,
    }
    await line.act("mai", "unfollow")
    assert (await line.http.get("/sim/users/mai")).json()["hasBlocked"] is True
    assert (await line.http.get("/sim/users/nobody")).status_code == 400
