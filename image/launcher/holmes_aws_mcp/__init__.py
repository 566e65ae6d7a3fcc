"""Starts awslabs.aws-api-mcp-server with guards, parallel calls, lean answers and a bearer token."""
