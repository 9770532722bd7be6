"""Link shorteners that anybody may use, which carriers and mail servers block.

Sources: a list of blocked domains that an SMS provider publishes for its customers
(upccell.zendesk.com/hc/en-us/articles/35150610082323, read in December 2026), without app.link, lc.chat and
serveirc.com, which also host other things, and minm.xyz, which we could not identify. Added, since they are public
shorteners too: adf.ly, bl.ink, buff.ly, goo.gl, s.id, shorte.st, shorturl.at, t.co, v.gd. The rule:
help.activecampaign.com/hc/en-us/articles/360021662720 (public shorteners are prohibited in SMS).
"""

from typing import Final

SHORTENERS: Final = (
    *("9qr.de", "adf.ly", "alturl.com", "bc.vc", "bit.do", "bit.ly", "bitly.com", "bitly.ws", "bl.ink", "budurl.com"),
    *("buff.ly", "clicky.me", "cutt.ly", "goo.gl", "is.gd", "linki.la", "lnkd.in", "ow.ly", "rb.gy", "rebrand.ly"),
    *("s.id", "s2r.co", "shorte.st", "shorturl.at", "shrtco.de", "soo.gd", "t.co", "t.ly", "tiny.cc", "tinyurl.com"),
    *("v.gd",),
)
