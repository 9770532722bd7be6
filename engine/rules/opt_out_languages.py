"""Words that opt out in other languages than English, each alone as a whole message.

Sources: Twilio's default keywords of French (ARRET) and what its Advanced Opt-Out proposes for each language
(twilio.com/docs/messaging/tutorials/advanced-opt-out); CTIA's Messaging Principles, section 5.1 (ARRET for Canada,
with CWTA); the rules of carriers and authorities that name the word: BAJA (Spain and Mexico), SAIR (Brazil, ANATEL),
AFMELDEN (Netherlands), the Israeli Communications Law section 30A (the word for "remove"), the Chinese rules for
commercial text messages of 2015 (the word for "unsubscribe"). A word that people also use to answer other questions,
such as ALTO or BASTA, is not here: it counts as doubtful (engine/rules/opt_out_words.py).
"""

import unicodedata
from typing import Final

WORDS: Final = {
    "en": ("stop",),
    "fr": ("arret", "arrêter", "désabonner", "désabonnement", "me désabonner", "se désabonner", "désinscription"),
    "es": ("baja", "darse de baja", "dar de baja", "parar", "detener", "cancelar", "cancelar suscripción"),
    "pt": ("sair", "parar", "cancelar", "descadastrar", "remover"),
    "de": ("stopp", "abmelden", "abbestellen", "austragen"),
    "nl": ("afmelden", "uitschrijven", "stoppen"),
    "it": ("disiscrivi", "disiscrivimi", "cancellami", "annulla iscrizione"),
    "pl": ("rezygnuję", "rezygnacja", "wypisz", "wypisz mnie"),
    "cs": ("odhlásit", "odhlásit se"),
    "hu": ("leiratkozás", "leiratkozom"),
    "ro": ("dezabonare", "dezabonează"),
    "sv": ("avsluta", "avregistrera", "avprenumerera"),
    "da": ("afmeld", "frameld"),
    "no": ("avmeld", "meld av"),
    "fi": ("lopeta", "peruuta tilaus"),
    "tr": ("iptal", "ret", "abonelikten çık"),  # noqa: RUF001 (a Turkish letter)
    "ru": ("стоп", "отписаться", "отписка", "отпишите", "отпишите меня"),
    "uk": ("стоп", "відписатися", "відписатись"),
    "el": ("στοπ", "διαγραφή", "απεγγραφή"),
    "he": ("הסר", "הסרה", "תסירו אותי", "הסירו אותי"),
    "ar": ("توقف", "إيقاف", "إلغاء", "إلغاء الاشتراك"),
    "zh": ("退订", "退訂", "取消订阅", "取消訂閱"),
    "ja": ("停止", "配信停止", "登録解除"),
    "ko": ("수신거부", "거부", "중지"),
    "hi": ("रोकें", "बंद करें"),
    "id": ("berhenti", "berhenti berlangganan"),
    "vi": ("hủy", "từ chối", "hủy đăng ký"),
    "th": ("ยกเลิก", "หยุด"),
}

#: Polite words of languages that put no space between words: they stand right before or behind another word.
UNSPACED: Final = (
    "谢谢",
    "謝謝",
    "请",
    "請",
    "ありがとう",
    "ありがとうございます",
    "お願いします",
    "감사합니다",
    "ขอบคุณ",
)

#: What changes nothing beside such a word: please, thank you, all.
POLITE: Final = (
    *("please", "pls", "plz", "thank you", "thanks", "thx", "all"),
    *("svp", "s il vous plaît", "sil vous plaît", "merci", "tout", "tous"),
    *("por favor", "porfavor", "gracias", "todo", "todos"),
    *("obrigado", "obrigada", "tudo"),
    *("bitte", "danke", "alle", "alles"),
    *("alstublieft", "aub", "graag", "bedankt", "dank je", "dank u"),
    *("per favore", "grazie", "tutto", "tutti"),
    *("proszę", "dziękuję", "wszystko"),
    *("пожалуйста", "спасибо", "все", "всё", "будь ласка", "дякую"),
    *("lütfen", "tack", "tak", "takk", "kiitos", "prosím", "děkuji", "köszönöm"),
    *("בבקשה", "תודה", "من فضلك", "شكرا"),
    *UNSPACED,
)


def plain(text: str) -> str:
    """Return the text in lower case, without accents and what can't be seen."""
    letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text.casefold()).casefold())
    seen = "".join(letter for letter in letters if unicodedata.category(letter) not in ("Mn", "Mc", "Me", "Cf"))
    return seen.replace("\u0131", "i")  # the dotless i of Turkish, whose capital is the I of everybody else


#: The words without their spaces and accents, and the polite ones with single spaces, the longest first.
STOP_ABROAD: Final = frozenset(plain(word).replace(" ", "") for words in WORDS.values() for word in words)
UNSPACED_ABROAD: Final = tuple(sorted({plain(word) for word in UNSPACED}, key=len, reverse=True))
POLITE_ABROAD: Final = tuple(sorted({plain(word) for word in POLITE}, key=len, reverse=True))
