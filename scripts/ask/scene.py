"""Builds scenes in the emulated AWS: {url, accounts, scenes} on stdin, what each step returned on stdout."""

import json
import re
import sys
import time

import boto3

job = json.load(sys.stdin)
known = {}
clients = {}


def lookup(path):
    value = known
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def filled(value):
    if isinstance(value, dict):
        return {key: filled(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner) for inner in value]
    if value == "@now":
        return int(time.time() * 1000)
    if isinstance(value, str):
        whole = re.fullmatch(r"\$\{([\w.]+)\}", value)
        return lookup(whole[1]) if whole else re.sub(r"\$\{([\w.]+)\}", lambda m: str(lookup(m[1])), value)
    return value


def client(account, service):
    if (account, service) not in clients:
        name, _, region = account.partition(":")
        place = {**job["accounts"][name], **({"region": region} if region else {})}
        keys = boto3.client("sts", endpoint_url=job["url"], region_name=place["region"],
            aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key="local").assume_role(
            RoleArn=f"arn:aws:iam::{place['id']}:role/OrganizationAccountAccessRole", RoleSessionName="scene")["Credentials"]
        clients[account, service] = boto3.client(
            service, endpoint_url=job["url"], region_name=place["region"], aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"], aws_session_token=keys["SessionToken"])
    return clients[account, service]


facts = {}
for scene, steps in job["scenes"].items():
    known = dict(job["accounts"])
    for name, account, call, arguments in steps:
        service, method = call.split(".")
        try:
            answer = getattr(client(account, service), method)(**filled(arguments))
        except Exception as error:
            sys.exit(f"{scene}: {name}: {call} in {account}: {error}")
        answer.pop("ResponseMetadata", None)
        known[name] = answer
    facts[scene] = known
json.dump(facts, sys.stdout, default=str)
