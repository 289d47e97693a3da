"""`python -m todoke_ingest`: the service as a program."""

from todoke_ingest.main import run

if __name__ == "__main__":
    run()
