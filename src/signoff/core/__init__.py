"""The rules. They are pure and use only the standard library and msgspec structs; time and entropy are arguments.

Packages, from the bottom up: ``text`` (values and strings), ``plan`` (what was requested), ``directory`` (people,
teams, agents), ``policy`` (who decides), ``intent`` (the life of one request), ``formats`` (documents to plans).
"""
