"""Restricted views of the pixels: each a small fixed feature map."""
