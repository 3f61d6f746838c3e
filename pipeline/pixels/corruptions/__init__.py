"""The 15 common corruptions at 5 severities, for images of any size from 8 to 512 pixels.

Source: Hendrycks & Dietterich 2019 (arXiv:1903.12261). Constants are the published ones of CIFAR-10-C
(32 px), Tiny ImageNet-C (64 px) and ImageNet-C (224 px); `strength.py` says what holds between them.
"""
