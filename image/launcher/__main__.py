"""`python image/launcher` runs the package from the source tree."""

from holmes_aws_mcp.main import main

main()
