"""Take the picture of a report that the README and the home of the site show.

Run as `python docs/report_picture.py` when the page has changed; it needs Chromium and Pillow.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

PICTURE = Path(__file__).resolve().parent / "assets" / "report.png"
WIDTH, HEIGHT = 1280, 960
COLOURS = 128


def main() -> None:
    """Open the report on the sample as `cxjourney report --sample` writes it, and keep its top."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("chromium is not on the path")
    with tempfile.TemporaryDirectory() as folder:
        page, shot = Path(folder, "report.html"), Path(folder, "shot.png")
        report = ["-m", "cxjourney", "report", "--sample", "--out", page]
        size = f"--window-size={WIDTH},{HEIGHT}"
        options = ["--headless", "--no-sandbox", "--hide-scrollbars", size, f"--screenshot={shot}"]
        for command in ([sys.executable, *report], [chromium, *options, page.as_uri()]):
            subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own
        Image.open(shot).convert("RGB").quantize(COLOURS).save(PICTURE, optimize=True)
    print(f"{PICTURE.name}: {PICTURE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
