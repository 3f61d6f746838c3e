"""Rung 5: does another method repair the harm, and what it leaves and costs."""
