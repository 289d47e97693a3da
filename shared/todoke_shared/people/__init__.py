"""What is known of one person: `person` says what is kept, the modules beside it how each part is folded and joined.

The segmenter writes it (its `domain/state` says which event changes what, docs/adr/0004), and whoever asks whether a
condition holds reads it: `conditions` is the language compiled over it.
"""

from todoke_shared.people.person import TOKYO, Friendship, PersonState
from todoke_shared.people.stored import LAYOUT, decode_state, encode_state

__all__ = ["LAYOUT", "TOKYO", "Friendship", "PersonState", "decode_state", "encode_state"]
