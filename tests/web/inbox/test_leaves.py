"""What a request touches shows no secret either."""

from signoff.engine.read.evidence import effects


def test_what_a_request_touches_is_no_way_around_the_mask() -> None:
    assert effects({"credentials": {"host": "hunter2"}, "host": "db1"}, {})[0][0].text == "db1"
    assert "hunter2" not in repr(effects({"credentials": {"host": "hunter2"}}, {}))
