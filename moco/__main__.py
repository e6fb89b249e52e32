"""`python -m moco` is the command line."""

from moco.cli.app import main

main()
