"""`python -m todoke_scheduler`: the service as a program."""

from todoke_scheduler.main import run

if __name__ == "__main__":
    run()
