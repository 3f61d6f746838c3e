"""Publications that more than one method, or a method and another part of the report, rests on."""

from __future__ import annotations

from pipeline.records.references import arxiv

SAGAWA = arxiv(
    "Sagawa et al.", 2020, "1911.08731", "Distributionally robust neural networks for group shifts"
)
IDRISSI = arxiv(
    "Idrissi et al.", 2022, "2110.14503", "Simple data balancing achieves competitive worst-group-accuracy"
)
LIU = arxiv(
    "Liu et al.",
    2021,
    "2107.09044",
    "Just train twice: improving group robustness without training group information",
)
PARK = arxiv("Park et al.", 2023, "2303.14186", "TRAK: attributing model behavior at scale")
