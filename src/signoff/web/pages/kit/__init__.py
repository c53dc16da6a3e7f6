"""Shared by all pages: the handler, forms and cookies, rendering, live updates, evidence and wording."""
