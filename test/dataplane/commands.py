"""Prints every command of the AWS CLI as the MCP server sees it: JSON of command -> sorted names below it.

Loads the model of every service, so a file that is missing is an error here.
"""

import json
import sys

# The server's own order of imports: with boto3's botocore in place, the CLI shares it.
import botocore.exceptions  # noqa: F401
import awscli.clidriver

driver = awscli.clidriver.create_clidriver()
session = driver.session
tree = {}
for name, command in sorted(driver._get_command_table().items()):
    if isinstance(command, awscli.clidriver.ServiceCommand):
        below = command._get_command_table()
        service = command.service_model.service_name
        waiters = session.get_waiter_model(service).waiter_names if 'wait' in below else []
        tree[name] = sorted(below) + [f'wait {waiter}' for waiter in sorted(waiters)]
        # The endpoint of a service comes from files of their own.
        session.get_component('data_loader').load_service_model(service, 'endpoint-rule-set-1')
    else:
        tree[name] = sorted(getattr(command, 'subcommand_table', {}) or {}) + sorted(command.arg_table)
json.dump(tree, sys.stdout)
