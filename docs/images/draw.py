"""Draws docs/images/demo.svg, top.svg and report.png from a real run of the demo: `python docs/images/draw.py`.

It takes two minutes: the cameras are healthy at first, so that each fault has a baseline. report.png needs Chromium and
a Chinese font (Debian: chromium fonts-noto-cjk).
"""

import html
import re
import subprocess
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

from PIL import Image
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.text import Text

from engine.batch.finding_pictures import finding_pictures
from engine.client.patrol import PatrolClient
from engine.clock import wall_ns
from engine.config import Settings
from engine.config.calendar import Calendar
from engine.demo.county import REGION, County, tally
from engine.demo.runner import demo_settings
from engine.hub.services.digest_report import report
from engine.interchange.regions import hebei
from engine.model.verdict import State, Verdict
from engine.notices.digest import Period
from engine.notices.html_page import html as html_page
from engine.notices.vocabulary import Lang
from engine.storage.db.store import Store
from engine.storage.evidence.exhibit_reader import ExhibitReader
from engine.supervisor.app import Supervisor
from engine.terminal.live import render_patrol
from engine.terminal.scheduler_view import render_schedule
from engine.terminal.times import Times

FOLDER = Path(__file__).parent
WIDTH, TOP_HEIGHT = 100, 30
TIMEOUT_S = 120.0
FONT_FACES = re.compile(r"@font-face \{\{.*?\}\}", re.DOTALL)
"""GitHub loads no fonts from elsewhere; the reader's own monospace font is used."""
TEXT = re.compile(r'textLength="[\d.]+"([^>]*)>([^<]*)</text>')
REPORT_PX = (1120, 1808)
CELL_PX = 12.2
"""Width of a terminal cell in Rich's SVG."""


def main() -> None:
    """Run the demo until all faults are named, then draw the live view, the report, and `patrol top`."""
    with tempfile.TemporaryDirectory() as folder, County(healthy=True) as before, County() as county:
        settings = demo_settings(Path(folder))
        with Supervisor(settings, threading.Event()) as engine, PatrolClient(engine.addresses["grpc"]) as client:
            client.import_cameras([demo.camera for demo in before.cameras])
            wait_until_ok(client)
            client.import_cameras([demo.camera for demo in county.cameras])
            recent = wait_until_named(client, county)
            statuses = list(client.cameras())
            times = Times(Calendar().timezone, wall_ns())
            footer = f"gRPC {engine.addresses['grpc']}   metrics http://{engine.addresses['metrics']}/metrics"
            save("demo.svg", "make demo", render_patrol(client.status(), statuses, recent, times, footer))
            top_footer = Text(f"{engine.addresses['grpc']}   every 2 s   Ctrl-C ends", style="bright_black")
            draw_report(settings)
            save(
                "top.svg",
                "patrol top",
                render_schedule(client.status(), client.schedule(), top_footer, WIDTH, TOP_HEIGHT),
            )


def wait_until_ok(client: PatrolClient) -> None:
    """Wait until every camera is announced as ok."""
    end_s = time.monotonic() + TIMEOUT_S
    while not all(row.latest and row.latest.announced == State.OK for row in client.cameras()):
        if time.monotonic() > end_s:
            raise SystemExit(f"some cameras are not ok after {TIMEOUT_S:.0f} s")
        time.sleep(0.5)


def wait_until_named(client: PatrolClient, county: County) -> list[Verdict]:
    """Wait until every fault is named and the rates have settled; return the latest changes of announcements."""
    announced: dict[str, tuple[object, ...]] = {}
    changes: list[Verdict] = []
    end_s = time.monotonic() + TIMEOUT_S
    settled_s = 0.0
    while settled_s < 30:
        latest = {status.camera.camera_id: status.latest for status in client.cameras()}
        for camera_id, verdict in latest.items():
            state = () if verdict is None else (verdict.announced, verdict.announced_kinds)
            if verdict is not None and announced.get(camera_id) != state:
                announced[camera_id] = state
                changes.append(verdict)
        named, faults, accused = tally(county.cameras, latest)
        settled_s = settled_s + 0.5 if named == faults and not accused else 0.0
        if time.monotonic() > end_s:
            raise SystemExit(f"only {named} of {faults} faults were named within {TIMEOUT_S:.0f} s")
        time.sleep(0.5)
    return changes


def draw_report(settings: Settings) -> None:
    """Draw the top of the page that `patrol report` writes of the demo's county today."""
    now_ns, timezone = wall_ns(), Calendar().timezone
    today = Period.of_day(Times(timezone, now_ns).day(now_ns)[:10])
    with closing(Store.open_existing(settings.record.url)) as store:
        made = report(store, REGION, today, timezone, hebei(), now_ns)
    pictures = finding_pictures(ExhibitReader(Path(settings.record.evidence_dir)), made.standing)
    with tempfile.TemporaryDirectory() as folder:
        page, drawn = Path(folder, "report.html"), Path(folder, "report.png")
        page.write_text(html_page(made.digest, Lang.ZH, pictures), encoding="utf-8")
        subprocess.run(  # noqa: S603 (all arguments are ours)
            [  # noqa: S607 (wherever it is installed)
                "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                f"--user-data-dir={folder}/profile", f"--window-size={REPORT_PX[0]},{REPORT_PX[1]}",
                f"--screenshot={drawn}", page.as_uri(),
            ],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        with Image.open(drawn) as image:
            image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(FOLDER / "report.png", optimize=True)


def save(name: str, title: str, view: RenderableType) -> None:
    """Write what a terminal of WIDTH columns would show as an SVG."""
    with Path("/dev/null").open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True, color_system="truecolor")
        console.print(view)
        text = console.export_svg(title=title, code_format=FONT_FACES.sub("", CONSOLE_SVG_FORMAT), unique_id=name[:-4])
    lines = (TEXT.sub(widened, line.rstrip()) for line in text.splitlines())
    (FOLDER / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def widened(match: re.Match[str]) -> str:
    """Return the text element with its width in cells: Rich counts characters, and a Chinese one takes two cells."""
    attributes, text = match.groups()
    return f'textLength="{cell_len(html.unescape(text)) * CELL_PX:.1f}"{attributes}>{text}</text>'


if __name__ == "__main__":
    main()
