"""Builds scenes in the emulated AWS: {url, accounts, scenes} on stdin, the facts of each scene on stdout."""

import json
import re
import sys
import time

import boto3

job = json.load(sys.stdin)
clients = {}


def lookup(facts, path):
    value = facts
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def filled(value, facts):
    if isinstance(value, dict):
        return {key: filled(inner, facts) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, facts) for inner in value]
    if value == "@now":
        return int(time.time() * 1000)
    if isinstance(value, str):
        whole = re.fullmatch(r"\$\{([\w.]+)\}", value)
        return lookup(facts, whole[1]) if whole else re.sub(r"\$\{([\w.]+)\}", lambda m: str(lookup(facts, m[1])), value)
    return value


def client(account, region, service):
    if (account, region, service) not in clients:
        place = job["accounts"][account]
        region_name = region or place["region"]
        keys = boto3.client("sts", endpoint_url=job["url"], region_name=region_name,
            aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key="local").assume_role(
            RoleArn=f"arn:aws:iam::{place['id']}:role/OrganizationAccountAccessRole", RoleSessionName="scene")["Credentials"]
        clients[account, region, service] = boto3.client(
            service, endpoint_url=job["url"], region_name=region_name, aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"], aws_session_token=keys["SessionToken"])
    return clients[account, region, service]


scenes = {}
for scene, steps in job["scenes"].items():
    facts = {account: dict(place) for account, place in job["accounts"].items()}
    for name, where, call, arguments in steps:
        place, _, region = where.partition(":")
        service, method = call.split(".")
        for account in ["cause", "twin"] if place == "both" else [place]:
            # A step refers to the steps of its own account.
            known = facts[account]
            try:
                answer = getattr(client(account, region, service), method)(**filled(arguments, known))
            except Exception as error:
                sys.exit(f"{scene}: {name}: {call} in {account}: {error}")
            answer.pop("ResponseMetadata", None)
            known[name] = answer
    scenes[scene] = facts
json.dump(scenes, sys.stdout, default=str)
