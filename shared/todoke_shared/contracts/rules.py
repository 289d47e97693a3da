"""Rules about several fields of a record, as JSON Schema says them: a model's fields alone do not tell AsyncAPI."""

from pydantic.config import JsonDict


def given(name: str) -> JsonDict:
    """The field is there, and is not null."""
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}


def exactly_one(*names: str) -> JsonDict:
    """One of these fields is given, and no other of them."""
    return {"oneOf": [given(name) for name in names]}
