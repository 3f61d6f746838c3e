"""Words in the names of file and folders, beside those of the class."""

from __future__ import annotations

from collections import Counter

import numpy as np

from pipeline.cues.cue import Cue, Seen, Strings, Values

MOST = 64  # words: the most frequent ones
_LEAST = 5  # images with a word


def read(seen: Seen) -> Values | None:
    """Which of the frequent words each name has."""
    if seen.facts is None or "name_tokens" not in seen.facts:
        return None
    sets = [frozenset(tokens) if tokens is not None else frozenset() for tokens in seen.facts["name_tokens"]]
    counts = Counter(token for tokens in sets for token in tokens)
    frequent = [t for t, n in counts.most_common() if _LEAST <= n < len(sets)][:MOST]
    if not frequent:
        return None
    return Values.of_words(len(seen), {token: _has(token, sets) for token in frequent})


def _has(token: str, sets: list[frozenset[str]]) -> Strings:
    return np.array(["yes" if token in tokens else "no" for tokens in sets], object)


CUE = Cue(
    name="file_name",
    title="words in the file name",
    sees="words in the names of file and folders, beside the class's own",
    kind="file",
    breadth=0,
    read=read,
    may_be_content=False,
    # no trace of it is in the pixels
    exchange=None,
    is_visible=False,
    mostly_silent=True,
)
