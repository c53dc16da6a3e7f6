"""``python -m signoff.cli`` is the command ``signoff``."""

from signoff.cli.main import main

main()
