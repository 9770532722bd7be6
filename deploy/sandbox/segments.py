"""How many segments a text message takes: 160 GSM-7 or 70 UCS-2 characters in one, 153 or 67 in each of several."""

from typing import Final

#: 3GPP TS 23.038, the default alphabet; the escape character is none of its own.
GSM_7: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)

#: Its extension table: an escape and a character.
GSM_7_EXTENSION: Final = frozenset("\f^{}\\[~]|€")


def count_segments(body: str) -> int:
    """The number of segments of a body; 1 for an empty one."""
    if not GSM_7.issuperset(body):
        if (GSM_7 | GSM_7_EXTENSION).issuperset(body):
            return _pack([2 if character in GSM_7_EXTENSION else 1 for character in body], 160, 153)
        return _pack([2 if ord(character) > 0xFFFF else 1 for character in body], 70, 67)
    return 1 if len(body) <= 160 else -(-len(body) // 153)


def _pack(widths: list[int], alone: int, together: int) -> int:
    """Pack characters of one or two units; one of two is never cut in half."""
    if sum(widths) <= alone:
        return 1
    segments, used = 1, 0
    for width in widths:
        if used + width > together:
            segments, used = segments + 1, 0
        used += width
    return segments
