"""Files on the way out: whole, or as they were."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time

import pytest

import cxjourney as cx
from cxjourney._support import writing
from cxjourney._support.writing import write_whole

OLD = b"what stood there"
GRAPH = cx.JourneyGraph.from_counts({(cx.START, "a"): 5, ("a", cx.DROPOFF): 5})
BLUEPRINT = cx.JourneyBlueprint("shop", ["a", "b"])
WRITERS = {
    "graph.graphml": GRAPH.write_graphml,
    "graph.graphml.gz": GRAPH.write_graphml,
    "blueprint.json": BLUEPRINT.write,
    "blueprint.yaml": BLUEPRINT.write,
    "report.html": lambda path: _report().write(path),
}


def _report():
    journeys = cx.Journeys.from_paths([["a", "b"], ["a"]], converted=[30, 5], dropped=[10, 45])
    return cx.report.build(journeys)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("step", ["fsync", "write", "replace"])
def test_a_full_disk_leaves_the_old_file_whole(tmp_path, monkeypatch, name, step):
    path = tmp_path / name
    path.write_bytes(OLD)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if step == "fsync":
        monkeypatch.setattr(writing.os, "fsync", full)
    elif step == "replace":
        monkeypatch.setattr(writing.Path, "replace", full)
    else:
        opened = writing.Path.open

        def open_half(self, mode="r", *arguments, **options):
            file = opened(self, mode, *arguments, **options)
            if "x" not in mode:
                return file
            file.close()
            return _Half(self)

        monkeypatch.setattr(writing.Path, "open", open_half)
    with pytest.raises(OSError, match="No space left"):
        WRITERS[name](path)
    monkeypatch.undo()
    assert path.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [path]
    WRITERS[name](path)
    assert path.read_bytes() != OLD
    assert list(tmp_path.iterdir()) == [path]


class _Half:
    """A file on a disk that is full after the first bytes."""

    def __init__(self, path):
        self.descriptor = os.open(path, os.O_WRONLY)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.descriptor)

    def write(self, content):
        os.write(self.descriptor, content[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_process_killed_while_writing_leaves_the_old_file_or_the_new(tmp_path):
    path = tmp_path / "out.bin"
    program = (
        "import sys; from cxjourney._support.writing import write_whole\n"
        "content = [b'0' * 3_000_000, b'1' * 3_000_000]\n"
        "print('begun', flush=True)\n"
        "while True:\n    for part in content: write_whole(sys.argv[1], part)\n"
    )
    whole = {b"0" * 3_000_000, b"1" * 3_000_000, OLD}
    for i in range(6):
        path.write_bytes(OLD)
        writer = subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.01 * i)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        assert path.read_bytes() in whole
        assert {p.suffix for p in tmp_path.iterdir()} <= {".bin", ".part"}


def test_a_link_its_mode_and_what_is_no_plain_file_are_kept(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(OLD)
    target.chmod(0o640)
    link.symlink_to(target)
    write_whole(link, b"new")
    assert (link.is_symlink(), target.read_bytes()) == (True, b"new")
    assert target.stat().st_mode & 0o777 == 0o640
    write_whole("/dev/null", b"new")
    assert not os.path.isfile("/dev/null")  # noqa: PTH113 - as the system sees it
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "nowhere" / "a", b"new")
