"""What the name of an enrollment is made of, as queries give it."""

from datetime import datetime
from typing import Any, Final

from engine.rules.naming import Named, enrollment_name

#: Of an enrollment (`e`) and its sequence (`s`): the name that the sequence had. A sequence that is renamed gets a new
#: version.
SEQUENCE_NAME: Final = """coalesce((
        SELECT v.definition ->> 'name' FROM sequence_versions v WHERE v.id = e.version_id
    ), s.key)"""

#: Of an enrollment (`e`), its sequence (`s`), contact (`c`) and workspace (`w`).
NAMED_BY: Final = f"""jsonb_build_object(
        'sequence_name', {SEQUENCE_NAME}, 'contact_id', c.id, 'company', c.attributes ->> 'company',
        'first_name', c.first_name, 'last_name', c.last_name, 'external_id', c.external_id, 'email', c.email,
        'phone', c.phone, 'enrolled_at', e.enrolled_at, 'timezone', coalesce(c.timezone, w.timezone)
    )"""


#: What the JSON of every command says of a contact.
CONTACT: Final = ("external_id", "email", "phone", "first_name", "last_name")


def contact_of(named_by: dict[str, Any]) -> dict[str, Any]:
    """Return the contact as the JSON of every command has it, by what `NAMED_BY` gave."""
    return {"id": named_by["contact_id"], **{name: named_by[name] for name in CONTACT}}


def name_of(named_by: dict[str, Any]) -> str:
    """The name of an enrollment, by what `NAMED_BY` gave."""
    enrolled_at = datetime.fromisoformat(named_by["enrolled_at"])
    return enrollment_name(Named(**{**named_by, "enrolled_at": enrolled_at}))
