"""The hours in which the law forbids calls and texts for marketing, by country and by state of the US.

They apply in workspaces that ask for them (`cadenza workspace set KEY --quiet-hours strict`). This is data for
engineers, not legal advice: laws change. Most of them have exceptions, such as consent or an existing customer; the
exceptions are not here. Where sources disagree, the stricter hours are here. Public holidays are not here: give them to
the workspace, or name them in a window.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from schema.definition.quiet_hours import QuietHours

#: The sources: tables of other companies, read in December 2026 and compared with each other. Of the statutes, only RCW
#: 19.158.040, Miss. Code 77-3-723 and SDCL 37-30-28 were read; the others are cited as the tables cite them.
TABLES: Final = (
    "https://www.dropcowboy.com/state-compliance",
    "https://usestello.com/compliance",
    "https://glama.ai/mcp/connectors/com.modernmustardseed/call-desk/tools/can_i_call_now",
    "https://support.referrizer.com/en/category/text-campaigns/article/tcpa-quiet-hours-and-state-specific-rules-for-text-campaigns",
)

#: A day on which nothing may go out.
_SHUT: Final = {"from": "00:00", "to": "24:00"}


@dataclass(frozen=True, slots=True)
class QuietLaw:
    """The quiet hours that a law asks for."""

    name: str
    """Of the country or state, in the words of a sentence."""
    hours: QuietHours
    statute: str


def _law(name: str, begin: str, end: str, statute: str, **days: Any) -> QuietLaw:
    return QuietLaw(name, QuietHours.model_validate({"from": begin, "to": end, **days}), statute)


#: By ISO 3166-1 code of a country, or ISO 3166-2 code of a state. The law of a state holds beside that of its country.
LAWS: Final[Mapping[str, QuietLaw]] = {
    "US": _law("the United States", "21:00", "08:00", "47 CFR 64.1200(c)(1)"),
    "US-AL": _law("Alabama", "20:00", "08:00", "Ala. Code 8-19A-1 et seq.; Ala. Admin. Code r. 770-X-5-.17", sun=_SHUT),
    "US-CA": _law("California", "21:00", "09:00", "Cal. Pub. Util. Code 2872(c)"),
    "US-CT": _law("Connecticut", "20:00", "09:00", "Conn. Gen. Stat. 42-288a"),
    "US-FL": _law("Florida", "20:00", "08:00", "Fla. Stat. 501.616(6)(a)"),
    "US-IL": _law("Illinois", "21:00", "09:00", "815 ILCS 305/15"),
    "US-KY": _law("Kentucky", "21:00", "10:00", "KRS 367.46955(3)"),
    "US-LA": _law("Louisiana", "20:00", "08:00", "La. R.S. 45:844.14", sun=_SHUT),
    "US-MA": _law("Massachusetts", "20:00", "08:00", "Mass. Gen. Laws ch. 159C, 3; 201 CMR 12.00"),
    "US-MD": _law("Maryland", "20:00", "08:00", "Md. Code, Com. Law 14-4501 et seq. (Stop the Spam Calls Act)"),
    "US-MI": _law("Michigan", "21:00", "09:00", "MCL 750.540e"),
    "US-MN": _law("Minnesota", "21:00", "09:00", "Minn. Stat. 325E.30"),
    "US-MS": _law("Mississippi", "20:00", "08:00", "Miss. Code 77-3-723", sun=_SHUT),
    "US-NJ": _law("New Jersey", "20:00", "08:00", "N.J. Stat. 56:8-119 et seq."),
    "US-NM": _law("New Mexico", "21:00", "09:00", "N.M. Stat. 57-12-22(C)"),
    "US-NV": _law("Nevada", "20:00", "09:00", "NRS 598.0918"),
    "US-OK": _law("Oklahoma", "20:00", "08:00", "Okla. Stat. tit. 15, 775C.4"),
    "US-PA": _law("Pennsylvania", "21:00", "08:00", "73 P.S. 2241 et seq., as of 18 October 2026", sun=_SHUT),
    "US-RI": _law(
        "Rhode Island",
        "18:00",
        "09:00",
        "R.I. Gen. Laws 5-61-2(9) and 5-61-3.6",
        sat={"from": "17:00", "to": "10:00"},
        sun=_SHUT,
    ),
    "US-SD": _law("South Dakota", "21:00", "09:00", "SDCL 37-30-28", sat=_SHUT, sun=_SHUT),
    "US-TX": _law(
        "Texas", "21:00", "09:00", "Tex. Bus. & Com. Code 301.051; SB 140 (2025)", sun={"from": "21:00", "to": "12:00"}
    ),
    "US-WA": _law("Washington", "20:00", "08:00", "RCW 19.158.040(2); RCW 80.36.390"),
    "US-WY": _law("Wyoming", "20:00", "08:00", "Wyo. Stat. 40-12-301 et seq."),
    # Calls and fax by their words; texts are kept within them too.
    "CA": _law(
        "Canada",
        "21:30",
        "09:00",
        "CRTC Unsolicited Telecommunications Rules, Part III, section 23",
        sat={"from": "18:00", "to": "10:00"},
        sun={"from": "18:00", "to": "10:00"},
    ),
    "IN": _law(
        "India", "21:00", "10:00", "TRAI, Telecom Commercial Communications Customer Preference Regulations, 2018"
    ),
}
