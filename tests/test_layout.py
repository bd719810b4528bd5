"""Where things stand on the page, at several sizes: what is to be seen is in sight, what is to be reached is reached.

Elements are looked for by geometry: their boxes, and which element a point of the window belongs to.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

from qa.assistant import Assistant
from qa.config import Config
from tests.chatting import chat_server, write_folder
from tests.test_browser import CHROMIUM, Seen, browser
from ui.conversations import Conversations, owner_of
from ui.guard import token_in

pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="apt-get install chromium to run this test"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
WIDTHS, HEIGHTS, TURNS = (390, 768, 1280, 1920), (640, 800, 1080), (1, 5, 40)
SIZES = [(width, height) for width in WIDTHS for height in HEIGHTS]
PHONE = 390
CONVERSATIONS = 60
LONG_MS = 30_000  # a busy machine is slow
QUESTIONS = ("Who is the lifeguard?", "When does the pool open?", "Who is the president of France?")


class Chat:
    """The page, and the conversations that its browser owns: turns → id."""

    def __init__(self, page: Page, url: str, ids: dict[int, str]) -> None:
        self.page, self.url, self.ids = page, url, ids

    def open(self, turns: int, size: tuple[int, int]) -> None:
        """A conversation of so many turns, in a window of this size."""
        self.page.set_viewport_size({"width": size[0], "height": size[1]})
        self.page.goto("about:blank")
        self.page.goto(f"{self.url}#{self.ids[turns]}")
        expect(self.page.locator(".turn").nth(turns - 1)).to_be_attached(timeout=LONG_MS)  # tests may have added some
        self.settled()

    def settled(self) -> None:
        """Wait until the thread has been scrolled to its end or to its last turn."""
        last = self.page.locator(".turn").last
        expect(last).to_be_in_viewport(timeout=LONG_MS)

    def box(self, where: str | Locator) -> dict[str, float]:
        """The box of the one element: x, y, width, height, right, bottom, in CSS pixels."""
        found = (self.page.locator(where) if isinstance(where, str) else where).bounding_box()
        assert found, where
        return {**found, "right": found["x"] + found["width"], "bottom": found["y"] + found["height"]}

    def is_on_top(self, where: str | Locator) -> bool:
        """Whether the point in the middle of the element belongs to it: nothing lies over it."""
        one = self.page.locator(where) if isinstance(where, str) else where
        script = (
            "e => { const b = e.getBoundingClientRect();"
            " const at = document.elementFromPoint(b.x + b.width / 2, b.y + Math.min(b.height / 2, 10));"
            " return !!at && (e.contains(at) || at.contains(e)); }"
        )
        return bool(one.evaluate(script))


@pytest.fixture(scope="module")
def chat(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chat]:
    place = tmp_path_factory.mktemp("layout")
    seen = Seen()
    with (
        chat_server(write_folder(place / "docs"), place / "store", config) as (url, assistant),
        sync_playwright() as playwright,
        browser(playwright, place / "profile", seen, has_touch=True) as page,
    ):
        page.set_default_timeout(LONG_MS)
        page.goto(url)
        expect(page.locator(".welcome")).to_be_visible(timeout=LONG_MS)
        cookies = "; ".join(f"{one['name']}={one['value']}" for one in page.context.cookies())
        yield Chat(page, url, fill(assistant, owner_of("browser", token_in(cookies) or "")))
    assert not seen.errors


def fill(assistant: Assistant, owner: str) -> dict[int, str]:
    """Conversations of each length, and as many more as there are to be; length → id."""
    answers = [assistant.ask(question) for question in QUESTIONS]
    kept = Conversations(assistant.store.path / "conversations")
    ids = {}
    for turns in (*TURNS, *[1] * (CONVERSATIONS - len(TURNS))):
        identity = None
        for number in range(turns):
            identity = kept.add(owner, identity, answers[number % len(answers)]).id
        ids.setdefault(turns, str(identity))
    return ids


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_header_and_bar_stay_and_cover_nothing(chat: Chat, size: tuple[int, int]) -> None:
    for turns in TURNS:
        chat.open(turns, size)
        top, thread, bar = chat.box("#top"), chat.box("#thread"), chat.box("#composer")
        assert top["y"] >= 0
        assert bar["bottom"] <= size[1] + 1
        assert thread["bottom"] <= bar["y"] + 1, "the question bar lies over the thread"
        assert thread["height"] >= 150
        assert chat.is_on_top("#question textarea")
        assert chat.is_on_top("[data-toggle=dark]")
        last = chat.page.locator(".turn").last
        assert thread["y"] - 1 <= chat.box(last)["y"] < thread["bottom"] - 40, "the newest turn begins out of sight"
        whole = chat.page.evaluate("[document.scrollingElement.scrollHeight, document.scrollingElement.scrollWidth]")
        assert whole[0] <= size[1] + 1, "the page itself can be scrolled"
        assert whole[1] <= size[0] + 1
        assert chat.page.evaluate("window.scrollY") == 0


@pytest.mark.parametrize("size", [(390, 640), (1280, 800)], ids=str)
def test_every_turn_is_reached_by_wheel_and_by_key(chat: Chat, size: tuple[int, int]) -> None:
    chat.open(40, size)
    first, last = chat.page.locator(".turn").first, chat.page.locator(".turn").last
    thread = chat.box("#thread")
    chat.page.mouse.move(thread["x"] + thread["width"] / 2, thread["y"] + thread["height"] / 2)
    chat.page.mouse.wheel(0, -200_000)
    expect(first).to_be_in_viewport(timeout=LONG_MS)
    assert chat.box(first)["y"] >= thread["y"] - 1
    chat.page.mouse.wheel(0, 200_000)
    expect(last.locator(".tools")).to_be_in_viewport(timeout=LONG_MS)
    chat.page.evaluate("document.activeElement.blur()")
    chat.page.keyboard.press("Home")
    expect(first).to_be_in_viewport(timeout=LONG_MS)
    chat.page.keyboard.press("End")
    expect(last.locator(".tools")).to_be_in_viewport(timeout=LONG_MS)
    chat.page.locator("#question textarea").focus()
    for _ in range(80):
        chat.page.keyboard.press("PageUp")
    expect(first).to_be_in_viewport(timeout=LONG_MS)
    for number in (7, 23):
        turn = chat.page.locator(".turn").nth(number)
        turn.scroll_into_view_if_needed()
        assert chat.is_on_top(turn.locator(".question"))


def test_a_finger_scrolls_the_thread(chat: Chat) -> None:
    chat.open(40, (PHONE, 800))
    thread = chat.box("#thread")
    x, y = thread["x"] + thread["width"] / 2, thread["y"] + 60
    before = chat.page.locator("#thread").evaluate("e => e.scrollTop")
    finger = chat.page.context.new_cdp_session(chat.page)
    finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 16):
        finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y + 20 * step}]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    chat.page.wait_for_function(
        "before => document.querySelector('#thread').scrollTop < before - 100", arg=before, timeout=LONG_MS
    )
    assert chat.page.evaluate("window.scrollY") == 0


@pytest.mark.parametrize("size", [(390, 640), (390, 800), (768, 800), (1280, 640), (1920, 1080)], ids=str)
def test_every_conversation_is_reached(chat: Chat, size: tuple[int, int]) -> None:
    chat.open(1, size)
    if size[0] <= 900:
        chat.page.locator("[data-toggle=list]").click()
    listed = chat.page.locator(".conversations > li")
    expect(listed).to_have_count(CONVERSATIONS, timeout=LONG_MS)
    place = chat.box("#listing")
    assert place["height"] >= 150
    assert place["bottom"] <= size[1]
    assert chat.is_on_top(listed.first.locator(".open"))
    chat.page.mouse.move(place["x"] + 30, place["y"] + 60)
    chat.page.mouse.wheel(0, 100_000)
    expect(listed.last).to_be_in_viewport(timeout=LONG_MS)
    assert chat.is_on_top(listed.last.locator(".open"))
    listed.first.locator(".open").focus()
    expect(listed.first).to_be_in_viewport(timeout=LONG_MS)
    assert chat.box("#top")["y"] >= 0


def test_a_drawer_closes_by_new_by_a_choice_and_by_a_tap_beside_it(chat: Chat) -> None:
    chat.open(5, (PHONE, 800))
    toggle, left = chat.page.locator("[data-toggle=list]"), chat.page.locator("#left")
    for leave in (
        lambda: chat.page.mouse.click(PHONE - 10, 400),
        lambda: chat.page.locator(".conversations .open").first.click(),
        lambda: chat.page.locator("#fresh").click(),
    ):
        toggle.click()
        expect(left).to_be_visible()
        leave()
        expect(left).to_be_hidden(timeout=LONG_MS)


@pytest.mark.parametrize("size", [(390, 640), (768, 1080), (1280, 640), (1920, 800)], ids=str)
def test_the_source_opens_in_sight(chat: Chat, size: tuple[int, int]) -> None:
    chat.open(40, size)
    chip = chat.page.locator(".turn .quote .chip").nth(-1)
    chip.scroll_into_view_if_needed()
    chip.click()
    mark = chat.page.locator("#cited")
    expect(mark).to_be_in_viewport(timeout=LONG_MS)
    box = chat.box("#right")
    assert box["y"] >= 0
    assert box["right"] <= size[0] + 1
    assert box["bottom"] <= size[1] + 1
    assert chat.is_on_top(mark)
    assert chat.is_on_top(".source .close")
    chat.page.keyboard.press("Escape")
    assert chat.box("#top")["y"] >= 0


def test_what_is_focused_below_moves_no_header(chat: Chat) -> None:
    chat.open(40, (1280, 640))
    before = chat.box("#top")
    for place in ("#scope button", "#question textarea", "#send"):
        chat.page.locator(place).focus()
        assert chat.box("#top") == before
        assert chat.is_on_top("[data-toggle=dark]")


def test_nothing_of_the_documents_lies_beyond_the_right_edge(chat: Chat, tmp_path: Path) -> None:
    """One page at every size: a client may only send so many requests a minute, and each new page sends some."""
    page = chat.page
    page.goto("about:blank")
    page.goto(chat.url)
    page.get_by_role("tab", name="Documents").click()
    expect(page.locator("#documents table")).to_be_visible(timeout=LONG_MS)
    file = tmp_path / "a-name-of-some-length-2024.txt"
    file.write_text("The barometer hangs in the hall.", encoding="utf-8")
    page.locator("#files input[type=file]").set_input_files(str(file))
    row = page.locator("#documents tr", has_text="uploads/a-name-of-some-length-2024.txt")
    expect(row).to_be_visible(timeout=LONG_MS)
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        button = row.get_by_role("button", name="Delete")
        button.scroll_into_view_if_needed()
        assert chat.box(button)["right"] <= width
        assert chat.is_on_top(button)
        for cell in row.locator("td:visible").all():
            assert chat.box(cell)["right"] <= width + 1


def test_a_question_is_answered_in_sight_and_said_to_a_screen_reader(chat: Chat) -> None:
    page = chat.page
    chat.open(5, (PHONE, 640))
    before = page.locator(".turn").count()
    page.locator("#question textarea").fill("When are the changing rooms cleaned every day?")
    page.keyboard.press("Enter")
    expect(page.locator(".turn:not(.pending)")).to_have_count(before + 1, timeout=LONG_MS)
    last, thread = page.locator(".turn").last, chat.box("#thread")
    expect(page.locator("#said")).to_contain_text("Answer: ", timeout=LONG_MS)
    expect(last.locator("h2.question")).to_be_in_viewport(timeout=LONG_MS)
    assert thread["y"] - 1 <= chat.box(last)["y"] <= thread["y"] + 60
    page.locator("#question textarea").fill("Who is the king of Spain?")
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_contain_text("No answer. ", timeout=LONG_MS)
    assert page.get_by_role("heading", level=2).count() == before + 2, "each turn is a heading"


def test_a_new_conversation_is_new_at_once(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that is sent right behind it joins no other conversation, and no filter of the old one."""
    page = chat.page
    chat.open(5, (1280, 800))
    limit_to(page, "season-2024.md")
    page.evaluate("document.querySelector('#fresh').click()")
    page.locator("#question textarea").fill("Who is the lifeguard?")
    page.keyboard.press("Enter")
    expect(page.locator(".turn:not(.pending)")).to_have_count(1, timeout=LONG_MS)
    expect(page.locator(".turn .verbatim").first).to_have_text("The lifeguard is Ilse Brandt.")
    expect(page.locator("#filter")).to_be_hidden()


def limit_to(page: Page, name: str) -> None:
    if not page.get_by_label("Documents (none chosen: all)").is_visible():
        page.get_by_role("button", name="Ask only some of the documents").click()
    page.get_by_label("Documents (none chosen: all)").click()
    page.get_by_role("option", name=name).click()
    page.keyboard.press("Escape")
    expect(page.locator("#filter .chip")).to_contain_text(name, timeout=LONG_MS)


def test_a_filter_is_seen_named_and_taken_off(chat: Chat) -> None:
    page = chat.page
    chat.open(1, (1280, 800))
    limit_to(page, "season-2024.md")
    page.get_by_role("button", name="Ask only some of the documents").click()  # collapsed
    assert chat.is_on_top("#filter .chip")
    assert chat.box("#filter .chip")["bottom"] <= chat.box("#question")["y"] + 1
    page.locator("#question textarea").fill("Who is the lifeguard?")
    page.keyboard.press("Enter")
    expect(page.locator(".turn").last.locator(".refused")).to_contain_text("only season-2024.md", timeout=LONG_MS)
    page.locator("#filter .chip").click()
    expect(page.locator("#filter")).to_be_hidden(timeout=LONG_MS)
    page.locator("#question textarea").fill("Who is the lifeguard?")
    page.keyboard.press("Enter")
    expect(page.locator(".turn").last.locator(".verbatim").first).to_have_text(
        "The lifeguard is Ilse Brandt.", timeout=LONG_MS
    )


def test_what_asks_whether_it_really_should_says_so_in_its_name(chat: Chat) -> None:
    page = chat.page
    chat.open(1, (1280, 800))
    line = page.locator(".conversations > li").last
    line.locator("summary").click()
    line.get_by_role("button", name="Delete this conversation", exact=True).click()
    expect(line.get_by_role("button", name="Really delete? Delete this conversation")).to_be_visible()
    expect(page.locator("#said")).to_contain_text("Really delete?")


def test_the_list_of_documents_renews_itself(chat: Chat, request: Any) -> None:
    page = chat.page
    chat.open(1, (1280, 800))
    page.get_by_role("tab", name="Documents").click()
    expect(page.locator("#documents table")).to_be_visible(timeout=LONG_MS)
    other = page.context.new_page()
    other.goto(chat.url)
    other.get_by_role("tab", name="Documents").click()
    other.locator("#files input[type=file]").set_input_files(
        {"name": "late.txt", "mimeType": "text/plain", "buffer": b"The late bus leaves at ten."}
    )
    expect(other.locator("#documents tr", has_text="uploads/late.txt")).to_be_visible(timeout=LONG_MS)
    other.close()
    expect(page.locator("#documents tr", has_text="uploads/late.txt")).to_be_visible(timeout=LONG_MS)
