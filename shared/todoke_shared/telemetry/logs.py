"""One log line an event, to standard error. Libraries that would write bodies or tokens are kept quiet."""

import logging

_QUIET = ("linebot", "aiohttp.access", "asyncio", "uvicorn.access", "faststream")


def set_up_logs(service: str, level: str = "INFO") -> None:
    """Log as `2026-01-31T09:00:00+0000 INFO segmenter todoke.consume …`."""
    logging.basicConfig(
        level=level.upper(),
        format=f"%(asctime)s %(levelname)s {service} %(name)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S%z",
        force=True,
    )
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    # With no broker there it logs dozens of errors a second; what they mean for us, our own loops tell.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
