"""Whether a DSN is one. asyncpg's own words about a bad one repeat parts of it: of a password with a `#`, say."""

from urllib.parse import urlsplit

_WORDS = (
    "write TODOKE_POSTGRES_DSN as postgresql://user:password@host:5432/database, with the letters # / ? @ : and % of a "
    "password as %23 %2F %3F %40 %3A %25"
)


def check_dsn(dsn: str) -> str:
    """The DSN. ValueError says how to write one, and repeats nothing of this one."""
    try:
        parts = urlsplit(dsn)
    except ValueError:
        raise ValueError(_WORDS) from None
    hosts = parts.netloc.rpartition("@")[2].split(",")
    ports = [port for host in hosts if not host.endswith("]") and (port := host.rpartition(":")[2]) and ":" in host]
    if parts.scheme not in ("postgresql", "postgres") or parts.fragment or not all(map(str.isdecimal, ports)):
        raise ValueError(_WORDS)
    return dsn
