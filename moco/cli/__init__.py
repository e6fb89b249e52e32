"""The command line; each command imports what it needs when it is called, so that help texts do not wait."""
