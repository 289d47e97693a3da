"""The two ways in which a record can fail to be handled, and nothing between them."""


class BadMessageError(ValueError):
    """This record will fail for ever: it goes to the dead-letter topic with `reason`, and the rest flows on.

    `gibberish`: it is no JSON at all, so that no release of ours could ever have read it.
    """

    def __init__(self, reason: str, *, field: str | None = None, gibberish: bool = False) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.reason = reason
        self.field = field
        self.gibberish = gibberish


class SlowDownError(RuntimeError):
    """Nothing is wrong with the record: the world is not ready. Nothing is committed and the batch comes again."""
