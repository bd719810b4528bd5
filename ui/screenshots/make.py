"""Takes the README's pictures in the system's Chromium, over the handbook that the exam uses."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent.parent / "eval" / "handbook"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@contextmanager
def chat(place: Path) -> Iterator[str]:
    """The chat as the command starts it: its address."""
    command = [sys.executable, "-m", "ui", "--docs", str(DOCS), "--store", str(place), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            lines = iter(process.stderr or ())
            yield next(line.split()[4] for line in lines if line.startswith("The chat is at "))
        finally:
            process.terminate()


def ask(page: Page, question: str) -> None:
    """Ask and wait for the answer."""
    turns = page.locator(".turn:not(.pending)")
    before = turns.count()
    page.locator("#question textarea").fill(question)
    page.keyboard.press("Enter")
    turns.nth(before).wait_for()


def take(page: Page, name: str) -> None:
    """Write one picture, after the page has come to rest."""
    page.wait_for_timeout(700)
    page.screenshot(path=HERE / f"{name}.png")


def wide(page: Page, url: str, *, suffix: str = "") -> None:
    """Answer, source, refusal and documents at the width of a desk."""
    page.goto(url)
    page.locator(".starter").first.wait_for()
    take(page, f"welcome{suffix}")
    ask(page, "When are the alarm bells tested?")
    take(page, f"answer{suffix}")
    page.locator(".chip").first.click()
    page.locator("#cited").wait_for()
    take(page, f"source{suffix}")
    page.mouse.move(0, 0)  # off the number, whose hint would cover the answer
    page.keyboard.press("Escape")
    ask(page, "Who pays for the taxi home after a night shift?")
    take(page, f"refusal{suffix}")
    page.get_by_role("tab", name="Documents").click()
    take(page, f"documents{suffix}")


def narrow(page: Page, url: str) -> None:
    """An answer at the width of a phone."""
    page.goto(url)
    page.locator(".welcome").wait_for()
    ask(page, "When are the alarm bells tested?")
    take(page, "phone")


def main() -> None:
    """All pictures."""
    chromium = shutil.which("chromium") or sys.exit("apt-get install chromium to take the pictures")
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright, chat(Path(scratch, "store")) as url:

        def window(name: str, **options: Any) -> Page:
            return playwright.chromium.launch_persistent_context(
                str(Path(scratch, name)), executable_path=chromium, headless=True, args=ARGUMENTS, **options
            ).pages[0]

        for old in HERE.glob("*.png"):
            old.unlink()
        wide(window("light", viewport={"width": 1280, "height": 800}), url)
        wide(window("dark", viewport={"width": 1280, "height": 800}, color_scheme="dark"), url, suffix="-dark")
        narrow(window("phone", viewport={"width": 390, "height": 780}, device_scale_factor=2, is_mobile=True), url)


if __name__ == "__main__":
    main()
