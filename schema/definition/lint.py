"""What is surely a mistake in a sequence file that can be published: merge tags of other systems, and costly texts."""

import re
from collections.abc import Iterator
from typing import Any, Final

from schema.counted import counted
from schema.definition.document import Document, Path, read_document
from schema.definition.library import Library, resolve
from schema.definition.link_shorteners import SHORTENERS
from schema.definition.part_check import BRANCHES
from schema.definition.problem import Problem, quoted
from schema.definition.sms_encoding import LOOK_ALIKES, segments, spoilers, without_spoilers

#: Words that other systems put into their tags: no text says `[First Name]` or `{email}` to its reader.
_FIELDS: Final = (
    r"(?:contact|lead|person|recipient|subscriber|user|customer|account|sender)?[ _.:-]?"
    r"(?:f(?:irst)?|l(?:ast)?|full)[ _-]?name|(?:your |company|organi[sz]ation|business)[ _-]?name"
    r"|first|last|email(?:[ _-]address)?|company|job[ _-]?title|phone(?:[ _-]number)?"
)

#: Those that are a person's name, or a field of something: no text has them by chance between two marks.
_NAMED: Final = (
    r"(?:(?:contact|lead|person|recipient|subscriber|user|customer)[._])?(?:f(?:irst)?|l(?:ast)?|full)_?name"
    r"|(?:contact|lead|person|recipient|subscriber|user|customer)\.[a-z_]+"
)

#: Merge tags of other systems, by their forms. What stands in `{{ }}` and `{% %}` is looked at by the template check.
FOREIGN_TAGS: Final = (
    re.compile(r"\*\|[A-Za-z][\w: ]*\|\*"),  # Mailchimp, Mandrill
    re.compile(r"%%[A-Za-z][\w. -]*%%"),  # Marketing Cloud
    re.compile(r"(?<![\w%])%[A-Z][A-Z_]{2,}%(?![\w%])"),  # ActiveCampaign
    re.compile(rf"(?<![\w%])%(?:{_FIELDS}|{_NAMED})%(?![\w%])", re.IGNORECASE),  # Mailgun
    re.compile(rf"(?<![\w#])(#{{1,2}})(?:{_NAMED})\1(?![\w#])", re.IGNORECASE),
    re.compile(rf"(?<![\w~|$-])([~|$-])(?:{_NAMED})\1(?![\w~|$-])", re.IGNORECASE),  # Keap, SendGrid
    re.compile(rf"\{{\$(?:{_FIELDS}|name)\}}", re.IGNORECASE),  # MailerLite, PHP
    re.compile(r"\[\[[A-Za-z][\w .:-]*\]\]"),
    re.compile(
        rf"(?<!\[)\[(?:{_FIELDS}|name|insert [\w ]+|your (?:link|url|title|city|date|phone|email|website|signature))"
        r"(?:, ?(?:fallback|default)=[^\]\n]*)?\](?![\](])",
        re.IGNORECASE,
    ),
    re.compile(r"<<[A-Za-z][\w .-]*>>|«[A-Za-z][\w .-]*»"),  # Word
    re.compile(rf"(?<![{{$#!\w])\{{(?:{_FIELDS}|name|contact\.name)\}}(?!\}})", re.IGNORECASE),
    re.compile(r"\$\{[A-Za-z][\w.]*\}|#\{[A-Za-z][\w.]*\}"),  # Marketo, JavaScript, Ruby
    re.compile(r"\{!\$?[A-Za-z][\w.]*\}"),  # Salesforce
    re.compile(r"<%=?.*?%>", re.DOTALL),  # ERB, EJS
)

_SHORTENER: Final = re.compile(
    rf"(?<![\w.@-])(?:https?://)?(?:www\.)?({'|'.join(map(re.escape, SHORTENERS))})/[\w-]+", re.IGNORECASE
)

#: How the first SMS says how to opt out, in any language that we know words of.
_OPT_OUT: Final = re.compile(
    r"\b(?:stop|stopp|opt[ -]?out|unsubscribe|unsub|abmelden|abbestellen|arr[eê]t|baja|sair|afmelden|uitschrijven"
    r"|disiscriv\w*|rezygn\w*|avsluta|afmeld|avmeld|lopeta)\b|стоп|отпис|退订|退訂|הסר|停止|수신거부",
    re.IGNORECASE,
)

#: What stands in a template instead of its markup: as long as a value may be, and no part of a tag.
_MARKUP: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)

_TEXTS: Final = {"sms": ("body",), "email": ("subject", "text", "html")}


def lint(text: str, library: Library | None = None) -> list[Problem]:
    """Return what is surely a mistake in a sequence file that `parse` takes, in the order of its lines."""
    document = read_document(text)
    resolve(document, library)
    lint_texts(document)
    first: list[tuple[Path, dict[str, Any]]] = []
    _first_sms(document.data.get("steps") or [], ("steps",), first)
    for path, step in first:
        if not _OPT_OUT.search(str(step.get("body"))):
            document.report(
                (*path, "body"),
                "'body': the first SMS does not say how to opt out: add a line such as `Reply STOP to opt out`",
            )
    return sorted(document.problems(), key=lambda problem: problem.line or 0)


def lint_texts(document: Document) -> None:
    """Report what is surely a mistake in a single text."""
    for path, step in _walk(document.data.get("steps") or [], ("steps",)):
        for name in _TEXTS.get(str(step.get("type")), ()):
            if isinstance(source := step.get(name), str):
                _look(source, name, (*path, name), document)


def _walk(steps: Any, place: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for number, step in enumerate(steps):
        path: Path = (*place, number)
        yield path, step
        for within, branch in _branches(step, path):
            yield from _walk(branch, within)


def _branches(step: dict[str, Any], path: Path) -> list[tuple[Path, Any]]:
    """Return the lists of steps that a step decides between, with their places; empty lists too."""
    if step.get("type") == "condition":
        return [((*path, name), step.get(name) or []) for name in BRANCHES]
    if step.get("type") == "variants":
        return [
            ((*path, "variants", variant, "steps"), one.get("steps") or []) for variant, one in step["variants"].items()
        ]
    return []


def _first_sms(steps: Any, place: Path, found: list[tuple[Path, dict[str, Any]]]) -> bool:
    """Add to `found` each SMS that is the first one for some contact; return whether all contacts get one here."""
    for number, step in enumerate(steps):
        path: Path = (*place, number)
        if step.get("type") == "sms":
            found.append((path, step))
            return True
        branches = _branches(step, path)
        reached = [_first_sms(branch, within, found) for within, branch in branches]
        if branches and all(reached):
            return True
    return False


def _look(source: str, name: str, path: Path, document: Document) -> None:
    fixed = _MARKUP.sub(lambda markup: "\0" * len(markup[0]), source)
    seen: set[tuple[int, int]] = set()
    for pattern in FOREIGN_TAGS:
        for tag in pattern.finditer(fixed):
            if name == "html" and pattern.pattern.startswith("<<"):
                continue
            if any(start <= tag.start() < end for start, end in seen):
                continue  # another form has found it already
            seen.add(tag.span())
            _report(
                document, path, name, source, tag.start(),
                f"{quoted(tag[0])} is a merge tag of another system, and goes out as it stands: write"
                " {{ contact.first_name }}, {{ custom.NAME }} or the like",
            )  # fmt: skip
    for link in _SHORTENER.finditer(fixed):
        _report(
            document, path, name, source, link.start(),
            f"{link[1]} is a public link shortener: carriers and mail servers block such links; use your own domain",
        )  # fmt: skip
    if name == "body":
        _look_at_encoding(source, fixed, path, document)


def _look_at_encoding(source: str, fixed: str, path: Path, document: Document) -> None:
    """Report the first character that alone turns an SMS into UCS-2. What values add is not known here.

    `fixed` is the source with a `\\0` for each character of its markup.
    """
    written = fixed.replace("\0", "")
    if not (found := spoilers(written)):
        return
    character = found[0][1]
    place = fixed.index(character)
    others = f" and {len(found) - 1} more like it" if len(found) > 1 else ""
    stands_for = LOOK_ALIKES[character]
    write = f"write {stands_for!r}" if stands_for.strip() else "leave it out" if not stands_for else "write a space"
    before, after = segments(written), segments(without_spoilers(written))
    costs = f" ({counted(before, 'segment')} instead of {after}, without what variables add)" if before > after else ""
    _report(
        document, path, "body", source, place,
        f"{character!r} (U+{ord(character):04X}, column {_column(source, place)}){others} is not in the SMS alphabet,"
        f" so a segment holds 70 characters instead of 160{costs}: {write}",
    )  # fmt: skip


def _report(document: Document, path: Path, name: str, source: str, place: int, message: str) -> None:
    line = source.count("\n", 0, place) + 1
    document.report(path, f"'{name}': {message}", document.text_line(path, line))


def _column(source: str, place: int) -> int:
    """Return the place within its line, from 1."""
    return place - source.rfind("\n", 0, place)
