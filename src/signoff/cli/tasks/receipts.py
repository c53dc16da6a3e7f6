"""The receipt of an action on a task, as lines for a terminal. The text comes from the server and is the same as on the
page.
"""

from collections.abc import Mapping
from typing import Any, Final

from signoff.cli.output import titled
from signoff.cli.text_safety import visible
from signoff.core.text.masking import mask_text

_COMMANDS: Final = {
    "unsnooze": "signoff tasks unsnooze {}",
    "unmark-reviewing": "signoff tasks mark-reviewing {} --clear",
}


def receipt_lines(after: Mapping[str, Any], otherwise: str) -> list[str]:
    """What was recorded, what happens next, and how to undo it. ``otherwise``: the text to show if the server sends no
    receipt.
    """
    receipt = after.get("receipt")
    if not isinstance(receipt, Mapping):
        return [visible(f"{titled(after)}: {otherwise}")]
    lines = [f"{titled(after)}: {mask_text(str(receipt.get('said', '')))}", str(receipt.get("next", ""))]
    undo = _COMMANDS.get(str(receipt.get("undo")))
    lines += [f"Undo: {undo.format(after.get('task_id'))}"] if undo else []
    return [visible(line) for line in lines if line]
