"""Networks trained from scratch: how, for how long, side by side, and with a tuned recipe."""
