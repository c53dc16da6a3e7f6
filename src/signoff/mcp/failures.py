"""Reports the failure of a call: as a tool's error, which the model sees, or as an error of the protocol."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import mcp_types as types
from mcp.shared.exceptions import MCPError

from signoff.client.errors import SignoffError
from signoff.mcp.tool_results import Problem, ToolFailed, failure_of, problem_of

T = TypeVar("T")
log = logging.getLogger("signoff.mcp")
BUG: Final = Problem(
    code="internal_error",
    message="This is a bug in signoff mcp.",
    next="The log on stderr names it; please report it.",
)


async def failing_as_tool(run: Callable[[], Awaitable[Any]]) -> Any:
    """Return what ``run`` returns; a failure becomes a tool's error, which the model sees."""
    try:
        return await run()
    except ToolFailed as failed:
        return failure_of(failed.problem)
    except SignoffError as error:
        return failure_of(problem_of(error))
    except MCPError:
        raise
    except Exception as error:  # its text may quote anything, so it is neither logged nor sent
        log.error("internal error (%s)", type(error).__name__)
        return failure_of(BUG)


async def failing_as_protocol(run: Callable[[], Awaitable[T]]) -> T:
    """Return what ``run`` returns; a failure becomes an MCPError with the same code and next step."""
    try:
        return await run()
    except ToolFailed as failed:
        problem = failed.problem
    except SignoffError as error:
        problem = problem_of(error)
    except MCPError:
        raise
    except Exception as error:
        log.error("internal error (%s)", type(error).__name__)
        raise MCPError(types.INTERNAL_ERROR, BUG.message) from None
    data = {"code": problem.code, "next": problem.next}
    raise MCPError(types.INVALID_REQUEST, problem.message, data)
