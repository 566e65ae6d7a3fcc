"""Prints the command table of the installed AWS CLI: a service and its operations on each line."""

import awscli
from awscli.clidriver import create_clidriver

print(f"# awscli {awscli.__version__}")
for name, command in sorted(create_clidriver()._get_command_table().items()):
    # Commands of services and those of the CLI itself, such as `configure`, name their table differently.
    table = command._get_command_table() if hasattr(command, "_get_command_table") else command.subcommand_table
    print(name, *sorted(table))
