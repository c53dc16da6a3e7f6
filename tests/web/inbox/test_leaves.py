"""Values of a request on its card: masking and moments."""

import pytest

from signoff.engine.read.evidence import effects
from tests.web.inbox.reading import reader
from tests.web.web_env import WebEnv


def test_effects_section_masks_secrets() -> None:
    assert effects({"credentials": {"host": "hunter2"}, "host": "db1"}, {})[0][0].text == "db1"
    assert "hunter2" not in repr(effects({"credentials": {"host": "hunter2"}}, {}))


async def test_timestamp_in_a_payload_is_also_shown_in_the_readers_zone(web: WebEnv) -> None:
    assert (await web.call("PATCH", "/v1/people/per_ann", {"zone": "Europe/Berlin"}, "oscar")).status == 200
    moments = {"at": "2026-07-01T22:30:00Z", "until": "2026-07-02", "never": "2026-02-31T10:00:00Z"}
    task = (await web.send(human_task={"title": "May we?"}, intent_type="a.b.v1", payload=moments))[
        :-4
    ] + "0001"
    text = (await (await reader(web, "ann")).get(f"/tasks/{task}")).text
    assert "at 2026-07-01T22:30:00Z 2 Jul 2026, 00:30 CEST" in text
    assert "until 2026-07-02 never 2026-02-31T10:00:00Z Automatic checks" in text


async def test_both_sides_of_a_change_stand_in_the_readers_zone(web: WebEnv) -> None:
    assert (await web.call("PATCH", "/v1/people/per_ann", {"zone": "Europe/Berlin"}, "oscar")).status == 200
    change = {"start": {"before": "2026-07-01T22:30:00Z", "after": "2026-01-02T08:00:00+05:00"}, "n": 1}
    intent_id = await web.send(human_task={"title": "May we?"}, intent_type="a.b.v1", payload=change)
    text = (await (await reader(web, "ann")).get(f"/tasks/{intent_id[:-4]}0001")).text
    assert "before: 2026-07-01T22:30:00Z 2 Jul 2026, 00:30 CEST" in text
    assert "after: 2026-01-02T08:00:00+05:00 2 Jan 2026, 04:00 CET" in text


@pytest.mark.parametrize("path", ["/", "/intents", "/intents/{id}"])
async def test_lists_show_moments_in_the_readers_zone(web: WebEnv, path: str) -> None:
    assert (await web.call("PATCH", "/v1/people/per_ann", {"zone": "Europe/Berlin"}, "oscar")).status == 200
    payload = {"ends_at": "2026-07-01T22:30:00Z"}
    id = await web.send(human_task={"title": "May we?"}, intent_type="a.b.v1", payload=payload)
    text = (await (await reader(web, "ann")).get(path.format(id=id))).text
    assert "ends_at 2026-07-01T22:30:00Z 2 Jul 2026, 00:30 CEST" in text


async def test_reader_must_show_everything_before_proposing_a_change(web: WebEnv) -> None:
    hint = "Show everything that is hidden or collapsed before you propose a change."
    for payload, hidden in (({"n": 1}, False), ({"api_token": "sk_live_abcdef0123456789"}, True)):
        task = (await web.send(human_task={"title": "May we?"}, intent_type="a.b.v1", payload=payload))[
            :-4
        ] + "0001"
        text = (await (await reader(web, "ann")).get(f"/tasks/{task}")).text
        assert (hint in text, "Propose a change" in text) == (hidden, not hidden)
