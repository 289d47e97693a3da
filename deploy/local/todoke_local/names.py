"""The names of shops and accounts that a command is given, held against the configuration."""

from todoke_shared.accounts import Config


def check_shop(config: Config, name: str) -> None:
    """ValueError when there is no shop of the name; what there is stands in it."""
    _check("shop", name, {*config.shops, *(account.shop for account in config.accounts.values())}, config)


def check_account(config: Config, name: str) -> None:
    """ValueError when there is no LINE account of the name; what there is stands in it."""
    _check("account", name, set(config.accounts), config)


def _check(kind: str, name: str, known: set[str], config: Config) -> None:
    if name in known:
        return
    if config.trial:
        raise ValueError(f"there is no {kind} {name}: TODOKE_CONFIG is not set, so there is the {kind} main alone")
    raise ValueError(f"there is no {kind} {name} in TODOKE_CONFIG; it has: {', '.join(sorted(known)) or 'none'}")
