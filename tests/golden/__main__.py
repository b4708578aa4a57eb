"""`python -m tests.golden` writes tests/golden/refusals.md anew."""

from tests.golden.refusals import FILE, golden

if __name__ == "__main__":
    FILE.write_text(golden(), encoding="utf-8")
