"""How many segments an SMS takes, and which characters make it longer (3GPP TS 23.038, section 6.2.1)."""

from typing import Final

#: The GSM 7-bit default alphabet, and its extension table: those take two septets.
BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED: Final = frozenset("\f^{}\\[~]|€")

#: Characters that word processors put in for those of the alphabet, and what they stand for.
LOOK_ALIKES: Final = {
    "\u2018": "'",
    "\u2019": "'",
    "\u201a": ",",
    "\u201b": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u201e": '"',
    "\u2010": "-",
    "\u2011": "-",
    "\u2012": "-",
    "\u2013": "-",
    "\u2014": "-",
    "\u2015": "-",
    "\u2026": "...",
    "\u2032": "'",
    "\u2033": '"',
    "\u00a0": " ",
    "\u2002": " ",
    "\u2003": " ",
    "\u2009": " ",
    "\u202f": " ",
    "\u200b": "",
    "\u2060": "",
    "\ufeff": "",
    "\u00ad": "",
    "\u2022": "-",
    "\u00b4": "'",
    "`": "'",
}

#: Septets or UTF-16 code units of one SMS, and of each part of several: a header takes the rest.
ONE: Final = {True: 160, False: 70}
PART: Final = {True: 153, False: 67}


def is_gsm(text: str) -> bool:
    """Return whether every character is in the GSM 7-bit alphabet."""
    return all(character in BASIC or character in EXTENDED for character in text)


def segments(text: str) -> int:
    """Return how many segments a text takes; an empty one takes one."""
    gsm = is_gsm(text)
    units = (
        sum(1 + (character in EXTENDED) for character in text) if gsm else len(text.encode("utf-16-le", "replace")) // 2
    )
    return 1 if units <= ONE[gsm] else -(-units // PART[gsm])


def spoilers(text: str) -> list[tuple[int, str]]:
    """Return the look-alikes, with their places, that alone keep a text from the alphabet; none if others do too."""
    found = [(place, character) for place, character in enumerate(text) if not is_gsm(character)]
    return found if all(character in LOOK_ALIKES for _, character in found) else []


def without_spoilers(text: str) -> str:
    """Return the text with characters of the alphabet for the look-alikes."""
    return "".join(character if is_gsm(character) else LOOK_ALIKES.get(character, character) for character in text)
