"""The image viewer in three kinds of hands: a mouse, keys alone, fingers. All do the same, each in its own way."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

DRAG = (-24.0, -10.0)
"""Pixels by which a mouse or a finger moves the picture."""


class Hand(ABC):
    """Somebody who uses the viewer."""

    options: ClassVar[dict[str, Any]] = {}
    """Of the browser's context."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.stage = page.locator("#viewer-stage")

    def spot(self, x: float, y: float, inside: str = "#viewer-stage") -> tuple[float, float]:
        """A place of the screen, in fractions of the sides of an element."""
        place = self.page.locator(inside)
        place.scroll_into_view_if_needed()
        box = place.bounding_box()
        assert box is not None
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    @abstractmethod
    def open(self) -> None:
        """The first image."""

    @abstractmethod
    def slide(self) -> None:
        """The slider from the middle to 70 %."""

    @abstractmethod
    def choose(self) -> None:
        """The first network under seed 0 as A, and the second one as B."""

    @abstractmethod
    def exchange(self) -> None:
        """A and B."""

    @abstractmethod
    def blink(self) -> None:
        """A and B in turns, on the same place."""

    @abstractmethod
    def hold(self) -> None:
        """Blinking comes to rest."""

    @abstractmethod
    def beside(self) -> None:
        """A and B beside each other."""

    @abstractmethod
    def enlarge(self) -> None:
        """More pixels of the screen for one of the picture."""

    @abstractmethod
    def move(self) -> tuple[float, float]:
        """The enlarged picture, by what is returned: pixels to the right and down."""

    @abstractmethod
    def fit(self) -> None:
        """The whole picture again."""

    @abstractmethod
    def error(self) -> None:
        """The error map, on or off."""

    @abstractmethod
    def following(self) -> None:
        """The next image."""

    @abstractmethod
    def close(self) -> None:
        """The viewer."""


class Pressing(Hand):
    """What mouse and finger have in common: they press what is on the screen."""

    @abstractmethod
    def press(self, what: Locator) -> None:
        """Once."""

    @abstractmethod
    def drag(self, begin: tuple[float, float], end: tuple[float, float]) -> None:
        """From one place of the screen to another."""

    def open(self) -> None:
        self.press(self.page.locator(".card").first)

    def slide(self) -> None:
        self.drag(self.spot(0.5, 0.5), self.spot(0.7, 0.5))

    def exchange(self) -> None:
        self.press(self.page.locator("#viewer-swap"))

    def blink(self) -> None:
        self.press(self.page.locator("#viewer").get_by_label("Blink"))

    def hold(self) -> None:
        self.press(self.page.locator("#viewer-pause"))

    def beside(self) -> None:
        self.press(self.page.locator("#viewer").get_by_label("Side by side"))

    def move(self) -> tuple[float, float]:
        x, y = self.spot(0.5, 0.5, ".pane[data-side=a]")
        self.drag((x, y), (x + DRAG[0], y + DRAG[1]))
        return DRAG

    def error(self) -> None:
        self.press(self.page.locator("#viewer-error"))

    def following(self) -> None:
        self.press(self.page.locator("#viewer-next"))

    def close(self) -> None:
        self.press(self.page.locator("#viewer-close"))


class Mouse(Pressing):
    """With a wheel; chooses from lists."""

    def press(self, what: Locator) -> None:
        what.click()

    def drag(self, begin: tuple[float, float], end: tuple[float, float]) -> None:
        self.page.mouse.move(*begin)
        self.page.mouse.down()
        self.page.mouse.move(*end, steps=3)
        self.page.mouse.up()

    def choose(self) -> None:
        self.page.locator("#viewer-a").select_option(label="A, seed 0")
        self.page.locator("#viewer-b").select_option(label="A: b, seed 0")

    def enlarge(self) -> None:
        self.page.mouse.move(*self.spot(0.5, 0.5, ".pane[data-side=a]"))
        self.page.mouse.wheel(0, -180)

    def fit(self) -> None:
        self.page.mouse.dblclick(*self.spot(0.5, 0.5, ".pane[data-side=a]"))


class Touch(Pressing):
    """With two fingers; chooses from the table."""

    options: ClassVar[dict[str, Any]] = {"has_touch": True}

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self._session = page.context.new_cdp_session(page)

    def press(self, what: Locator) -> None:
        what.tap()

    def drag(self, begin: tuple[float, float], end: tuple[float, float]) -> None:
        # The finger rests before it is lifted: after a fling, Chromium takes the next tap for what stops it.
        self._touch((0.0, begin), (0.05, end), (0.1, end), (0.15,))

    def choose(self) -> None:
        self.press(self.page.get_by_role("button", name="A, seed 0 as A", exact=True))
        self.press(self.page.get_by_role("button", name="A: b, seed 0 as B", exact=True))

    def enlarge(self) -> None:
        x, y = self.spot(0.5, 0.5, ".pane[data-side=a]")
        spread = ((0.0, 30), (0.05, 40), (0.1, 52), (0.15, 52))
        self._touch(*((after, (x - half, y), (x + half, y)) for after, half in spread), (0.2,))

    def fit(self) -> None:
        place = self.spot(0.5, 0.5, ".pane[data-side=a]")
        self._touch((0.0, place), (0.05,), (0.15, place), (0.2,))

    def _touch(self, *events: tuple[Any, ...]) -> None:
        """Where the fingers are at some times, in seconds that do not hang on what else the machine does."""
        begin, down = time.time(), False
        for after, *points in events:
            kind = "touchEnd" if not points else "touchMove" if down else "touchStart"
            down = bool(points)
            where = [{"x": x, "y": y, "id": index} for index, (x, y) in enumerate(points)]
            event = {"type": kind, "touchPoints": where, "timestamp": begin + after}
            self._session.send("Input.dispatchTouchEvent", event)


class Keyboard(Hand):
    """Keys alone, from the card that has the focus on."""

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def open(self) -> None:
        self.page.locator(".card").first.focus()
        self.press("Enter")

    def slide(self) -> None:
        self.press(*["]"] * 4)

    def choose(self) -> None:
        self.press("Shift+Digit3", "Digit4")

    def exchange(self) -> None:
        self.press("x")

    def blink(self) -> None:
        self.press("b")

    def hold(self) -> None:
        self.press("Space")

    def beside(self) -> None:
        self.press("d")

    def enlarge(self) -> None:
        self.press("+", "+")

    def move(self) -> tuple[float, float]:
        self.press("ArrowRight")
        wide: float = self.page.evaluate("document.querySelector('#viewer .pane').clientWidth")
        return -wide / 10, 0.0

    def fit(self) -> None:
        self.press("0")

    def error(self) -> None:
        self.press("e")

    def following(self) -> None:
        self.press("n")

    def close(self) -> None:
        self.press("Escape")


HANDS: dict[str, type[Hand]] = {"mouse": Mouse, "keyboard": Keyboard, "touch": Touch}
