"""Draws the five pictures of the example catalogue. Run it from anywhere: `python
examples/make_images.py`.

The pictures are our own and free to use. They are drawn three times as large as they are saved,
which
smooths the edges.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

SIZE_PX = 480
SCALE = 3
FOLDER = Path(__file__).parent / "images"

Points = Sequence[tuple[float, float]]


class Sheet:
    """A drawing surface of 480 × 480 units on a soft background, with a shadow under the
    product.
    """

    def __init__(self, top: str, bottom: str) -> None:
        side = SIZE_PX * SCALE
        gradient = Image.linear_gradient("L").resize((side, side))
        self.image = Image.composite(
            Image.new("RGB", (side, side), bottom), Image.new("RGB", (side, side), top), gradient
        )
        self.draw = ImageDraw.Draw(self.image)

    def shadow(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """A blurred ellipse on the floor."""
        mask = Image.new("L", self.image.size, 0)
        ImageDraw.Draw(mask).ellipse(self._box(x0, y0, x1, y1), fill=85)
        mask = mask.filter(ImageFilter.GaussianBlur(9 * SCALE))
        self.image.paste("#2b2f38", (0, 0), mask)

    def box(
        self, x0: float, y0: float, x1: float, y1: float, colour: str, radius: float = 0
    ) -> None:
        """A rectangle with rounded corners."""
        self.draw.rounded_rectangle(self._box(x0, y0, x1, y1), radius * SCALE, fill=colour)

    def oval(self, x0: float, y0: float, x1: float, y1: float, colour: str) -> None:
        """A filled ellipse."""
        self.draw.ellipse(self._box(x0, y0, x1, y1), fill=colour)

    def arc(
        self,
        box: tuple[float, float, float, float],
        start: float,
        end: float,
        colour: str,
        width: float,
    ) -> None:
        """Part of an ellipse's outline; angles in degrees, clockwise from three o'clock."""
        self.draw.arc(self._box(*box), start, end, fill=colour, width=int(width * SCALE))

    def shape(self, points: Points, colour: str) -> None:
        """A filled polygon."""
        self.draw.polygon(self._points(points), fill=colour)

    def line(self, points: Points, colour: str, width: float) -> None:
        """A line with round joints and ends."""
        self.draw.line(self._points(points), fill=colour, width=int(width * SCALE), joint="curve")
        for x, y in points:
            self.oval(x - width / 2, y - width / 2, x + width / 2, y + width / 2, colour)

    def smooth(self, points: Points, colour: str) -> None:
        """A filled outline, rounded through these points."""
        self.shape(_rounded(points), colour)

    def save(self, name: str) -> None:
        """Write the picture, reduced to a palette so that it stays small."""
        small = self.image.resize((SIZE_PX, SIZE_PX), Image.Resampling.LANCZOS)
        small.quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(
            FOLDER / f"{name}.png", optimize=True
        )

    @staticmethod
    def _box(x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
        return x0 * SCALE, y0 * SCALE, x1 * SCALE, y1 * SCALE

    @staticmethod
    def _points(points: Points) -> list[tuple[float, float]]:
        return [(x * SCALE, y * SCALE) for x, y in points]


def _rounded(points: Points, steps: int = 12) -> list[tuple[float, float]]:
    """A closed Catmull-Rom curve through the points."""
    curve: list[tuple[float, float]] = []
    count = len(points)
    for index in range(count):
        a, b, c, d = (points[(index + offset) % count] for offset in (-1, 0, 1, 2))
        for step in range(steps):
            t = step / steps
            curve.append((_spline(a[0], b[0], c[0], d[0], t), _spline(a[1], b[1], c[1], d[1], t)))
    return curve


def _spline(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )


def bottle() -> Sheet:
    """A steel bottle with a dark lid."""
    sheet = Sheet("#eef4f7", "#cfdde4")
    sheet.shadow(160, 408, 330, 444)
    sheet.box(182, 138, 298, 428, "#3f7f8c", 26)
    sheet.smooth(
        [(186, 190), (200, 128), (218, 112), (262, 112), (280, 128), (294, 190)], "#3f7f8c"
    )
    sheet.box(262, 170, 290, 410, "#336b77", 14)
    sheet.box(198, 170, 210, 400, "#6fa9b3", 6)
    sheet.box(212, 96, 268, 122, "#c9ced3", 4)
    sheet.box(206, 52, 274, 104, "#2c3138", 10)
    for x in range(214, 272, 9):
        sheet.box(x, 60, x + 3, 96, "#454c56", 1)
    sheet.box(181, 402, 299, 430, "#c9ced3", 12)
    sheet.shape([(222, 300), (240, 262), (258, 300)], "#f4f1e8")
    sheet.shape([(240, 300), (254, 274), (270, 300)], "#dfe9ea")
    return sheet


def chair() -> Sheet:
    """A wooden chair, seen from the front and a little from the side."""
    sheet = Sheet("#f6f1e9", "#e3d8c7")
    sheet.shadow(110, 408, 378, 446)
    dark, wood, light = "#8a5f3c", "#b07f52", "#cfa273"
    sheet.line([(178, 290), (166, 396)], dark, 13)
    sheet.line([(318, 290), (332, 396)], dark, 13)
    sheet.line([(168, 60), (176, 280)], wood, 16)
    sheet.line([(312, 60), (306, 280)], wood, 16)
    sheet.smooth([(160, 74), (240, 60), (320, 74), (317, 128), (240, 116), (163, 128)], light)
    sheet.smooth([(168, 166), (240, 156), (312, 166), (310, 196), (240, 187), (170, 196)], light)
    sheet.shape([(160, 254), (320, 254), (348, 300), (132, 300)], light)
    sheet.box(131, 297, 349, 316, wood, 6)
    sheet.line([(146, 318), (134, 424)], wood, 17)
    sheet.line([(334, 318), (346, 424)], wood, 17)
    sheet.line([(140, 372), (340, 372)], dark, 9)
    return sheet


def lamp() -> Sheet:
    """A desk lamp with a warm cone of light."""
    sheet = Sheet("#39435a", "#252c3d")
    glow = Image.new("L", sheet.image.size, 0)
    cone = [(214, 168), (316, 132), (460, 424), (150, 424)]
    ImageDraw.Draw(glow).polygon([(x * SCALE, y * SCALE) for x, y in cone], fill=120)
    glow = glow.filter(ImageFilter.GaussianBlur(16 * SCALE))
    sheet.image.paste("#ffdf9a", (0, 0), glow)
    sheet.shadow(60, 404, 220, 440)
    sheet.box(70, 402, 206, 424, "#d8dde5", 11)
    sheet.line([(138, 400), (92, 262), (226, 122)], "#c3cad4", 12)
    sheet.oval(78, 248, 106, 276, "#e2674a")
    sheet.oval(212, 108, 240, 136, "#e2674a")
    sheet.oval(222, 128, 314, 176, "#fff3cf")
    sheet.smooth([(208, 168), (216, 126), (238, 100), (266, 92), (296, 104), (322, 134)], "#e2674a")
    sheet.line([(210, 169), (321, 134)], "#b94d34", 6)
    return sheet


def shoe() -> Sheet:
    """A running shoe from the side."""
    sheet = Sheet("#f3f6ee", "#d9e4cf")
    sheet.shadow(50, 352, 440, 394)
    upper = [
        (66, 300),
        (62, 236),
        (72, 172),
        (104, 164),
        (126, 190),
        (160, 196),
        (196, 166),
        (222, 158),
    ]
    upper += [(262, 204), (318, 244), (384, 258), (420, 282), (424, 318), (240, 326), (80, 322)]
    sheet.smooth(upper, "#d9583b")
    sheet.smooth(
        [(76, 176), (100, 168), (124, 194), (160, 200), (190, 174), (150, 228), (96, 214)],
        "#8f3524",
    )
    sheet.smooth(
        [(346, 262), (390, 268), (420, 292), (420, 318), (352, 320), (334, 292)], "#b9452c"
    )
    sheet.smooth([(64, 250), (98, 246), (118, 284), (112, 322), (70, 320)], "#b9452c")
    sheet.line([(150, 312), (196, 250), (236, 226)], "#f7efe2", 9)
    sheet.line([(186, 314), (226, 264), (262, 242)], "#f7efe2", 9)
    for x, y in ((206, 174), (226, 192), (246, 209), (267, 224)):
        sheet.line([(x, y), (x + 22, y - 13)], "#fbf7ee", 7)
    sole = [
        (58, 318),
        (120, 324),
        (240, 322),
        (350, 320),
        (432, 308),
        (440, 330),
        (420, 352),
        (300, 360),
    ]
    sheet.smooth([*sole, (160, 360), (68, 362), (50, 340)], "#fbf7ee")
    sheet.smooth(
        [
            (56, 350),
            (160, 352),
            (300, 352),
            (428, 340),
            (414, 362),
            (300, 370),
            (160, 370),
            (66, 370),
        ],
        "#3a3f47",
    )
    return sheet


def mug() -> Sheet:
    """A glazed mug with a band of raw clay, steam above it."""
    sheet = Sheet("#f4efe9", "#ddd0c4")
    sheet.shadow(110, 388, 390, 432)
    sheet.arc((258, 206, 404, 350), 0, 360, "#3c5a78", 24)
    sheet.box(128, 168, 328, 376, "#456a8c", 0)
    sheet.box(128, 352, 328, 416, "#c79a72", 30)
    sheet.box(128, 340, 328, 376, "#456a8c", 0)
    sheet.box(286, 190, 328, 376, "#3c5a78", 0)
    sheet.box(148, 200, 162, 340, "#6c93b6", 7)
    sheet.oval(128, 140, 328, 196, "#6c93b6")
    sheet.oval(140, 148, 316, 190, "#2f2420")
    sheet.oval(150, 158, 306, 189, "#5a3b2a")
    for x in (190, 228, 266):
        sheet.arc((x - 14, 84, x + 10, 122), 120, 240, "#fffaf4", 5)
        sheet.arc((x - 24, 50, x, 90), 300, 60, "#fffaf4", 5)
    return sheet


PICTURES: dict[str, Callable[[], Sheet]] = {
    "bottle": bottle,
    "chair": chair,
    "lamp": lamp,
    "shoe": shoe,
    "mug": mug,
}


def main() -> None:
    """Draw all of them."""
    FOLDER.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        draw().save(name)


if __name__ == "__main__":
    main()
