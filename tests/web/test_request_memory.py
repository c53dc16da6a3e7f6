"""An answered request is freed at once, without the garbage collector, whose pauses delay everyone."""

import gc

from tests.web.web_env import WebEnv


async def test_no_request_is_left_to_the_garbage_collector(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    gc.collect()
    gc.disable()
    try:
        assert (await web.get(f"/v1/intents/{intent_id}")).status == 200
        assert (await web.get(f"/v1/intents/{intent_id}/events/stream?wait_seconds=1")).status == 200
        assert (await web.get("/v1/intents/nothing")).status == 404
        assert (await web.answer(task_id)).status == 200
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = {type(found).__name__ for found in gc.garbage}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert not left & {"Call", "Reply", "IdempotentReply", "Batch", "CommandJob"}
