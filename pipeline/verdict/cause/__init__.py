"""Rung 4: which training images cause the harm, and how far attribution can be trusted."""
