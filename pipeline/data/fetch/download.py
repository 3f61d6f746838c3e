"""Download one file: resumable, from several mirrors, checked, and never half there.

Bytes go to `<target>.part`; beside it `<target>.part.json` remembers which URL they came from and
the server's version tag, so that a resumed download never glues two versions together. Only a
complete and checked file is moved to `target`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import requests
import urllib3
from filelock import FileLock

from pipeline.artifacts.files import friendly_os_errors, require_space
from pipeline.core.errors import DownloadError, InputError
from pipeline.core.progress import Progress
from pipeline.data.fetch.checksums import md5_of

_log = logging.getLogger(__name__)

STALLED_ATTEMPTS = 4  # per mirror, counted since the last one that brought new bytes
TIMEOUT_S = (15.0, 60.0)  # connect, silence between bytes
_BLOCK = 1 << 18
_RETRY_STATUS = {408, 425, 429, 500, 502, 503, 504}
_RANGE_NOT_SATISFIABLE = 416


class _TryAgainError(Exception):
    """This attempt failed in a way that a later one may not."""


@dataclass(frozen=True)
class _Part:
    """The partial file and its memory."""

    path: Path

    @property
    def note(self) -> Path:
        return self.path.with_name(self.path.name + ".json")

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def origin(self) -> dict[str, str]:
        try:
            origin: dict[str, str] = json.loads(self.note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return origin if isinstance(origin, dict) else {}

    def start_over(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def download(
    urls: Sequence[str], target: Path, *, md5: str | None, size: int | None, backoff_s: float = 1.0
) -> Path:
    """Fetch the first of `urls` that works to `target`, unless a good copy is already there.

    Args:
        md5: expected checksum, 32 hex digits; None: not checked.
        size: expected size in bytes; None: not checked.
        backoff_s: pause before the first repetition, doubled each time.

    Raises:
        DownloadError: no mirror gave the right file; says what each of them did.
        InputError: the disk is too small or the folder not writable.
    """
    if not urls:
        raise InputError(f"no URL is known for {target.name}: set `source.mirrors` or `source.path`.")
    with friendly_os_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            if target.exists():
                _check_existing(target, md5=md5, size=size)
                return target
            return _from_mirrors(urls, target, md5=md5, size=size, backoff_s=backoff_s)


def _check_existing(target: Path, *, md5: str | None, size: int | None) -> None:
    problem = _problem_with(target, md5=md5, size=size)
    if problem:
        raise DownloadError(f"{target} is not the expected file: {problem}. Delete it to download it again.")


def _problem_with(path: Path, *, md5: str | None, size: int | None) -> str | None:
    actual = path.stat().st_size
    if size is not None and actual != size:
        return f"expected {size:,} bytes, got {actual:,}"
    if md5 is not None and (got := md5_of(path)) != md5.lower():
        return f"md5 expected {md5.lower()}, got {got}"
    return None


def _from_mirrors(
    urls: Sequence[str], target: Path, *, md5: str | None, size: int | None, backoff_s: float
) -> Path:
    part = _Part(target.with_name(target.name + ".part"))
    failures: list[str] = []
    for url in urls:
        if md5 is None and part.origin().get("url", url) != url:
            part.start_over()  # without a checksum, bytes of two mirrors must not be mixed
        try:
            _fetch_checked(url, part, md5=md5, size=size, backoff_s=backoff_s)
        except DownloadError as error:
            if part.size() == 0:
                part.start_over()  # nothing to resume: leave no empty file
            _log.warning("%s: %s", url, error)
            failures.append(f"{url}: {error}")
            continue
        os.replace(part.path, target)
        part.note.unlink(missing_ok=True)
        return target
    raise DownloadError(
        f"{target.name} could not be downloaded:\n  "
        + "\n  ".join(failures)
        + "\nRun again to resume. Or fetch the file another way and set `source.path` to it or to its "
        "folder; `source.mirrors` takes other URLs."
    )


def _fetch_checked(url: str, part: _Part, *, md5: str | None, size: int | None, backoff_s: float) -> None:
    """Complete `part` and check it; one fresh start if a resumed file turns out wrong."""
    for _ in range(2):
        was_resumed = part.size() > 0
        _fetch_with_retries(url, part, size=size, backoff_s=backoff_s)
        problem = _problem_with(part.path, md5=md5, size=size)
        if problem is None:
            return
        part.start_over()
        if not was_resumed:
            break
        _log.warning("%s: the resumed file is wrong (%s), starting over", url, problem)
    raise DownloadError(
        f"the file is damaged or not the official one: {problem}. The partial file was deleted; "
        "if the file was changed on purpose, set `source.md5`"
    )


def _fetch_with_retries(url: str, part: _Part, *, size: int | None, backoff_s: float) -> None:
    stalled, most = 0, part.size()
    while True:
        try:
            _fetch(url, part, size)
            return
        except _TryAgainError as error:
            got = part.size()
            # Progress earns new attempts, but only beyond the furthest point: a server that
            # always starts over and always breaks off must not keep us forever.
            stalled = 0 if got > most else stalled + 1
            most = max(most, got)
            if stalled >= STALLED_ATTEMPTS:
                raise DownloadError(f"gave up after {STALLED_ATTEMPTS} attempts ({error})") from error
            pause = backoff_s * 2**stalled
            _log.info("%s: %s; trying again in %.0f s at %s bytes", url, error, pause, f"{got:,}")
            time.sleep(pause)


def _fetch(url: str, part: _Part, size: int | None) -> None:
    """One request. Raises `_TryAgainError` where another attempt makes sense."""
    have = part.size()
    try:
        with requests.get(url, headers=_headers(url, part, have), stream=True, timeout=TIMEOUT_S) as response:
            if response.status_code == _RANGE_NOT_SATISFIABLE:
                _settle_unsatisfiable(response, part, have)
                return
            _check_status(response)
            _receive(response, url, part, have=have, size=size)
    except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
        raise _TryAgainError(_reason(error)) from error
    except requests.RequestException as error:
        raise DownloadError(f"not a usable URL or answer ({error})") from error


def _headers(url: str, part: _Part, have: int) -> dict[str, str]:
    # "identity": a server that compresses on the fly would change the bytes that md5 is about.
    headers = {"Accept-Encoding": "identity", "User-Agent": "shortcut-audit"}
    if have:
        headers["Range"] = f"bytes={have}-"
        origin = part.origin()
        if origin.get("url") == url and origin.get("tag"):
            headers["If-Range"] = origin["tag"]
    return headers


def _settle_unsatisfiable(response: requests.Response, part: _Part, have: int) -> None:
    """416: our partial file reaches the end already, or is longer than the server's file."""
    total = response.headers.get("Content-Range", "").rpartition("/")[2]
    if total == str(have):
        return
    part.start_over()
    raise _TryAgainError("the server's file is shorter than the partial one, starting over")


def _check_status(response: requests.Response) -> None:
    status = response.status_code
    if status in _RETRY_STATUS:
        raise _TryAgainError(f"HTTP {status} {response.reason}")
    if not response.ok:
        raise DownloadError(f"HTTP {status} {response.reason}")
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        raise DownloadError("the answer is a web page (login, proxy or moved file), not the archive")


def _receive(response: requests.Response, url: str, part: _Part, *, have: int, size: int | None) -> None:
    if have and not _continues(response, have):
        have = 0  # Range ignored, or the file changed since: 200 with the whole file
    if not have:
        part.start_over()
    tag = response.headers.get("ETag", "")
    if not tag or tag.startswith("W/"):
        tag = response.headers.get("Last-Modified", "")
    part.note.write_text(json.dumps({"url": url, "tag": tag}), encoding="utf-8")
    length = response.headers.get("Content-Length", "")
    total = have + int(length) if length.isdigit() else size
    _check_free_space(part.path, (total or 0) - have)
    with part.path.open("ab") as file, Progress(_label(part), total=total, unit="B", start=have) as progress:
        for block in response.raw.stream(_BLOCK, decode_content=False):
            if file.tell() == 0:
                _refuse_web_page(block)
            file.write(block)
            progress.update(len(block))
    if total is not None and part.size() < total:
        raise _TryAgainError(f"the connection ended at {part.size():,} of {total:,} bytes")


def _continues(response: requests.Response, have: int) -> bool:
    content_range = response.headers.get("Content-Range", "")
    return response.status_code == requests.codes.partial and content_range.startswith(f"bytes {have}-")


def _label(part: _Part) -> str:
    return part.path.name.removesuffix(".part")


def _refuse_web_page(block: bytes) -> None:
    start = block[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"<"):
        raise DownloadError("the answer is a web page (login, proxy or moved file), not the archive")


def _check_free_space(path: Path, needed: int) -> None:
    remedy = "Free some space, or set `source.path` to a copy elsewhere."
    require_space(path.parent, needed, f"{path.name} (what is left of it)", remedy)


def _reason(error: BaseException) -> str:
    text = str(error)
    with contextlib.suppress(IndexError, AttributeError):
        text = str(error.args[0].reason)
    return f"{type(error).__name__}: {text}"[:300]
