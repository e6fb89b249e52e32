"""`python -m moco` is the command line."""

from moco.cli import main

main()
