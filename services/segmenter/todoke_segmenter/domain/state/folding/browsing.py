"""Looking around: pages, products, searches, physical shops and links."""

from todoke_segmenter.domain.state.folding.seen import Change, Seen, counted
from todoke_shared.contracts.ec_events import ProductViewed, StoreVisited
from todoke_shared.people import products, stores
from todoke_shared.people.days import Day
from todoke_shared.people.instants import latest
from todoke_shared.people.person import PersonState

_VISIT = Day(visits=1)
_VIEW = Day(visits=1, product_views=1)
_SEARCH = Day(visits=1, searches=1)
_CLICK = Day(clicks=1)


def visited(state: PersonState, seen: Seen, done: Day = _VISIT) -> Change:
    """page.viewed: the day has a visit."""
    return {**counted(state, seen, done), "last_visit_at": latest(state.last_visit_at, seen.at)}


def came_to_store(state: PersonState, seen: Seen) -> Change:
    """store.visited: the day has a visit, and so has the store."""
    data, change = seen.happening.data, visited(state, seen)
    assert isinstance(data, StoreVisited)  # noqa: S101
    if data.store_id is not None:
        change["stores"] = stores.visited(state.stores, data.store_id, seen.day, seen.at)
    return change


def searched(state: PersonState, seen: Seen) -> Change:
    """products.searched: a visit, and a search."""
    return visited(state, seen, _SEARCH)


def viewed(state: PersonState, seen: Seen) -> Change:
    """product.viewed: a visit, and one more look at the product."""
    data = seen.happening.data
    assert isinstance(data, ProductViewed)  # noqa: S101 - check_event chose the model by the type
    touched = products.viewed(state.products, data.product.product_id, seen.day, seen.at)
    return {**visited(state, seen, _VIEW), "products": touched}


def clicked(state: PersonState, seen: Seen) -> Change:
    """custom.link.clicked, and clicks on links in messages: no visit, since the shop may never have been reached."""
    return {**counted(state, seen, _CLICK), "last_click_at": latest(state.last_click_at, seen.at)}
