"""Runs the simulator as a program."""

import uvicorn

from todoke_line_simulator.app import create_app
from todoke_line_simulator.settings import SimulatorSettings
from todoke_line_simulator.transport import ResettableHttpProtocol


def serve(settings: SimulatorSettings) -> None:
    """Serve until SIGTERM or SIGINT; requests under way get 2 seconds, because a hang fault would never end."""
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=ResettableHttpProtocol,
        ws="none",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=75,  # longer than clients keep idle connections: the client closes first, no race
        timeout_graceful_shutdown=2,
    )
    try:
        uvicorn.Server(config).run()
    except KeyboardInterrupt:
        return  # uvicorn has already stopped in order and repeats the signal


def run() -> None:
    """Serve as the environment says (TODOKE_SIMULATOR_*)."""
    serve(SimulatorSettings())
