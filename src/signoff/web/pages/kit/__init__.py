"""What every page shares: the handler, forms and cookies, rendering, live updates, evidence and wording."""
