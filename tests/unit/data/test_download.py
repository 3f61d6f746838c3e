"""`download` against a real HTTP server that cuts, refuses, redirects to web pages and ignores Range."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import DownloadError, InputError
from pipeline.data.fetch import download as module
from pipeline.data.fetch.download import download

CONTENT = np.random.default_rng(0).bytes(300_000)
OTHER = np.random.default_rng(1).bytes(300_000)
MD5 = hashlib.md5(CONTENT).hexdigest()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: "_Server"

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.requests.append((self.path, wanted))
        getattr(self, "serve_" + self.path.strip("/"))(wanted)

    def _send(self, body: bytes, *, status=200, length=None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _send_range(self, content: bytes, wanted: str | None, etag: str) -> None:
        tag = self.headers.get("If-Range")
        if wanted is None or (tag is not None and tag != etag):
            self._send(content, ETag=etag)
            return
        start = int(wanted.removeprefix("bytes=").partition("-")[0])
        if start >= len(content):
            self._send(b"", status=416, Content_Range=f"bytes */{len(content)}")
            return
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(content[start:], status=206, Content_Range=span, ETag=etag)

    def serve_good(self, wanted):
        self._send_range(CONTENT, wanted, '"v1"')

    def serve_cut(self, wanted):
        """The first answer breaks off in the middle, later ones honor Range."""
        if wanted is None:
            self._send(CONTENT[:100_000], length=len(CONTENT), ETag='"v1"')
            self.close_connection = True
        else:
            self._send_range(CONTENT, wanted, '"v1"')

    def serve_changed(self, wanted):
        """The file changes between the broken first answer and the second one."""
        if len(self.server.requests) == 1:
            self._send(OTHER[:100_000], length=len(OTHER), ETag='"old"')
            self.close_connection = True
        else:
            self._send_range(CONTENT, wanted, '"new"')

    def serve_no_range(self, wanted):
        self._send(CONTENT)

    def serve_always_cut(self, wanted):
        self._send(CONTENT[:1000], length=len(CONTENT))
        self.close_connection = True

    def serve_wrong(self, wanted):
        self._send_range(OTHER, wanted, '"w"')

    def serve_page(self, wanted):
        self._send(b"<html>please log in</html>", Content_Type="text/html; charset=utf-8")

    def serve_disguised_page(self, wanted):
        self._send(b"\n<!DOCTYPE html><p>gone</p>", Content_Type="application/octet-stream")

    def serve_missing(self, wanted):
        self._send(b"no", status=404)

    def serve_busy_once(self, wanted):
        if len(self.server.requests) == 1:
            self._send(b"", status=503)
        else:
            self._send(CONTENT)

    def log_message(self, *args: object) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    requests: list[tuple[str, str | None]]

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


@pytest.fixture
def server() -> Iterator[_Server]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.requests = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def fetch(server: _Server, target: Path, *names: str, md5: str | None = MD5, size: int | None = len(CONTENT)):
    return download([server.url(n) for n in names], target, md5=md5, size=size, backoff_s=0.0)


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if not p.name.endswith(".lock"))


def test_fetches_and_does_not_fetch_again(server, tmp_path):
    target = tmp_path / "deep" / "a.bin"
    assert fetch(server, target, "good").read_bytes() == CONTENT
    fetch(server, target, "good")
    assert len(server.requests) == 1
    assert leftovers(target.parent) == ["a.bin"]


def test_resumes_a_cut_connection_where_it_ended(server, tmp_path):
    assert fetch(server, tmp_path / "a", "cut").read_bytes() == CONTENT
    assert server.requests == [("/cut", None), ("/cut", "bytes=100000-")]


def test_resumes_a_partial_file_of_an_earlier_run(server, tmp_path):
    (tmp_path / "a.part").write_bytes(CONTENT[:250_000])
    assert fetch(server, tmp_path / "a", "good").read_bytes() == CONTENT
    assert server.requests == [("/good", "bytes=250000-")]


def test_never_glues_two_versions_together_even_without_checksum(server, tmp_path):
    assert fetch(server, tmp_path / "a", "changed", md5=None, size=None).read_bytes() == CONTENT


def test_without_checksum_another_mirror_starts_over(server, tmp_path):
    path = fetch(server, tmp_path / "a", "always_cut", "good", md5=None, size=None)
    assert path.read_bytes() == CONTENT
    assert server.requests[-1] == ("/good", None)


def test_server_that_ignores_range(server, tmp_path):
    (tmp_path / "a.part").write_bytes(CONTENT[:1000])
    assert fetch(server, tmp_path / "a", "no_range").read_bytes() == CONTENT


def test_complete_partial_file_answers_416(server, tmp_path):
    (tmp_path / "a.part").write_bytes(CONTENT)
    assert fetch(server, tmp_path / "a", "good").read_bytes() == CONTENT


def test_too_long_partial_file_starts_over(server, tmp_path):
    (tmp_path / "a.part").write_bytes(CONTENT + b"x" * 10)
    assert fetch(server, tmp_path / "a", "good").read_bytes() == CONTENT


def test_damaged_partial_file_is_replaced_once(server, tmp_path):
    (tmp_path / "a.part").write_bytes(b"x" * 1000)
    assert fetch(server, tmp_path / "a", "good").read_bytes() == CONTENT
    assert server.requests == [("/good", "bytes=1000-"), ("/good", None)]


def test_next_mirror_after_a_missing_file(server, tmp_path):
    assert fetch(server, tmp_path / "a", "missing", "good").read_bytes() == CONTENT
    assert [path for path, _ in server.requests] == ["/missing", "/good"]


def test_retries_a_busy_server(server, tmp_path):
    assert fetch(server, tmp_path / "a", "busy_once").read_bytes() == CONTENT


def test_gives_up_on_a_server_that_always_cuts(server, tmp_path):
    with pytest.raises(DownloadError, match=r"gave up after 4 attempts.*1000 bytes read"):
        fetch(server, tmp_path / "a", "always_cut")


def test_wrong_checksum_names_both_and_leaves_nothing(server, tmp_path):
    with pytest.raises(DownloadError) as error:
        fetch(server, tmp_path / "a", "wrong")
    assert MD5 in str(error.value)
    assert hashlib.md5(OTHER).hexdigest() in str(error.value)
    assert "source.path" in str(error.value)
    assert leftovers(tmp_path) == []


def test_wrong_size_is_reported_without_checksum(server, tmp_path):
    with pytest.raises(DownloadError, match="expected 5 bytes, got 300,000"):
        fetch(server, tmp_path / "a", "good", md5=None, size=5)


@pytest.mark.parametrize("name", ["page", "disguised_page"])
def test_web_page_is_called_a_web_page(server, tmp_path, name):
    with pytest.raises(DownloadError, match="web page"):
        fetch(server, tmp_path / "a", name, md5=None, size=None)
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


def test_unreachable_server_names_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "STALLED_ATTEMPTS", 1)
    with pytest.raises(DownloadError, match=r"source\.path"):
        download(["http://127.0.0.1:9/a"], tmp_path / "a", md5=None, size=None, backoff_s=0.0)


def test_not_a_url(tmp_path):
    with pytest.raises(DownloadError, match="not a usable URL"):
        download(["no-scheme/a"], tmp_path / "a", md5=None, size=None)
    with pytest.raises(InputError, match="no URL"):
        download([], tmp_path / "a", md5=None, size=None)


def test_existing_wrong_file_is_not_taken(server, tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(DownloadError, match="Delete it"):
        fetch(server, tmp_path / "a", "good")
    assert (tmp_path / "a").read_bytes() == b"old"


def test_full_disk_is_seen_before_writing(server, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.artifacts.files.RESERVE_BYTES", 1 << 60)
    with pytest.raises(InputError, match="MB free"):
        fetch(server, tmp_path / "a", "good")
