"""Time zones as people write them: IANA names in any case, the names of Windows and of Rails, and offsets from UTC."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Final
from zoneinfo import available_timezones

from schema.definition.problem import did_you_mean

#: ActiveSupport::TimeZone::MAPPING of Ruby on Rails (MIT licence), for names that no city of the IANA list has.
RAILS: Final = {
    "International Date Line West": "Etc/GMT+12",
    "Midway Island": "Pacific/Midway",
    "American Samoa": "Pacific/Pago_Pago",
    "Hawaii": "Pacific/Honolulu",
    "Alaska": "America/Juneau",
    "Pacific Time (US & Canada)": "America/Los_Angeles",
    "Mountain Time (US & Canada)": "America/Denver",
    "Arizona": "America/Phoenix",
    "Central Time (US & Canada)": "America/Chicago",
    "Saskatchewan": "America/Regina",
    "Guadalajara": "America/Mexico_City",
    "Central America": "America/Guatemala",
    "Eastern Time (US & Canada)": "America/New_York",
    "Indiana (East)": "America/Indiana/Indianapolis",
    "Quito": "America/Lima",
    "Atlantic Time (Canada)": "America/Halifax",
    "Newfoundland": "America/St_Johns",
    "Brasilia": "America/Sao_Paulo",
    "Georgetown": "America/Guyana",
    "Greenland": "America/Nuuk",
    "Mid-Atlantic": "Atlantic/South_Georgia",
    "Cape Verde Is.": "Atlantic/Cape_Verde",
    "Edinburgh": "Europe/London",
    "Bern": "Europe/Zurich",
    "West Central Africa": "Africa/Algiers",
    "Kyiv": "Europe/Kyiv",
    "Pretoria": "Africa/Johannesburg",
    "St. Petersburg": "Europe/Moscow",
    "Abu Dhabi": "Asia/Muscat",
    "Ekaterinburg": "Asia/Yekaterinburg",
    "Islamabad": "Asia/Karachi",
    "Chennai": "Asia/Kolkata",
    "Mumbai": "Asia/Kolkata",
    "New Delhi": "Asia/Kolkata",
    "Sri Jayawardenepura": "Asia/Colombo",
    "Astana": "Asia/Almaty",
    "Hanoi": "Asia/Bangkok",
    "Beijing": "Asia/Shanghai",
    "Osaka": "Asia/Tokyo",
    "Sapporo": "Asia/Tokyo",
    "Solomon Is.": "Pacific/Guadalcanal",
    "New Caledonia": "Pacific/Noumea",
    "Marshall Is.": "Pacific/Majuro",
    "Wellington": "Pacific/Auckland",
    "Nuku'alofa": "Pacific/Tongatapu",
    "Tokelau Is.": "Pacific/Fakaofo",
    "Chatham Is.": "Pacific/Chatham",
    "Samoa": "Pacific/Apia",
}

#: North American names that mean a zone with summer time; EST, MST and HST are IANA names of fixed offsets.
AMERICAN: Final = {
    "PT": "America/Los_Angeles",
    "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles",
    "MT": "America/Denver",
    "MDT": "America/Denver",
    "CT": "America/Chicago",
    "CDT": "America/Chicago",
    "ET": "America/New_York",
    "EDT": "America/New_York",
    "Pacific Time": "America/Los_Angeles",
    "Mountain Time": "America/Denver",
    "Central Time": "America/Chicago",
    "Eastern Time": "America/New_York",
}

#: Offsets that are no whole hours, in minutes, and the zone that keeps them all year round.
PARTS_OF_HOURS: Final = {
    210: "Asia/Tehran",
    270: "Asia/Kabul",
    330: "Asia/Kolkata",
    345: "Asia/Kathmandu",
    390: "Asia/Yangon",
    525: "Australia/Eucla",
    570: "Australia/Darwin",
    -570: "Pacific/Marquesas",
}

#: How Windows and Rails show a zone: its offset comes first.
_SHOWN_OFFSET: Final = re.compile(r"\((?:GMT|UTC)[^)]*\)\s*", re.IGNORECASE)
_OFFSET: Final = re.compile(r"(?:GMT|UTC)?\s*([+\u2212\-])\s*([0-9]{1,2})(?::?([0-9]{2}))?", re.IGNORECASE)

HINT: Final = "give an IANA name, such as Europe/Berlin"


def time_zone(value: str) -> str:
    """Return the IANA name of a time zone as people write it.

    Raises:
        ValueError: it can't be read; the message says how to write it.
    """
    name = " ".join(_SHOWN_OFFSET.sub("", value).replace("_", " ").split())
    if not name:
        name = value.strip(" ()")
    found = _names().get(name.casefold()) or _by_offset(name)
    if found is None:
        raise ValueError(f"is not a time zone{did_you_mean(value, available_timezones())}: {HINT}")
    return found


def _by_offset(text: str) -> str | None:
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    minutes = int(match[2]) * 60 + int(match[3] or 0)
    if match[1] != "+":
        minutes = -minutes
    hours, rest = divmod(minutes, 60)
    if rest:
        return PARTS_OF_HOURS.get(minutes)
    # The signs of these names are those of POSIX: Etc/GMT+8 is eight hours behind UTC.
    return None if not -12 <= hours <= 14 else f"Etc/GMT{-hours:+d}" if hours else "UTC"


@cache
def _names() -> Mapping[str, str]:
    """Return the IANA names by what people call them, case-folded and with spaces for underscores.

    An IANA name wins over the name of a city or of Windows. `localtime` is what this machine happens to have.
    """
    from babel.core import get_global

    iana = available_timezones() - {"localtime"}
    cities = {name.rpartition("/")[2]: name for name in sorted(iana) if "/" in name and not name.startswith("Etc/")}
    windows: Mapping[str, str] = get_global("windows_zone_mapping")
    own = {name: name for name in iana}
    return {
        name.replace("_", " ").casefold(): zone
        for names in (cities, windows, RAILS, AMERICAN, own)
        for name, zone in names.items()
        if zone in iana
    }
