"""`python -m tollbridge` is the command `tollbridge`."""

from tollbridge.cli import main

main()
