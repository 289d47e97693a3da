"""An assertion signing key as LINE's page has it made, for accounts whose tokens are fetched with it."""

import json
from functools import lru_cache
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import RSAAlgorithm


class AssertionKey(NamedTuple):
    """The private key in both forms that the configuration takes, and what is registered in LINE's console."""

    private_jwk: str
    private_pem: str
    public_jwk: str


def assertion_key(number: int = 0) -> AssertionKey:
    """A key of 2,048 bits; another one for another number."""
    return _keys(number + 1)[number]


@lru_cache
def _keys(number: int) -> list[AssertionKey]:
    return [*(_keys(number - 1) if number > 1 else ()), _new_key()]


def _new_key() -> AssertionKey:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    registered = json.loads(RSAAlgorithm.to_jwk(key.public_key())) | {"alg": "RS256", "use": "sig"}
    return AssertionKey(RSAAlgorithm.to_jwk(key), pem, json.dumps(registered))
