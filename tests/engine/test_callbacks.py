"""A callback address that the server would never call is refused at registration, with the field and the next step."""

import pytest

from signoff.core.directory.actors import ActorKind
from signoff.core.errors import Invalid
from signoff.engine.admin.accounts import Accounts
from signoff.notify.channel import NotSent
from signoff.notify.outbound.post import Poster
from tests.engine.engine_env import ROOT, EngineEnv, settle

NEVER = (
    "http://agent.example/hook",
    "https://127.0.0.1/hook",
    "https://10.1.2.3/hook",
    "https://[::1]/hook",
    "https://169.254.169.254/latest",
    "https://localhost:8443/hook",
    "https://127.1/hook",
    "https://2130706433/hook",
    "https://0x7f.1/hook",
    "https://127.0.0.1./hook",
    "https://999.1/hook",
    "https://user:secret@agent.example/hook",
    "https:///hook",
    "https://agent.example:99999/hook",
    "ftp://agent.example/hook",
    "agent.example/hook",
)


@pytest.mark.parametrize("url", NEVER)
async def test_callback_url_that_is_never_called_is_refused_at_registration(env: EngineEnv, url: str) -> None:
    await settle(env)
    accounts = Accounts(env.store, env.directory, env.keys, env.clock)
    account, _ = await accounts.add_account(ROOT, ActorKind.AGENT, "other")
    attempts = (
        accounts.add_account(ROOT, ActorKind.AGENT, "caller", callback_url=url, delivery_mode="http"),
        accounts.update_account(ROOT, account.id, callback_url=url),
    )
    for attempt in attempts:
        with pytest.raises(Invalid) as refused:
            await attempt
        refusal = refused.value
        assert (refusal.code, refusal.field) == ("invalid_callback_url", "callback_url")
        assert "https://" in str(refusal.hint)
        assert "secret" not in str(refusal)
    with pytest.raises(NotSent) as unsent:
        await Poster(False, resolve=_nowhere).post(url, b"{}", {})
    assert unsent.value.permanent
    assert len(await accounts.accounts(ROOT)) == 1


async def _nowhere(host: str, port: int) -> list[str]:
    """Resolves this machine's names."""
    return ["127.0.0.1"] if host == "localhost" else [host]


async def test_callable_url_is_accepted(env: EngineEnv) -> None:
    await settle(env)
    strict = Accounts(env.store, env.directory, env.keys, env.clock)
    for place, url in enumerate(
        (
            "https://agent.example/hook",
            "https://93.184.216.34:8443/",
            "https://a.internal/",
            "https://notlocalhost/",
        )
    ):
        account, _ = await strict.add_account(
            ROOT, ActorKind.AGENT, f"a{place}", callback_url=url, delivery_mode="http"
        )
        assert account.callback_url == url
    for place, url in enumerate(("http://127.0.0.1:9/hook", "http://agent.lan/", "https://localhost/")):
        await env.accounts.add_account(
            ROOT, ActorKind.AGENT, f"b{place}", callback_url=url, delivery_mode="http"
        )


async def test_account_with_an_old_callback_url_may_be_changed_otherwise(env: EngineEnv) -> None:
    await settle(env)
    account, _ = await env.accounts.add_account(
        ROOT, ActorKind.AGENT, "old", callback_url="http://agent.example/hook", delivery_mode="http"
    )
    strict = Accounts(env.store, env.directory, env.keys, env.clock)
    changed = await strict.update_account(ROOT, account.id, display_name="The old one")
    assert (changed.display_name, changed.callback_url) == ("The old one", account.callback_url)
