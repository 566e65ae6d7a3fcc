"""Makes each AWS call once in every session, and says how it was decided.

Reads {"endpoint", "region", "sessions": {name: keys}, "calls"} on stdin and prints, for each call in order, a verdict
by session: "denied" when the answer is an AccessDenied, "unknown" when the emulated AWS broke or does not know the
operation, else "passed" - every other error comes after the decision.
"""

import json
import sys
from functools import cache

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from botocore.session import get_session

DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
# moto returns XML for every protocol. Where the client expects JSON, the message contains the response.
DENIED_IN_XML = "<Code>AccessDenied</Code>"
CONFIG = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, inject_host_prefix=False)

request = json.load(sys.stdin)
botocore_session = get_session()
botocore_session.set_credentials("", "")
# Clients read these at every call: changing them is quicker than a client for each session.
credentials = botocore_session.get_credentials()


@cache
def client(name):
    return botocore_session.create_client(
        name, region_name=request["region"], endpoint_url=request["endpoint"], config=CONFIG
    )


def verdict(call, keys):
    credentials.access_key = keys["accessKeyId"]
    credentials.secret_key = keys["secretAccessKey"]
    credentials.token = keys["sessionToken"]
    try:
        getattr(client(call["client"]), call["method"])(**call.get("params", {}))
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        if code in DENIED or DENIED_IN_XML in message:
            return "denied"
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return "unknown" if status == 403 or status >= 500 else "passed"
    except (BotoCoreError, ResponseParserError):
        return "unknown"
    return "passed"


sessions = request["sessions"].items()
json.dump([{name: verdict(call, keys) for name, keys in sessions} for call in request["calls"]], sys.stdout)
