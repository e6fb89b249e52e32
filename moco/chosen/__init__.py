"""Designs of a search that are trained: which, in what order, and what they reached."""
