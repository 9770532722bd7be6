"""Names that other systems use for our types of steps and our fields, for hints in errors."""

import re
from collections.abc import Collection, Mapping
from typing import Final

from schema.definition.problem import did_you_mean

#: The names of each type, as marketing and sales tools write them in their menus, exports and APIs.
TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    "sms": ("text", "text_message", "txt", "mms", "message", "whatsapp"),
    "email": ("mail", "e_mail", "auto_email", "automatic_email"),
    "call": ("phone", "phone_call", "dial", "voice"),
    "internal_activity": ("task", "todo", "to_do", "internal", "activity", "manual"),
    "social_message": ("linkedin", "social", "social_media", "direct_message", "dm"),
    "condition": ("if", "branch", "decision", "yes_no", "if_else", "split"),
    "wait": ("delay", "pause", "sleep", "wait_for", "wait_until", "timer"),
    "variants": ("ab", "a_b", "ab_test", "a_b_test", "experiment", "random", "variant"),
    "action": ("webhook", "notify", "http", "tag", "update", "enroll"),
}

#: The same of fields. A name may stand for several: the first one that the step can have is meant.
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "body": ("text", "message", "content", "copy", "msg", "sms", "sms_body", "message_body", "sms_text"),
    "text": ("body", "content", "message", "copy", "plain", "plain_text", "plaintext", "body_text", "text_body"),
    "html": ("html_body", "body_html", "html_content", "content_html"),
    "subject": ("subject_line", "title", "headline", "email_subject"),
    "description": ("notes", "note", "instructions", "script", "details", "body", "text", "message", "content"),
    "delay": ("wait", "wait_for", "wait_time", "interval", "days", "hours", "minutes", "delay_days", "offset"),
    "key": ("id", "step", "step_id", "step_key", "slug"),
    "sequence": ("key", "id", "slug", "campaign", "cadence", "flow", "workflow", "journey"),
    "type": ("kind", "channel", "step_type"),
    "name": ("title", "label"),
    "assignee": ("assigned_to", "assign_to", "owner", "user", "agent", "rep"),
    "media_url": ("media", "media_urls", "image", "image_url", "attachment", "attachments"),
    "at": ("time", "send_at", "time_of_day", "hour", "send_time"),
    "window": ("send_window", "sending_window", "business_hours", "sending_hours", "schedule"),
    "quiet_hours": ("do_not_disturb", "dnd", "quiet_time"),
    "max_lateness": ("ttl", "expires", "expires_after", "valid_for"),
    "outcomes": ("outcome", "results", "dispositions", "options"),
    "priority": ("importance", "urgency"),
    "exit_on": ("stop_on", "exit_if", "unenroll_on", "stop_if"),
    "reentry": ("re_enroll", "reenroll", "re_enrollment", "allow_reentry", "re_entry"),
    "reply_to": ("replyto", "reply_address"),
    "from": ("sender", "from_email", "from_address", "sender_email", "mail_from", "email_from"),
    "sender_name": ("from_name", "display_name"),
    "max_tries": ("tries", "retries", "max_retries", "attempts", "max_attempts"),
    "guarantee": ("delivery", "delivery_guarantee", "smtp_guarantee"),
    "if": ("condition", "when", "criteria"),
    "until": ("wait_until", "event", "for"),
    "variants": ("branches", "options", "splits", "arms"),
    "weight": ("percent", "percentage", "share", "ratio"),
    "enroll_in": ("enroll", "add_to_sequence", "start_sequence"),
    "exit_from": ("unenroll", "remove_from_sequence", "unenroll_from"),
    "untag": ("remove_tag", "delete_tag"),
    "tag": ("add_tag",),
    "set": ("update", "set_property", "set_attributes", "update_contact"),
}


def type_meant(written: str, known: Collection[str]) -> str:
    """Return a question about the type that was meant; empty if none is near."""
    return _meant(written, known, TYPES)


def field_meant(written: str, known: Collection[str]) -> str:
    """Return a question about the field of `known` that was meant; empty if none is near."""
    return _meant(written, known, FIELDS)


def _meant(written: str, known: Collection[str], names: Mapping[str, tuple[str, ...]]) -> str:
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", written.strip())
    spelt = re.sub(r"[\s-]+", "_", parted).lower()
    if spelt in known:
        return f" (did you mean {spelt!r}?)"
    meant = next((ours for ours, theirs in names.items() if spelt in theirs and ours in known), None)
    return did_you_mean(written, known) if meant is None else f" (did you mean {meant!r}?)"
