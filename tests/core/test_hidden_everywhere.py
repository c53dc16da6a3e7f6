"""Hidden characters are recognized in every text that untrusted senders write."""

from signoff.core.text.hidden_characters import hidden, pieces
from signoff.core.text.masking import is_secret


def test_cache_of_hidden_characters_is_bounded() -> None:
    every = "".join(map(chr, range(0x80, 0x20000)))
    assert any(piece.mark for piece in pieces(every))
    assert hidden.cache_info().currsize <= 4096


def test_names_of_secrets_are_recognized() -> None:
    secret = (
        "password",
        "db.password",
        "users[0].passphrase",
        "api_key",
        "api.key",
        "credentials.value",
        "secrets[0].x",
    )
    plain = (
        "target",
        "keys",
        "apiary.key",
        "secretariat_open",
        "tokenizer.name",
        "db.host",
        "rotation.credential_s.x",
    )
    assert [name for name in secret if not is_secret(name)] == []
    assert [name for name in plain if is_secret(name)] == ["secretariat_open"]  # rather one too many
