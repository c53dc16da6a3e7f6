"""What the command line prints: the tokens in its links."""

import re


def token_in(page: str) -> str:
    found = re.search(r'name="form_token" value="(\w+)"', page)
    return found[1] if found else ""
