"""What a drawing puts on its canvas, noted once, and put on the canvases of several formats.

To ask a drawing's axes, ticks and texts where they are takes matplotlib longer than to write down what they answer, and
it asks them anew for each format.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from matplotlib.artist import Artist
from matplotlib.backend_bases import RendererBase
from matplotlib.transforms import Affine2D, TransformedBbox, TransformedPath

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

_POINTS: Final = 72
"""Units of a recording to the inch, which are those of SVG and PDF."""
_WHOLE: Final = "figure"
"""What matplotlib calls the group of all that is in a drawing, which the drawing of a recording has too."""


class _Recording(RendererBase):
    """A canvas in points, upwards, that keeps what is put on it.

    Attributes:
        pictures: whether something of it is made of pixels, which are sampled anew for each resolution: then it can be
            put on canvases of vectors alone.
    """

    def __init__(self, width: float, height: float) -> None:
        super().__init__()
        self._size = (width, height)
        self._put: list[Callable[[Any], None]] = []
        self.pictures = False

    def put_on(self, canvas: Any) -> None:
        """Put all of it on another canvas."""
        for put in self._put:
            put(canvas)

    def get_canvas_width_height(self) -> tuple[float, float]:
        return self._size

    def flipy(self) -> bool:
        return False

    def option_image_nocomposite(self) -> bool:
        return True

    def option_scale_image(self) -> bool:
        return True

    def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> tuple[float, float, float]:
        found: tuple[float, float, float] = self._text2path.get_text_width_height_descent(s, prop, ismath)
        return found  # as SVG measures it, by which texts of several lines are set

    def open_group(self, s: str, gid: str | None = None) -> None:
        if s != _WHOLE:
            self._put.append(lambda canvas: canvas.open_group(s, gid))

    def close_group(self, s: str) -> None:
        if s != _WHOLE:
            self._put.append(lambda canvas: canvas.close_group(s))

    def draw_path(self, gc: Any, path: Any, transform: Any, rgbFace: Any = None) -> None:
        self._note(gc, lambda canvas, own, scale: canvas.draw_path(own, path, transform + scale, rgbFace))

    def draw_markers(
        self, gc: Any, marker_path: Any, marker_trans: Any, path: Any, trans: Any, rgbFace: Any = None
    ) -> None:
        self._note(
            gc,
            lambda canvas, own, scale: canvas.draw_markers(
                own, marker_path, marker_trans + scale, path, trans + scale, rgbFace
            ),
        )

    def draw_image(self, gc: Any, x: float, y: float, im: Any, transform: Any = None) -> None:
        self.pictures = True
        self._note(gc, lambda canvas, own, scale: canvas.draw_image(own, x, y, im, transform))

    def draw_text(
        self, gc: Any, x: float, y: float, s: str, prop: Any, angle: float, ismath: Any = False, mtext: Any = None
    ) -> None:
        def put(canvas: Any, own: Any, scale: Affine2D) -> None:
            across, up = scale.transform((x, y))
            down = canvas.get_canvas_width_height()[1] - up
            canvas.draw_text(own, across, down if canvas.flipy() else up, s, prop, angle, ismath, mtext)

        self._note(gc, put)

    def _note(self, gc: Any, put: Callable[[Any, Any, Affine2D], None]) -> None:
        kept: Any = self.new_gc()
        kept.copy_properties(gc)

        def on(canvas: Any) -> None:
            scale = Affine2D().scale(canvas.points_to_pixels(1.0))
            own = canvas.new_gc()
            own.copy_properties(kept)
            if (rectangle := kept.get_clip_rectangle()) is not None:
                own.set_clip_rectangle(TransformedBbox(rectangle, scale))
            path, transform = kept.get_clip_path()
            if path is not None:
                own.set_clip_path(TransformedPath(path, transform + scale))
            put(canvas, own, scale)
            own.restore()

        self._put.append(on)


def recorded(drawing: Drawing) -> tuple[Drawing, bool]:
    """A drawing as it is now, without axes, which takes little time to be written in a format.

    Args:
        drawing: laid out already; its units become points.

    Returns:
        What is on it, without its ground; and whether that has pictures made of pixels: then it can be written in
        formats of vectors alone.
    """
    from matplotlib.figure import Figure as Drawing

    drawing.set_dpi(_POINTS)
    drawing.patch.set_visible(False)
    recording = _Recording(*drawing.bbox.size)
    drawing.draw(recording)
    drawing.patch.set_visible(True)
    shown = Drawing(figsize=tuple(drawing.get_size_inches()))
    shown.add_artist(_Recorded(recording))
    return shown, recording.pictures


class _Recorded(Artist):
    """A recording as the only thing in a drawing."""

    def __init__(self, recording: _Recording) -> None:
        super().__init__()
        self._recording = recording

    def draw(self, renderer: Any) -> None:
        self._recording.put_on(renderer)
