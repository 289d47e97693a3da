"""`python -m todoke_dispatcher`: the service as a program."""

from todoke_dispatcher.main import run

if __name__ == "__main__":
    run()
