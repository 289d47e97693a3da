"""Coupons that a person holds, or has redeemed."""

from datetime import UTC, datetime

import msgspec

from todoke_shared.people.instants import earliest, latest

MAX_COUPONS = 100
"""The longest untouched go."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Coupon(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`redeemed_at`: the first order that named its code, even where nobody told us that it was issued."""

    issued_at: datetime | None = None
    expires_at: datetime | None = None
    redeemed_at: datetime | None = None


Coupons = dict[str, Coupon]
"""By code."""


def join(a: Coupons, b: Coupons) -> Coupons:
    """All that is known of either's coupons."""
    both = {**a, **b, **{code: _both(a[code], b[code]) for code in a.keys() & b.keys()}}
    if len(both) <= MAX_COUPONS:
        return both
    newest = sorted(both, key=lambda code: (_touched_at(both[code]), code))[-MAX_COUPONS:]
    return {code: both[code] for code in newest}


def _both(a: Coupon, b: Coupon) -> Coupon:
    return Coupon(
        earliest(a.issued_at, b.issued_at),
        latest(a.expires_at, b.expires_at),
        earliest(a.redeemed_at, b.redeemed_at),
    )


def _touched_at(coupon: Coupon) -> datetime:
    return latest(coupon.issued_at, coupon.redeemed_at) or _LONG_AGO
