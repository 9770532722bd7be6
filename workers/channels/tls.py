"""How connections to providers are encrypted."""

import ssl

import certifi


def client_context() -> ssl.SSLContext:
    """A context that checks certificates and names, by the machine's authorities and by certifi's.

    The machine's alone are missing in slim containers; certifi's alone lack a company's own.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
