"""The two ways in which a record can fail to be handled, nothing between them, and what a log may say of any error."""


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


def for_the_log(error: BaseException) -> str:
    """What a log may say of an error: only our own may speak, a driver's text can hold a row and with it a customer."""
    return str(error) if type(error).__module__.startswith("todoke") else type(error).__name__
