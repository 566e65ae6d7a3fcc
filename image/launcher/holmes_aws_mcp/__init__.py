"""Starts awslabs.aws-api-mcp-server with guards, parallel calls, shorter answers and a bearer token."""
