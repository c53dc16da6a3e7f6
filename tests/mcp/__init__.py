"""The MCP server and the gateway, used through the official SDK's client, with a real Signoff server."""
