"""Figures as SVG files of their own: white background, a title, and any name as plain text."""

from __future__ import annotations


# what the page's variables are on a light background (style.css)
