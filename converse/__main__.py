"""``python -m converse`` is the command ``converse``."""

from converse.cli.main import main

if __name__ == "__main__":
    main()
