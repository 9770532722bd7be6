"""The sequences that the measures send."""

from typing import Final

#: An SMS at once, and one that nobody waits for.
TWO_STEPS: Final = """
sequence: two
name: Two
steps:
  - key: first
    type: sms
    body: "Hi {{ contact.first_name | default: 'there' }}, thanks for your interest in our {{ custom.plan }} plan."
  - {key: second, type: sms, delay: 14 days, body: "Hi again, {{ contact.first_name }}"}
"""

FIVE_STEPS: Final = "sequence: five\nname: Five\nsteps:\n" + "\n".join(
    f"  - {{key: step-{number}, type: sms, delay: {number} days, body: 'Hi {{{{ contact.first_name }}}}, {number}'}}"
    for number in range(5)
)

#: Nothing of it falls due while something is measured beside.
FAR_STEPS: Final = "sequence: far\nname: Far\nsteps:\n" + "\n".join(
    f"  - {{key: step-{number}, type: sms, delay: {number} days, body: Hi}}" for number in range(1, 6)
)

ONE_SMS: Final = """
sequence: sms
name: SMS
steps:
  - key: only
    type: sms
    body: "Hi {{ contact.first_name | default: 'there' }}, thanks for your interest in our {{ custom.plan }} plan."
"""

#: The same, and nobody waits for it.
ONE_SMS_LATER: Final = """
sequence: later
name: Later
steps:
  - {key: only, type: sms, delay: 14 days, body: "Hi {{ contact.first_name }}"}
"""

ONE_EMAIL: Final = """
sequence: email
name: Email
steps:
  - key: only
    type: email
    subject: "Thanks, {{ contact.first_name | default: 'there' }}"
    text: "Hi {{ contact.first_name }}, thanks for your interest in our {{ custom.plan }} plan in {{ custom.city }}."
    html: "<p>Hi {{ contact.first_name }}, thanks for your interest in our {{ custom.plan }} plan.</p>"
"""

TEN_STEPS_KEY: Final = "ten"

#: Tasks hold it up, as in what sales teams run.
TEN_STEPS: Final = f"""
sequence: {TEN_STEPS_KEY}
name: Ten
steps:
  - {{key: ring, type: call, delay: 30 days, outcomes: [reached, not_reached]}}
  - {{key: hello, type: email, delay: 1 day, subject: Hello, text: Hello}}
  - {{key: prepare, type: internal_activity, delay: 1 day}}
""" + "\n".join(f"  - {{key: step-{number}, type: sms, delay: 1 day, body: Hi}}" for number in range(4, 11))
