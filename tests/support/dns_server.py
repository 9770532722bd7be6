"""A DNS server on loopback that knows the TXT records it was given."""

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

#: Where a name is that exists without TXT records.
EMPTY: Final[tuple[str, ...]] = ()


@contextmanager
def dns_server(records: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Answer questions for TXT records; yield `HOST:PORT`. A name that is not there does not exist."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=_answer_all, args=(listening, dict(records)), daemon=True)
        thread.start()
        host, port = listening.getsockname()
        try:
            yield f"{host}:{port}"
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
                end.sendto(b"", (host, port))
            thread.join(10)


def _answer_all(listening: socket.socket, records: dict[str, Sequence[str]]) -> None:
    while True:
        data, asker = listening.recvfrom(4_096)
        if not data:
            return
        listening.sendto(_answer(dns.message.from_wire(data), records).to_wire(), asker)


def _answer(question: dns.message.Message, records: dict[str, Sequence[str]]) -> dns.message.Message:
    answer = dns.message.make_response(question)
    answer.flags |= dns.flags.RA
    name = question.question[0].name
    texts = records.get(name.to_text(omit_final_dot=True).lower())
    if texts is None:
        answer.set_rcode(dns.rcode.NXDOMAIN)
    elif texts and question.question[0].rdtype == dns.rdatatype.TXT:
        written = [" ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200)) for text in texts]
        answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", *written))
    return answer
