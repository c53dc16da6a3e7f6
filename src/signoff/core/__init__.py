"""The rules, pure: standard library and msgspec structs only. Time and entropy are arguments."""
