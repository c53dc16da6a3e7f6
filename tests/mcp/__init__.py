"""The MCP server and the gateway, spoken to by the official SDK's client, before a real Signoff server."""
