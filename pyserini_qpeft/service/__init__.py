"""Reranking as a service: HTTP, MCP and a page over one model in memory."""
