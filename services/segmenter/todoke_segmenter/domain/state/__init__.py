"""How what is known of a person (`todoke_shared.people`) changes: by events, in whatever order they are told.

`folding`: which event changes what; `joining`: two people who turn out to be one; `published`: what other rooms see.
"""

from todoke_segmenter.domain.state.folding import fold, fold_all
from todoke_segmenter.domain.state.joining import hand_over, join
from todoke_segmenter.domain.state.published import is_published_anew, published_cart, published_facts

__all__ = ["fold", "fold_all", "hand_over", "is_published_anew", "join", "published_cart", "published_facts"]
