"""Attacks on networks: the smallest changes of pixels that change answers, and what survives them."""
