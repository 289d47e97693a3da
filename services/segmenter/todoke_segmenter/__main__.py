"""`python -m todoke_segmenter`: the service as a program."""

from todoke_segmenter.main import run

if __name__ == "__main__":
    run()
