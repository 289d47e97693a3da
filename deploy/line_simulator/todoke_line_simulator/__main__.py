"""``python -m todoke_line_simulator``."""

from todoke_line_simulator.main import serve
from todoke_line_simulator.settings import SimulatorSettings

if __name__ == "__main__":
    serve(SimulatorSettings())
