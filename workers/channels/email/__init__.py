"""Email, over pooled SMTP connections."""
