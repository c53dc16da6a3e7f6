"""Signing in a terminal: it asks, a person allows it in a browser (``pages/device.py``), and it fetches its key."""

from signoff import wire
from signoff.engine.identity.device_logins import INTERVAL, LIFE
from signoff.web.http import bodies
from signoff.web.http.call import Call


async def start(call: Call) -> wire.keys.DeviceLoginOut:
    """POST /v1/device-logins"""
    wanted = bodies.ours(wire.keys.StartDeviceLogin, call.body)
    started = await call.state.device_logins.start(wanted.host, call.client, call.peer)
    return wire.keys.DeviceLoginOut(
        device_code=started.device_code,
        user_code=started.user_code,
        verification_uri=f"{call.state.settings.base_url}/device",
        expires_in=int(LIFE.total_seconds()),
        interval=int(INTERVAL.total_seconds()),
    )


async def poll(call: Call) -> wire.keys.DeviceLoginPolled:
    """POST /v1/device-logins/poll"""
    asked = bodies.ours(wire.keys.PollDeviceLogin, call.body)
    made = await call.state.device_logins.poll(asked.device_code, call.peer)
    if made is None:
        return wire.keys.DeviceLoginPolled(status="pending")
    return wire.keys.DeviceLoginPolled(
        status="allowed", key_id=made.key.id, api_key=made.secret, expires_at=made.key.expires_at
    )
