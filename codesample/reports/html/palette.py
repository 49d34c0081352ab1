"""Colours of a page, in light and in dark, by what they are for; the page names them as CSS variables.

Text reaches a contrast of 4.5 to what it stands on, and what carries meaning without text one of 3, after
WCAG 2.2; no meaning is carried by colour alone.
"""

from __future__ import annotations

__all__ = ["DARK", "LIGHT", "SERIES", "contrast"]

SERIES = tuple(f"series-{number}" for number in range(1, 9))
"""Names of colours that tell curves apart; dashes and shapes tell them apart as well."""

LIGHT = {
    "page": "#ffffff",
    "panel": "#f5f7fa",
    "raised": "#e9eef4",
    "line": "#ccd4dd",
    "edge": "#7b8794",
    "ink": "#18202a",
    "muted": "#515d6b",
    "accent": "#0a56b5",
    "accent-ink": "#ffffff",
    "mark": "#fff3c4",
    "good": "#0b6b35",
    "good-page": "#dff5e6",
    "bad": "#a81b2b",
    "bad-page": "#fde8e8",
    "warn": "#7a4a00",
    "warn-page": "#fdf0d5",
    "cell-pass": "#0e7234",
    "cell-fail": "#f3b4ad",
    "cell-error": "#f0cf9b",
    "cell-limit": "#c9bfe6",
    "cell-none": "#dfe4ea",
    "cell-mark": "#5a2a2a",
    "code-keyword": "#8a1a7a",
    "code-string": "#0b5a2b",
    "code-number": "#8a3c00",
    "code-comment": "#566270",
    "code-name": "#0a4fa3",
    "code-builtin": "#1f5f6b",
    "token-1": "#ffffff",
    "token-2": "#e4efff",
    "token-3": "#ffe9a8",
    "token-4": "#ffc58f",
    "token-5": "#ff9f94",
    "series-1": "#0a56b5",
    "series-2": "#b3461a",
    "series-3": "#0b7a4b",
    "series-4": "#8a2be2",
    "series-5": "#8a6a00",
    "series-6": "#c2187a",
    "series-7": "#1a7f8a",
    "series-8": "#7d1128",
}

DARK = {
    "page": "#10151c",
    "panel": "#18202a",
    "raised": "#232d3a",
    "line": "#36424f",
    "edge": "#7d8b9a",
    "ink": "#e8edf3",
    "muted": "#a9b6c3",
    "accent": "#7db8ff",
    "accent-ink": "#0b1420",
    "mark": "#5a4a10",
    "good": "#6fdc9a",
    "good-page": "#12331f",
    "bad": "#ff9d97",
    "bad-page": "#3f1a1d",
    "warn": "#f2c377",
    "warn-page": "#3a2a0c",
    "cell-pass": "#55d98a",
    "cell-fail": "#7a3336",
    "cell-error": "#6d4c1d",
    "cell-limit": "#4b4374",
    "cell-none": "#2f3946",
    "cell-mark": "#ffd9d6",
    "code-keyword": "#f09be6",
    "code-string": "#8fdcae",
    "code-number": "#f6b27a",
    "code-comment": "#9aa7b5",
    "code-name": "#8fc1ff",
    "code-builtin": "#86d5e0",
    "token-1": "#18202a",
    "token-2": "#1d3350",
    "token-3": "#4d3f0c",
    "token-4": "#6b3a12",
    "token-5": "#7d2a2a",
    "series-1": "#7db8ff",
    "series-2": "#ff9a6b",
    "series-3": "#5fd39a",
    "series-4": "#c9a0ff",
    "series-5": "#e3c04a",
    "series-6": "#ff8ec6",
    "series-7": "#62cfdb",
    "series-8": "#f27f8b",
}


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, "#rrggbb" each, between 1 and 21, as WCAG 2 defines it."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
