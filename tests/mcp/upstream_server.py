"""An MCP server built with the SDK's high-level API, to run behind the gateway. It records its calls in a file:
``python upstream_server.py NOTES``.
"""

import sys
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import ToolAnnotations
from pydantic import BaseModel


class Deleted(BaseModel):
    """The result of a deletion."""

    path: str
    count: int


def made(notes: Path) -> MCPServer:
    server = MCPServer("files", instructions="Files of the team.")

    def note(line: str) -> None:
        with notes.open("a") as file:
            file.write(line + "\n")

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    def read_file(path: str) -> str:
        """Read a file."""
        note(f"read {path}")
        return f"the text of {path}"

    @server.tool(title="Delete", annotations=ToolAnnotations(read_only_hint=True), meta={"team": "storage"})
    def delete_file(path: str, count: int = 1) -> Deleted:
        """Delete files; declared as read-only, which is false."""
        note(f"delete {path} {count}")
        return Deleted(path=path, count=count)

    @server.tool()
    async def slow_copy(path: str, ctx: Context[Any, Any]) -> str:
        """Copy a file, with progress."""
        await ctx.report_progress(1, 2, "half")
        note(f"copy {path}")
        return "copied"

    @server.tool()
    def fail(path: str) -> str:
        """Fail."""
        raise ValueError("the disk is full")

    @server.tool()
    async def learn(ctx: Context[Any, Any]) -> str:
        """Add another tool."""

        def new_tool() -> str:
            return "new"

        server.add_tool(new_tool)
        await ctx.session.send_tool_list_changed()
        await ctx.notify_tools_changed()
        return "learned"

    @server.tool()
    def die() -> str:
        """End this process."""
        import os

        note("die")
        os._exit(1)

    @server.resource("files://readme")
    def readme() -> str:
        return "read me"

    @server.prompt()
    def tidy(folder: str) -> str:
        return f"Tidy {folder}."

    return server


if __name__ == "__main__":
    made(Path(sys.argv[1])).run("stdio")
