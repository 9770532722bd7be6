"""What inbound messages say about consent: a long table, and what must not change it."""
# ruff: noqa: RUF001 (people write with all kinds of letters)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rules.opt_out import OptOut, check_opt_out_word, classify
from engine.rules.opt_out_words import HELP_WORDS, START_WORDS, STOP_WORDS

STOP = """
STOP
stop
Stop.
STOP!
"STOP"
 stop\t
*stop*
stop...
STOP 🛑
🛑 STOP 🛑
stop 😡😡
Stop?
S.T.O.P
S T O P
s-t-o-p
STOOOOP
stoppp!!!
ST0P
ＳＴＯＰ
𝐒𝐓𝐎𝐏
Ⓢⓣⓞⓟ
ЅТОР
stóp
st\u200bop
\u202aSTOP\u202c
stop stop
STOP STOP STOP
STOP. STOP. STOP!
STOPALL
Stop all
stop-all
STOP ALL!
UNSUBSCRIBE
Unsubscribe.
un-subscribe
unsubscrıbe
unsub
Unsubcribe
END
End.
QUIT
quit!!
REVOKE
revoke
OPTOUT
OPT OUT
opt-out
Opt Out!
CANCEL
cancel
STOP2END
stop please
Stop, please
please stop
PLEASE STOP!!!
Pls stop
plz stop thx
Stop now
stop immediately
ok stop
Hi, please stop. Thanks
Just stop already
Can you stop please
could you please stop?
I said stop
I told you to stop
I already said stop
You need to stop
Stop. Wrong number.
Wrong number, stop
Who is this? Stop
No, stop
Stop, not interested
stop texting me
Please stop texting me
PLEASE STOP TEXTING ME!!!!
stop texting
Stop texting me please.
stop messaging me
stop contacting me
stop contacting this number
stop spamming me
stop spam
stop bothering me
Stop harassing me
stop sending me messages
stop sending me these messages
stop sending messages
stop sending these annoying texts
Stop sending texts to my phone number
stop the messages
Stop these texts
stop all messages
stop text
STOP SMS
stop txt
stop with the texts
Stop messages to me
stop text messages
stop texting me anymore
quit texting me
Quit it with the texts? no. Quit texting me.
cease texting me
end these messages
cancel messages
cancel these texts
can you stop texting me
Can you please stop texting me?
would you stop messaging me
I want you to stop texting me
i need you to stop sending me texts
I'd like you to stop texting me
stop texting me i dont live there anymore
Stop texting me you have the wrong number
stop texting me or I will report you
Stop texting me. I already bought a car.
I sold the house in May so please stop texting me
how do I stop these messages
How do I stop getting these texts?
i want to stop receiving these messages
don't text me again
Don't text me
dont text me anymore
DO NOT TEXT ME
do not contact me
Do not contact this number again
Don’t message me again!
don´t text me
never text me again
do not send me any more messages
Don't send me texts
No more messages
no more texts please
no more texting
no more messages from you
take me off your list
Take me off this list please
Please take me off of your mailing list
take me off
get me off this list
remove me
Remove me please
remove me from your list
Please remove me from this list.
remove me from the list
remove my number
Please remove my number from your list
remove this number from your database
remove me from all your lists
delete my number
delete me from your system
I want to be removed from your list
I would like to be taken off this list
I'd like to be removed
unsubscribe me
Unsubscribe me please
please unsubscribe me from this list
unsubscribe this number
unsubscribe from these messages
unsubscribe please
Please unsubscribe
I want to unsubscribe
I would like to unsubscribe
how do I unsubscribe
how can i unsubscribe?
can you unsubscribe me
opt out please
opt me out
please opt me out
I opt out? No: opt out.
I want to opt out
i wish to opt out
I'm opting out
opt out of these messages
I don't want these messages
I dont want any more texts
i no longer want messages from you
I do not want to receive messages
i don't want to get texts anymore
I don't want to be contacted
I don't want to hear from you
I revoke my consent
revoke consent
I hereby withdraw my consent
I revoke my permission to contact me
leave me alone
Leave me alone!
Please leave us alone
lose my number
Forget this number
stop fucking texting me
Stop f***ing texting me!
Fuck you stop texting me
stop the damn texts
Stop calling and texting me
stop texting and calling me
Don't call or text me
do not text or call me again
Quit sending me stuff
Stop sending me this crap
stop sending this
Don't send me anything else
dont send me anything anymore
Do not contact
DO NOT TEXT
don't text this number
stop promotions
Stop marketing messages
please stop sending promotions
No more ads
I asked you to stop
I've asked you to stop texting me
discontinue messages
Cease and desist
unsuscribe me
unsubcribe please
I want off this list
How do I get off this list?
I want to get off your mailing list
"""

START = """
START
start
Start.
"Start"
START!!
UNSTOP
unstop
un-stop
Unstop 🙂
ｓｔａｒｔ
"""

HELP = """
HELP
help
Help!
Help?
INFO
info
Info.
🆘 help
"""

DOUBTFUL = """
maybe stop?
stop it
Stop it!
Please stop it
stop this
stop that
Should I stop?
why stop?
stop lol
Stop haha
Stop being so pushy with your emails every single day
stop calling me
please stop calling me
stop emailing me
stop texting me at work
Stop texting me while I'm driving
stop texting me so much
Why did you stop texting me?
You can stop texting me when I am married
My husband told you to stop messages
He asked you to stop
Reply STOP to unsubscribe
did I unsubscribe?
I thought I unsubscribed
am I unsubscribed
I already opted out twice
please cancel
cancel please
Please end
quit it
end this
cancel it
cancel that
I quit
enough
enough texts from you people
I am sick of these messages
tired of your texts
wrong number
You have the wrong number
not interested
I'm not interested anymore
go away
fuck off
I will report you
I'll block you
don't call me
dont email me
don't text me today
please don't text me before 9am
Remove me from the 3pm meeting
take my wife off the list too, her name is Ann
I don't want this
txt stop
how to opt out of the second course but stay in the first
Stop texting me, ok? Just kidding, don't
remove
Please remove
delete
No more!
please no more
no texts please
No texting
I want out
enough already
cease
discontinue
cancel my subscription
I did not sign up for this
I never signed up
I do not consent
I don't consent to these texts
You are harassing me
spam
This is spam
I am reporting this as spam
fuck you
please let me off this list
Do not send
sotp
ALTO
no más
"""

NONE = """

Hi
Yes
yes!
No
Ok
thanks
Hello, who is this?
Sounds good
don't stop
Don’t stop!
please don't stop
DONT STOP
Don't stop texting me
don't stop the messages
do not stop sending these
never stop
I live on Stop Street
Stop Street
12 Stop Street, Springfield
non-stop
We talked non stop
nonstop
can't stop laughing
I can't stop laughing 😂
cant stop wont stop
stop by tomorrow?
Can you stop by tomorrow?
I'll stop by the office
Stop in any time
stop over at ours
We will stop at the shop
bus stop
Meet me at the bus stop
next stop is mine
the last stop
pit stop
full stop
It is a one stop shop
There is a stop sign
I had to stop at the hospital
Nothing will stop us
We should make a stop in Paris
end of the month works
End of the week is better
the end
by the end of March
at the end of the day
weekend
The weekend works
I quit smoking
I quit my job last week
cancel my appointment
Can we cancel tomorrow's meeting?
Please cancel my appointment on Friday
I have to cancel
Cancelled
canceled my flight
revoked
I need help with my order
help me
can you help?
Can I get more info?
information
start tomorrow
When do we start?
Let's start at 9
I'd like to start
restart
yes please
Yes, stop by at 5
What time do you open?
Call me at 5
I'm driving with Do Not Disturb While Driving turned on. I'll see your message when I get where I'm going.
(I’m not receiving notifications. If this is urgent, reply “urgent” to send a notification through.)
Take me to your leader
Take me off the hook
remove the second item
I want to be there
I want to be removed from office, ha
Liked “Reply STOP to unsubscribe”
Loved "Hi Ana, reply STOP to opt out"
Emphasized “Stop texting me”
Removed a like from “Reply STOP to unsubscribe”
Reacted 👍 to “Reply STOP to unsubscribe”
👍 to “Reply STOP to end”
Стоп-кран
don't text and drive
Don't text while driving
I signed up yesterday
They gave consent
It was on top of the list
This list is great
The basta pasta place
Do not send the blue one
remove the second one please
no messages from my bank yet? odd
🙂
...
"""

#: What can't stand in the lines above.
LONGER = [
    ("Please stop texting me\nI have moved to Ohio", OptOut.STOP),
    ("stop\n\nSent from my phone", OptOut.DOUBTFUL),
    ("STOP\n", OptOut.STOP),
    ("We went to the bus stop and then home. " * 100, OptOut.NONE),
    ("\0stop\0", OptOut.STOP),
    ("stop" * 2, OptOut.STOP),
    ("a" * 100_000, OptOut.NONE),
    ("remove me from the " * 5_000, OptOut.DOUBTFUL),
]

TABLE = [
    *((line, OptOut.STOP) for line in STOP.splitlines()[1:]),
    *((line, OptOut.START) for line in START.splitlines()[1:]),
    *((line, OptOut.HELP) for line in HELP.splitlines()[1:]),
    *((line, OptOut.DOUBTFUL) for line in DOUBTFUL.splitlines()[1:]),
    *((line, OptOut.NONE) for line in NONE.splitlines()[1:]),
    *LONGER,
]

WORDS = [
    *((word, OptOut.STOP) for word in sorted(STOP_WORDS)),
    *((word, OptOut.START) for word in sorted(START_WORDS)),
    *((word, OptOut.HELP) for word in sorted(HELP_WORDS)),
]

AROUND = st.text(st.sampled_from(" \t\n.,!?;:'\"*_-()[]<>~…“”‘’«»–—🛑😀👍🏽❤️\u200b\u200d\ufe0f\u00a0"), max_size=6)


@pytest.mark.parametrize(("body", "expected"), TABLE, ids=[body[:40] for body, _ in TABLE])
def test_what_it_says(body: str, expected: OptOut) -> None:
    assert classify(body) is expected


@given(word=st.sampled_from(WORDS), before=AROUND, after=AROUND, data=st.data())
def test_case_punctuation_and_space_around_a_keyword_change_nothing(
    word: tuple[str, OptOut], before: str, after: str, data: st.DataObject
) -> None:
    keyword, expected = word
    cased = "".join(data.draw(st.sampled_from([letter, letter.upper()])) for letter in keyword)
    assert classify(before + cased + after) is expected


@given(
    request=st.sampled_from([entry for entry in TABLE if entry[1] is not OptOut.NONE and entry[0].isascii()]),
    data=st.data(),
)
def test_case_changes_nothing(request: tuple[str, OptOut], data: st.DataObject) -> None:
    body, expected = request[0][:200], classify(request[0][:200])
    cased = "".join(data.draw(st.sampled_from([letter.lower(), letter.upper()])) for letter in body)
    assert classify(cased) is expected


@given(st.text())
def test_no_text_breaks_it(body: str) -> None:
    assert classify(body) in OptOut


@pytest.mark.parametrize("said", ["STOP", "stop", " Start ", "HELP"])
def test_what_twilio_says_has_the_last_word(said: str) -> None:
    for body in ("STOP", "ARRET", "HELP", "", "don't stop"):
        assert classify(body, said) == said.strip().lower()


@pytest.mark.parametrize("said", [None, "", "none", "stopping"])
def test_an_unknown_word_of_twilio_says_nothing(said: str | None) -> None:
    assert classify("STOP", said) is OptOut.STOP
    assert classify("Hi", said) is OptOut.NONE


def test_yes_starts_only_who_has_stopped() -> None:
    assert classify("YES!", stopped=True) is OptOut.START
    assert classify("Yes") is OptOut.NONE
    assert classify("yes please", stopped=True) is OptOut.NONE
    assert classify("START") is OptOut.START


def _is_accepted(word: str) -> bool:
    try:
        check_opt_out_word(word)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    "word", ["raus!", "opt-aus", "j'arr\u00eate", "don\u2019t", "#raus", "nie wieder", "\u9000\u8ba2\u5427"]
)
def test_a_word_of_a_workspace_counts_however_it_is_spelled(word: str) -> None:
    check_opt_out_word(word)
    for body in (word, word.upper(), f"  {word}!", f"{word}, please", f"bitte {word}"):
        assert classify(body, words=[word]) is OptOut.STOP


@given(word=st.text(min_size=2, max_size=40).filter(_is_accepted), before=AROUND, after=AROUND)
def test_each_word_that_is_accepted_opts_out(word: str, before: str, after: str) -> None:
    assert classify(before + word + after, words=[word]) is OptOut.STOP


@pytest.mark.parametrize(
    "word", ["", "x", " ", "12", "!!", "a" * 41, "help", "Start!", "UNSTOP", "please", "thank you", "\u0301\u0301"]
)
def test_what_can_be_no_word_of_a_workspace(word: str) -> None:
    with pytest.raises(ValueError, match=r"expected 2 to 40|another meaning|only polite"):
        check_opt_out_word(word)
