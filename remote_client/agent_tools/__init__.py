"""What an agent may ask of its office from inside its session, as an MCP server and as a small command."""
