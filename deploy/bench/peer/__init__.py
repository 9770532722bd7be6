"""The peer: the same job done the obvious way, with care.

One delayed message of dramatiq's for each step, an actor that claims and marks its row by SQLAlchemy, twilio-python
and smtplib, tenacity.
"""
