"""The rich menus of one account: the menus, their aliases, and who sees which."""

from todoke_line_simulator.limits import Json


class RichMenus:
    """The menus of one account by id, their ids by alias, and the id of the menu that each user was linked to."""

    def __init__(self) -> None:
        self.menus: dict[str, Json] = {}
        self.aliases: dict[str, str] = {}
        self.linked: dict[str, str] = {}

    def of(self, user_id: str) -> dict[str, object] | None:
        """The menu linked to a user, with its aliases, as `GET /sim/users/{id}` shows it; None: the default one."""
        menu = self.linked.get(user_id)
        if menu is None:
            return None
        aliases = [alias for alias, of in self.aliases.items() if of == menu]
        return {"richMenuId": menu, "name": self.menus[menu]["name"], "aliases": aliases}

    def forget(self, menu: str) -> None:
        """Delete a menu: whoever saw it sees the default one; its aliases are left, and lead nowhere."""
        del self.menus[menu]
        self.linked = {user_id: linked for user_id, linked in self.linked.items() if linked != menu}
