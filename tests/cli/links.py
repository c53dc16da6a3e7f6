"""Extracts tokens from the links that the CLI prints."""

import re


def token_in(page: str) -> str:
    found = re.search(r'name="form_token" value="(\w+)"', page)
    return found[1] if found else ""
