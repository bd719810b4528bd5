"""The page's own files and its fixed pieces."""

from pathlib import Path
from typing import Any

from ui.panels import BADGE

HERE = Path(__file__).resolve().parent
CSS = (HERE / "page.css").read_text("utf-8")
SCRIPT = (HERE / "page.js").read_text("utf-8")
SYSTEM_FONTS = ["system-ui", "sans-serif"]  # Gradio's own theme would fetch fonts from another host
TOP = f"""<div id="top"><button type="button" data-toggle="list" aria-label="Conversations">☰</button>
<h1>Quotes or nothing</h1><span class="badge">{BADGE}</span><span class="gap"></span>
<button type="button" data-toggle="dark" aria-label="Light or dark">◐</button></div>"""
RATED = """<p class="small rated">
<a class="plain" href="conversations/rated.jsonl" download>Rated answers as eval cases</a>: the answers that you rated,
as a test file for <code>qa-eval run</code>, which measures how well your documents are answered from.</p>"""
HIDDEN_LINKS: Any = []  # of Gradio's own footer
