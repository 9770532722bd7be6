"""Link shorteners that anybody may use, which carriers and mail servers block.

Sources, read in December 2026: the lists of blocked domains that SMS providers publish for their customers
(upccell.zendesk.com/hc/en-us/articles/35150610082323, support.text-em-all.com/article/572-sending-urls-in-text-messages),
and the rule itself (help.activecampaign.com/hc/en-us/articles/360021662720: public shorteners are prohibited in SMS).
Left out of those lists: app.link and lc.chat (links of apps and of chats), and hosts that are no shorteners.
"""

from typing import Final

SHORTENERS: Final = (
    *("9qr.de", "adf.ly", "alturl.com", "bc.vc", "bit.do", "bit.ly", "bitly.com", "bitly.ws", "bl.ink", "budurl.com"),
    *("buff.ly", "clicky.me", "cutt.ly", "goo.gl", "is.gd", "linki.la", "lnkd.in", "ow.ly", "rb.gy", "rebrand.ly"),
    *("s.id", "s2r.co", "shorte.st", "shorturl.at", "shrtco.de", "soo.gd", "t.co", "t.ly", "tiny.cc", "tinyurl.com"),
    *("v.gd",),
)
