"""What people write to opt out, in English, as patterns of a clause: lower-case words with single spaces between.

Sources: Twilio's default keywords (twilio.com/docs/messaging/tutorials/advanced-opt-out) and the words that the FCC
counts without more (47 CFR 64.1200(a)(10): stop, quit, end, revoke, opt out, cancel, unsubscribe; any reasonable
wording counts). The longer wordings are ours: each must leave no doubt, since it silences a sender for good; what may
mean it, or not, is left to a person.
"""

import re
from typing import Final

#: As the whole message, spaces aside. Twilio blocks the sender by itself after the first eight.
STOP_WORDS: Final = frozenset(
    {"stop", "stopall", "unsubscribe", "end", "quit", "revoke", "optout", "cancel"}
    | {"stopp", "unsub", "unsubcribe", "unsubscibe", "unsuscribe", "stop2end"}
)
START_WORDS: Final = frozenset({"start", "unstop"})
#: Twilio's START too, and what people answer to all kinds of questions.
YES_WORDS: Final = frozenset({"yes"})
HELP_WORDS: Final = frozenset({"help", "info"})

#: What stands for what in the patterns below.
PARTS: Final = {
    "<who>": "(me|us|this (number|phone|cell)|my (name|cell|(phone )?number|phone|contact|info|information|details))",
    "<notes>": (
        "((texts?|txts?|messages?|msgs?|sms|mms|spam|notifications?|alerts?|updates|promos?|promotions?|marketing|ads?)"
        "( messages?| texts?)?)"
    ),
    "<stuff>": "((this |that |all this )?(stuff|things|anything|everything|crap|shit|junk)( else)?|this|these|those)",
    "<unsub>": "(unsubscribe|unsub|unsubcribe|unsubscibe|unsuscribe)",
    "<which>": "((the|these|those|this|all|any|your|ur|of|more|further|future|stupid|annoying|unwanted) )*",
    "<from>": "( (to|for) <who>)?( from (you|u|your company|this number))?",
    "<ever>": "( (again|anymore|any more|ever again|ever|forever|for good|altogether|at this number))*",
    "<list>": (
        "(this|these|it|((your|ur|the|this|that|these|all|any|of|my|every) )*([a-z]+ ){0,2}?"
        "(lists?|database|system|contacts?|records?|campaigns?|program|service|newsletter|<notes>))"
    ),
    "<doing>": "(texting|txting|messaging|msging|contacting|spamming|bothering|harassing|pestering|sending|writing)",
    "<also>": "(calling|phoning|emailing|mailing)",
    "<call>": "(call|phone|email|mail)",
    "<do>": "(text|txt|message|msg|contact|spam|bother|sms|send|write)",
    "<asked>": (
        "((can|could|would|will) (you|u|yall) |(i|we) (want|need|would like) (you|u) to |id like (you|u) to |i said "
        "|(i|we|ive|weve)( have)? (told|asked) (you|u) to |(you|u) (must|need to|have to) )?"
    ),
    "<wanted>": "(((i|we) (want|wish|would like|need)( to)?|i wanna|id like to|how (do|can) i) )?",
    "<not>": "(dont|do not|never)",
}


def _patterns(*patterns: str) -> str:
    """One regular expression: any of the patterns, with nothing captured."""
    joined = "|".join(patterns)
    for part in ("<from>", "<list>", *PARTS):
        joined = joined.replace(part, PARTS[part])
    return joined.replace("(", "(?:")


#: Requests that leave no doubt, with what they are about.
CLEAR: Final = _patterns(
    "<asked><wanted>(stop|quit|cease|discontinue|end|cancel)( with)? <which><notes><from><ever>",
    "<asked><wanted>(stop|quit|cease) (getting|receiving) <which><notes><from><ever>",
    "<asked><wanted>(stop|quit|cease) (<also> (and|or) )?<doing>( (and|or) <also>)?( to)?( <who>)?( <which><notes>)?"
    "<from><ever>",
    "<asked>(stop|quit|cease) (texting|messaging|sending)( to)?( <who>)? <stuff><ever>",
    "(you can )?<not> (ever )?(<call> or )?<do>( or <call>)?( to)? <who>( <which><notes>| <stuff>)?<ever>",
    "<not> (text|txt|message|msg|contact)( this (number|phone))?<ever>|cease and desist",
    "no (more|further) <which><notes><from>|no more (texting|messaging)",
    "<asked><wanted>(remove|delete|erase|<unsub>) <who>( (from|off|on|in)( <list>)?)?<ever>",
    "<asked>(take|get) <who> off( of)?( <list>)?<ever>|<wanted>(get|be) off( of)? <list>|(i|we) want off( of)? <list>",
    "((i|we) (want|wish|would like|need) to be|id like to be) (removed|unsubscribed|taken off)(( (from|of))? <list>)?",
    "<wanted>(<unsub>|opt out|optout)( (from|of) <list>)?|(i am|im|we are) opting out",
    "<asked>opt <who> out( of <list>)?",
    "(i|we) (<not>|no longer) (want|wish)( to)?( get| receive| be getting)? <which><notes><from><ever>",
    "(i|we) (<not>|no longer) (want|wish) to (be (contacted|texted|messaged)|hear from you)<ever>",
    "((i|we) )?(hereby )?(revoke|withdraw) ((my|our|all) )*(consent|permission)( to <do> <who>)?",
    "leave (me|us) alone|(lose|forget) (my|this) (phone )?number",
)

#: The keywords that mean nothing else, with who asks; `please cancel` may be about an appointment.
BARE: Final = _patterns("<asked>(stop|stopall|<unsub>|opt out|optout)( all)?( stop)*")

#: A clear request at the start goes on as one of these does: `stop texting me I moved`, but not `... at work`.
GOES_ON: Final = _patterns("(i|im|ive|ill|you|youre|u|ur|we|this is|my|or|wrong|not|who) ")

#: Words that change nothing, wherever they stand.
FILLERS: Final = _patterns(
    "(please|pls|plz|plse|pleas|kindly|thank you|thank u|thanks|thx|ty|hi|hello|hey|ok|okay|sir|madam|maam|guys|folks)",
    "(right now|now|immediately|asap|at once|just|already|omg|ugh|ffs|seriously|damn|goddamn|bloody|freaking|effing)",
    "(f(uck)?ing|fuckin|f ing|(fuck|screw) (you|u|off)|f (you|u|off))",
)

#: Clauses that say nothing against it.
NEUTRAL: Final = _patterns(
    "no|yes|who (is|are) (this|you)|whos this|((you have|this is) the )?wrong (number|person)",
    "(i am |im )?not interested( anymore)?|(i|we) (have )?moved",
)

#: Clauses that take it back.
TAKEN_BACK: Final = _patterns(r"(.* )?(kidding|joking|jk|jokes)( .*)?|dont|do not|not really")

#: Where the words of opting out mean something else.
EXCUSED: Final = _patterns(
    "(dont|do not|never|wont|will not|cant|cannot|couldnt|could not|didnt|did not|doesnt|not|not going to)"
    " (ever |you |me )?(stop|quit|end|cancel|unsubscribe|remove|delete|opt out)( (<doing>|<notes>|me|the|these|my))*",
    "(non|bus|full|pit|truck|rest|next|last|one|first|quick|short|door|tram|train|subway|metro|f|whistle|back) stop",
    "stop (by|in|at|over|off|street|st|road|rd|signs?|lights?|watch|motion|loss|and shop|for)",
    "(a|the|every|each|our|my|his|her|will|ill|we|well|had|gonna|going to|nothing) stop",
)

#: What may mean it, wherever it stands: a person has to look.
HINTS: Final = _patterns(
    r"\b(unsub(scribe|scribed|scribing)?|opt(ed|ing)? ?out|optout|stopall)\b",
    r"\b(stop|quit|cease|end|cancel|no more|enough|sick of|tired of)\b( \w+){0,2} (<doing>|<notes>)\b",
    r"\b(please|pls|plz|just) (stop|quit|cease)\b|\b(please|pls|plz|just) (end|cancel)$|\b(said|say|you to) stop\b",
    r"\b(stop|quit) (please|pls|plz|now|it|this|that|these|all|calling|emailing)\b|^(stop|quit)\b|\bstop$",
    r"^(end|cancel) (please|pls|plz|now|it|this|that|these|all)$",
    r"\b(remove|delete|take|get) (\w+ ){1,3}(off|from)\b.*\blists?\b|\b(remove|delete) <who>\b",
    r"\b<not> (ever )?(<do>|call|email) (me|us|this)\b|\b<not> want (this|these)\b|\bleave (me|us) alone\b",
    r"\b(revoke|withdraw)\b|\bwrong (number|person)\b|\b(go away|get lost|fuck off|piss off|(block|report) you)\b",
    "^((i am|im) )?not interested( anymore)?$|^i quit$|^enough( already)?$|^(i|we) want out$",
    "^(please |pls |plz )?(remove|delete|no more|discontinue)( (please|pls|plz))?$|^(cease|desist)$",
    r"^(please |pls |plz )?no (texts?|texting|sms|messages?)( please| pls| thanks| thank you)?$",
    r"\bcancel ((my|the|this|your) )?subscription\b",
    r"\b(never|did not|didnt) sign(ed)? up\b|\b(do not|dont|never|did not|didnt) (give |gave )?consent\b|\bharass",
    r"^(this is |its )?spam$|\breport(ing|ed)? (this |it |you )?(as |for )?spam\b|\b(fuck|screw) (you|u)\b",
    r"\b(off|from) (this|your|ur|the) (\w+ )?lists?\b|^<not> send( <notes>)?$",
    # Slips of the thumb, and other languages that are written to numbers in North America.
    "^(sotp|stpo|stp|stip|stopo|atop|dtop|stahp)$|^(alto|basta|parar|pare|detener|cancelar|no mas|arret|arreter)$",
)

#: How phones tell of a reaction to a message of ours, which they quote: it may hold our own "Reply STOP".
REACTION: Final = re.compile(
    r"\s*(?:liked|loved|disliked|laughed at|emphasi[sz]ed|questioned|reacted .{1,16} to|removed an? .{1,24} from"
    r"|.{1,8} to)\s*[\u201c\u201d\"\u00ab].*[\u201c\u201d\"\u00bb]\s*",
    re.IGNORECASE | re.DOTALL,
)
