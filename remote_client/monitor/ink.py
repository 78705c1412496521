"""What a colour of a terminal tells: strong and neutral is text, red and yellow alarm, green is good, grey is aside."""

from functools import lru_cache
from typing import Literal

Ink = Literal["none", "text", "dim", "alarm", "good", "other"]
"""`none`: the terminal's default colour, which tells nothing."""

_SIXTEEN: dict[int, Ink] = {
    30: "text", 31: "alarm", 32: "good", 33: "alarm", 34: "other", 35: "other", 36: "other", 37: "dim",
    90: "dim", 91: "alarm", 92: "good", 93: "alarm", 94: "other", 95: "other", 96: "other", 97: "text",
}  # fmt: skip
_CUBE = (0, 95, 135, 175, 215, 255)
NEUTRAL_SPREAD = 28
STRONG_DARK = 40
STRONG_LIGHT = 225


@lru_cache(maxsize=256)
def ink_of(parameters: str) -> Ink:
    """Of SGR parameters that set a foreground; "" is the default."""
    if not parameters:
        return "none"
    numbers = [int(part) if part.isdecimal() else 0 for part in parameters.split(";")]
    if len(numbers) == 1:
        return _SIXTEEN.get(numbers[0], "other")
    if numbers[:2] == [38, 5] and len(numbers) == 3:
        return _of_palette(numbers[2])
    if numbers[:2] == [38, 2] and len(numbers) == 5:
        return _of_rgb(numbers[2], numbers[3], numbers[4])
    return "other"


def _of_palette(index: int) -> Ink:
    if index < 16:
        return _SIXTEEN[index + 30 if index < 8 else index + 82]
    if index >= 232:
        level = 8 + 10 * (index - 232)
        return _of_rgb(level, level, level)
    index -= 16
    return _of_rgb(_CUBE[index // 36 % 6], _CUBE[index // 6 % 6], _CUBE[index % 6])


def _of_rgb(red: int, green: int, blue: int) -> Ink:
    if max(red, green, blue) - min(red, green, blue) <= NEUTRAL_SPREAD:
        return "text" if red <= STRONG_DARK or red >= STRONG_LIGHT else "dim"
    if green > red and green > blue:
        return "good"
    if red >= green and red > blue and min(red - green, blue) <= 180 and blue < red - 40:
        return "alarm"
    return "other"
