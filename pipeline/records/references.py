"""Publications, as reports print them."""

from __future__ import annotations

from pipeline.records.base import Record


class Reference(Record):
    """A publication; `link` is empty where it has no stable identifier."""

    authors: str
    year: int
    title: str
    identifier: str = ""  # "arXiv:1911.08731", "doi:10.2307/2531595", or where it was printed
    link: str = ""


def arxiv(authors: str, year: int, number: str, title: str) -> Reference:
    return Reference(
        authors=authors,
        year=year,
        title=title,
        identifier=f"arXiv:{number}",
        link=f"https://arxiv.org/abs/{number}",
    )


def doi(authors: str, year: int, number: str, title: str) -> Reference:
    return Reference(
        authors=authors, year=year, title=title, identifier=f"doi:{number}", link=f"https://doi.org/{number}"
    )


def printed(authors: str, year: int, where: str, title: str) -> Reference:
    return Reference(authors=authors, year=year, title=title, identifier=where)
