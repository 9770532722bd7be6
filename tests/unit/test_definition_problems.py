"""Sequence files that are wrong: every problem is told, with its line and step, and what is expected."""

import pytest

from schema.definition import InvalidDefinition, parse

HEAD = "sequence: a\nsteps:\n"
SMS = "  - {key: x, type: sms, body: hi}\n"


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidDefinition) as caught:
        parse(text)
    return str(caught.value).splitlines()


def test_all_problems_are_told_at_once_with_line_and_step() -> None:
    found = problems(
        """sequence: Bad Key
nmae: x
tags: demo
timezone: contcat
window: {days: [mon], until: "17:00"}
reentry: twice
exit_on: [replied, quit]
steps:
  - key: a
    type: sms
    body: 123
    at: 9 am
  - key: a
    type: sms
    delay: 30 seconds
    body: |
      Hi {{ contact.frist_name }}

      {{ custom.x | upcas }}
  - type: email
    delay: 5
    text: hi
    bdy: x
  - key: c
    type: carrier_pigeon
  - key: d
    type: condition
    if: {opened: a}
    then: [{key: z, type: wait, delai: 1 day}]
  - key: e
    type: smss
  - key: f
    type: email
    subject: x
    delay: 0.5 minutes
  - key: g
    type: sms
    media_url: [ftp://x, "https://ok", 5]
    body: "{% if %}"
    body: twice
    stop_on_failure: "yes"
    max_lateness: 10:30
  - just text
"""
    )
    expected = [
        ("line 1", "'sequence' can't be 'Bad Key': expected a key: lower-case letters"),
        ("line 2", "unknown key 'nmae' (did you mean 'name'?): expected sequence, name,"),
        ("line 3", "'tags' can't be 'demo': expected a list"),
        ("line 4", "'timezone': 'contcat' is no time zone (did you mean 'contact'?): expected contact, workspace or"),
        ("line 5", "unknown key 'until': expected days, from, to, holidays"),
        ("line 6", "'reentry' can't be 'twice': expected once, after_exit, always or a time"),
        ("line 7", "'exit_on' can't be 'quit': expected a list of what ends it early: replied,"),
        ("line 11: step a", "'body' must be text, but YAML takes '123' for a number: write it in quotes"),
        ("line 12: step a", "'at': '9 am' is not a time of day: write hours and minutes, such as \"09:00\""),
        ("line 13: step a", "another step has the key 'a', on line 9"),
        (
            "line 15: step a",
            "unknown unit 'seconds' in '30 seconds': the units are minutes, hours, days or weeks, or business days",
        ),
        ("line 17: step a", "unknown variable 'contact.frist_name' (did you mean 'contact.first_name'?)"),
        ("line 19: step a", "unknown filter 'upcas' (did you mean 'upcase'?)"),
        ("line 20: step #3", "'key' is missing: expected a key"),
        ("line 20: step #3", "'subject' is missing: expected the subject line"),
        ("line 21: step #3", "'5' has no unit: write 5 minutes, 5 hours, 5 days"),
        ("line 23: step #3", "unknown key 'bdy'"),
        ("line 25: step c", "unknown type 'carrier_pigeon': expected sms, email, call, "),
        ("line 28: step d", "'opened': step 'a' is of type sms: expected the key of an email before it"),
        ("line 29: step z", "unknown key 'delai' (did you mean 'delay'?)"),
        ("line 29: step z", "'delay' and 'until' are both missing"),
        ("line 31: step e", "unknown type 'smss' (did you mean 'sms'?): expected sms, email, call"),
        ("line 32: step f", "'text' and 'html' are both missing"),
        ("line 35: step f", "delay under one minute between messages: 'delay' is '0.5 minutes'"),
        ("line 36: step g", "delay under one minute between messages: 'delay' is missing"),
        ("line 38: step g", "'media_url': a URL starts with https:// or http://"),
        ("line 38: step g", "'media_url' must be text, but YAML takes '5' for a number"),
        ("line 39: step g", "the template doesn't parse: {% if %} isn't closed: write {% endif %}"),
        ("line 40: step g", "'body' is given twice; the first is on line 39"),
        ("line 41: step g", "'stop_on_failure' can't be 'yes': expected true or false"),
        ("line 42: step g", "'max_lateness': '10:30' is not a duration"),
        ("line 43: step #9", "a step is a mapping with key and type, not 'just text'"),
    ]
    assert len(found) == len(expected), found
    for line, (place, message) in zip(found, expected, strict=True):
        assert line.startswith(place + ":"), (line, place)
        assert message in line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the file is empty"),
        ("# only a comment\n", "the file is empty"),
        ("- a\n", "line 1: expected a mapping with the keys sequence and steps"),
        ("sequence: a\n", "line 1: 'steps' is missing"),
        ("sequence: a\nsteps: []\n", "line 2: 'steps' is empty"),
        ("sequence: a\nsteps: x\n", "line 2: 'steps' is not a list"),
        ("sequence:\nsteps: [{key: x, type: sms, body: hi}]\n", "line 1: 'sequence' is missing"),
        (HEAD + "  - \n", "line 3: step #1: a step is a mapping with key and type, not nothing"),
        (HEAD + "  - {key: x, body: hi}\n", "line 3: step x: 'type' is missing: expected sms, email, call"),
        (HEAD + "  - {key: x, type: [sms], body: hi}\n", "line 3: step x: unknown type a list"),
        (HEAD + "  - {key: x, type: sms}\n", "line 3: step x: 'body' is missing"),
        (HEAD + "  - {key: x, type: sms, body: ''}\n", "line 3: step x: 'body' can't be ''"),
        (HEAD + "  - {key: x, type: sms, body: '  '}\n", "line 3: step x: 'body' is only white space"),
        (HEAD + "  - {key: x, type: sms, body: yes}\n", "YAML takes 'yes' for yes or no: write it in quotes"),
        (HEAD + "  - {key: x, type: sms, body: 2026-01-02}\n", "YAML takes '2026-01-02' for a date"),
        (HEAD + "  - {key: x, type: sms, body: {a: b}}\n", "'body' can't be a mapping: expected the text"),
        (HEAD + "  - {key: 5, type: sms, body: hi}\n", "line 3: step #1: 'key' must be text"),
        (HEAD + "  - {key: X Y, type: sms, body: hi}\n", "'key' can't be 'X Y': expected a key"),
        (HEAD + f"  - {{key: x, type: sms, body: {'b' * 1601}}}\n", "'body' has at least 1,601 characters"),
        (HEAD + "  - {key: x, type: email, text: hi}\n", "step x: 'subject' is missing"),
        (HEAD + "  - {key: x, type: email, subject: hi}\n", "'text' and 'html' are both missing"),
        (HEAD + "  - {key: x, type: email, subject: hi, html: '{{ a }}'}\n", "'html': unknown variable 'a'"),
        (HEAD + "  - {key: x, type: sms, body: hi, delay: 11 years}\n", "unknown unit 'years'"),
        (HEAD + "  - {key: x, type: sms, body: hi, delay: 4000 days}\n", "at most ten years"),
        (HEAD + "  - {key: x, type: sms, body: hi, delay: [1 day]}\n", "'delay': it is not text"),
        (HEAD + "  - {key: x, type: sms, body: hi, max_lateness: 0 minutes}\n", "'max_lateness' can't be '0 minutes'"),
        (HEAD + "  - {key: x, type: sms, body: hi, media_url: []}\n" + "    at: 1\n", "not valid YAML"),
        (HEAD + "  - {key: x, type: sms, body: hi, media_url: example.com/a}\n", "a URL starts with https://"),
        (HEAD + "  - {key: x, type: sms, body: hi, media_url: 'https://{{ custom.a }}'}\n", "a URL starts with https"),
        (HEAD + "  - {key: x, type: sms, body: hi, media_url: 'https://a b/'}\n", "no white space"),
        ("timezone: 5\n" + HEAD + SMS, "line 1: 'timezone' must be text"),
        ("window: [mon]\n" + HEAD + SMS, "line 1: 'window' can't be a list: expected when messages may go out: {days:"),
        ("window: {days: []}\n" + HEAD + SMS, "line 1: 'days' can't be a list: expected a list of days: [mon, tue,"),
        ("window: {days: [monday]}\n" + HEAD + SMS, "line 1: 'days' can't be 'monday': expected a list of days"),
        ("window:\n  from: 9\n" + HEAD + SMS, "line 2: 'from': '9' is not a time of day"),
        ("window: {to: '24:01'}\n" + HEAD + SMS, "line 1: 'to': '24:01' is not a time of day"),
        ("window: {from: '24:00'}\n" + HEAD + SMS, "24:00 is the end of a day: write"),
        ("window: {from: '18:00', to: '9:00'}\n" + HEAD + SMS, "'window': it opens at 18:00 and closes at 09:00"),
        ("window: {holidays: XX}\n" + HEAD + SMS, "'holidays': no holidays are known for 'XX'"),
        ("window: {holidays: [US, DE-XX]}\n" + HEAD + SMS, "subdivisions of DE are BB, BE, BW, BY"),
        ("quiet_hours: yes\n" + HEAD + SMS, "'quiet_hours' can't be 'yes': expected when no SMS goes out"),
        ("quiet_hours: {from: '9:00', to: '9:00'}\n" + HEAD + SMS, "'quiet_hours': they begin and end at the same"),
        ("window: {from: '21:00'}\nquiet_hours: {}\n" + HEAD + SMS, "the window never opens outside of the"),
        (HEAD + "  - {key: x, type: sms, body: hi, at: '24:00'}\n", "24:00 is the end of a day"),
        (HEAD + "  - {key: x, type: sms, body: hi, at: '21:00', quiet_hours: {}}\n", "in the quiet hours 20:00-09:00"),
        (HEAD + "  - {key: x, type: sms, body: hi, at: '8:00', window: {from: '9:00'}}\n", "'at' is 08:00, outside of"),
        (HEAD + "  - {key: x, type: sms, body: hi, if_late: never}\n", "'if_late' can't be 'never': expected send"),
        (HEAD + SMS + "  - {key: y, type: sms, body: hi, at: '9:00'}\n", "between messages: 'delay' is missing"),
        (
            HEAD + "  - {key: x, type: sms, body: hi, delay: 1 day, after_start: 1 day}\n",
            "'delay' and 'after_start' are both given: expected one of delay, after_start, before, after",
        ),
        (HEAD + "  - {key: x, type: sms, body: hi, before: {attribute: a}}\n", "'at' is missing: a step before a date"),
        (HEAD + "  - {key: x, type: sms, body: hi, at: '9:00', before: {by: 1 day}}\n", "'attribute' is missing"),
        (HEAD + "  - {key: x, type: sms, body: hi, at: '9:00', after: renewal}\n", "'after' can't be 'renewal':"),
        (
            HEAD + "  - {key: x, type: sms, body: hi, at: '9:00', after: {attribute: a, by: 3 hours}}\n",
            "line 3: step x: 'by': 3 hours are not whole days: write days, weeks or business days",
        ),
        (HEAD + "  - {key: x, type: sms, body: hi, delay: 2 busines days}\n", "or weeks, or business days"),
        (HEAD + "  - {key: x, type: sms, body: hi, delay: 9999 business days}\n", "at most ten years"),
        (
            HEAD + f"  - {{key: x, type: sms, body: hi, media_url: [{', '.join(['https://a.b'] * 11)}]}}\n",
            "'media_url' can't be a list: expected one URL",
        ),
        ("tags: [' x']\n" + HEAD + SMS, "line 1: 'tags' can't be ' x'"),
        ("tags: [5]\n" + HEAD + SMS, "line 1: 'tags' must be text"),
        ("name: ''\n" + HEAD + SMS, "line 1: 'name' can't be ''"),
        ("true: x\n" + HEAD + SMS, "line 1: unknown key 'true'"),
        (
            HEAD + "".join(f"  - {{key: s{number}, type: sms, body: hi, delay: 1 day}}\n" for number in range(201)),
            "line 2: 201 steps: expected at most 200",
        ),
    ],
)  # fmt: skip
def test_one_problem(text: str, expected: str) -> None:
    (problem,) = problems(text)
    assert expected in problem


def test_the_limit_of_an_sms_is_of_the_text_outside_of_markup() -> None:
    markup = "{% comment %}" + "c" * 900 + "{% endcomment %}" + "{{ custom.a }}" * 50
    parse(HEAD + f'  - {{key: x, type: sms, body: "{"b" * 1600}{markup}"}}\n')
    parse(HEAD + f"  - key: x\n    type: sms\n    body: |\n      {'b' * 1600}\n")


def test_a_line_of_a_template_is_the_line_of_the_file_where_yaml_tells() -> None:
    (block,) = problems(HEAD + "  - key: x\n    type: sms\n    body: |\n\n      a\n      {{ b }}\n")
    assert block.startswith("line 8:")
    (folded,) = problems(HEAD + "  - key: x\n    type: sms\n    body: >\n      a\n      {{ b }}\n")
    assert folded.startswith("line 5:")
    (quoted,) = problems(HEAD + '  - key: x\n    type: sms\n    body: "a\\n\\n{{ b }}"\n')
    assert quoted.startswith("line 5:")


def test_a_problem_is_told_once_and_in_the_order_of_lines() -> None:
    found = problems(HEAD + "  - {key: x, type: sms, body: '{{ a }} {{ a }}', zzz: 1}\n  - {key: y, type: wait}\n")
    assert len(found) == 3
    assert [line.split(":")[0] for line in found] == ["line 3", "line 3", "line 4"]


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("{after: 0 days}", "'after': expected at least 1 minute; write after_exit for at once"),
        ("{after: 30}", "'after': '30' has no unit: write 30 minutes"),
        ("{after: 3 business days}", "'after': "),
        ("{in: 3 days}", "unknown key 'in': expected after"),
        ("[once]", "'reentry' can't be a list: expected once, after_exit, always or a time"),
    ],
)
def test_what_re_entry_can_be(rule: str, problem: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        parse(f"sequence: s\nreentry: {rule}\nsteps: [{{key: a, type: sms, body: hi}}]")
    assert [one.line for one in caught.value.problems] == [2] * len(caught.value.problems)
    assert any(one.message.startswith(problem) for one in caught.value.problems), caught.value
