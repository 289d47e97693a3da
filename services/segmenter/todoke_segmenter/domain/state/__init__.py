"""Who a customer is: what is known of one person, by whatever order it was told (docs/adr/0004).

`person` says what is kept, the modules beside it how each part is folded and joined, `folding` which event changes
what.
"""

from todoke_segmenter.domain.state.folding import fold, fold_all
from todoke_segmenter.domain.state.joining import hand_over, join
from todoke_segmenter.domain.state.person import TOKYO, Friendship, PersonState
from todoke_segmenter.domain.state.published import is_published_anew, published_cart, published_facts
from todoke_segmenter.domain.state.stored import LAYOUT, decode_state, encode_state

__all__ = [
    "LAYOUT",
    "TOKYO",
    "Friendship",
    "PersonState",
    "decode_state",
    "encode_state",
    "fold",
    "fold_all",
    "hand_over",
    "is_published_anew",
    "join",
    "published_cart",
    "published_facts",
]
