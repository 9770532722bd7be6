"""A plot of the costs as SVG, by hand: lines in a field, each named at its end."""

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10
from typing import Final

WIDTH, HEIGHT = 860, 460
LEFT, RIGHT, TOP, BOTTOM = 70, 190, 46, 50
COLOURS: Final = (
    "#1b6ca8", "#d1495b", "#2e933c", "#8d5a97", "#e09f3e", "#3d405b", "#00798c", "#a44a3f", "#6b8f71", "#5f0f40",
    "#9a6324", "#555555",
)  # fmt: skip
LINE_HEIGHT: Final = 13


def draw(title: str, unit: str, sizes: Sequence[int], lines: Mapping[str, Sequence[float]]) -> str:
    """Draw each line over the sizes, both axes by powers of ten."""
    values = [max(value, 1e-3) for line in lines.values() for value in line]
    low, high = floor(log10(min(values))), max(ceil(log10(max(values))), floor(log10(min(values))) + 1)
    first, last = log10(sizes[0]), log10(sizes[-1])

    def x(size: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * ((log10(size) - first) / ((last - first) or 1))

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (log10(max(value, 1e-3)) - low) / (high - low)

    parts = [_text(LEFT, 22, title, size=15), _text(LEFT, TOP - 8, unit, size=11, colour="#555")]
    for power in range(low, high + 1):
        parts.append(_rule(LEFT, y(10**power), WIDTH - RIGHT, y(10**power)))
        parts.append(_text(LEFT - 8, y(10**power) + 4, f"{10.0**power:g}", size=11, anchor="end"))
    for size in sizes:
        parts.append(_rule(x(size), TOP, x(size), HEIGHT - BOTTOM))
        parts.append(_text(x(size), HEIGHT - BOTTOM + 18, f"{size:,}", size=11, anchor="middle"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, "outbox rows", size=12, anchor="middle"))
    names = _apart({name: y(line[-1]) for name, line in lines.items()})
    for (name, line), colour in zip(lines.items(), COLOURS * len(lines), strict=False):
        points = " ".join(f"{x(size):.1f},{y(value):.1f}" for size, value in zip(sizes, line, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.extend(
            f'<circle cx="{x(size):.1f}" cy="{y(value):.1f}" r="3" fill="{colour}"/>'
            for size, value in zip(sizes, line, strict=True)
        )
        parts.append(_text(WIDTH - RIGHT + 10, names[name] + 4, name, size=12, colour=colour))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n{body}\n</svg>\n'
    )


def _apart(ends: Mapping[str, float]) -> dict[str, float]:
    """Move the names at the ends of lines so far apart that each can be read."""
    placed: dict[str, float] = {}
    for name in sorted(ends, key=lambda name: ends[name]):
        placed[name] = max([ends[name], *(where + LINE_HEIGHT for where in placed.values())])
    over = max(placed.values()) - (HEIGHT - BOTTOM)
    return {name: where - max(over, 0) for name, where in placed.items()}


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'


def _text(x: float, y: float, text: str, *, size: int, anchor: str = "start", colour: str = "#222") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
    )
