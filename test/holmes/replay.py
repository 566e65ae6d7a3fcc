"""Runs Holmes' config loader, toolsets and tool-calling loop: {configs, evaluation, ask, questions} on stdin, results on stdout."""

import json
import logging
import os
import sys
import time
from pathlib import Path

logging.basicConfig(level=logging.ERROR)

from holmes.config import Config  # noqa: E402
from holmes.core.tool_calling_llm import ToolCallingLLM  # noqa: E402
from holmes.core.tools_utils.tool_executor import ToolExecutor  # noqa: E402
from holmes.plugins.toolsets import load_toolsets_from_file  # noqa: E402


def check(toolset):
    toolset.enabled = True
    toolset.check_prerequisites()
    return {
        "status": toolset.status.value,
        "error": toolset.error,
        "tools": [tool.name for tool in toolset.tools],
        "schema": json.dumps([tool.get_openai_format() for tool in toolset.tools]),
    }


job = json.load(sys.stdin)
# HolmesGPT's evaluations load toolsets.yaml with this function.
evaluation = load_toolsets_from_file(toolsets_path=job["evaluation"], strict_check=False)
out = {"toolsets": {}, "evaluation": {toolset.name: check(toolset) for toolset in evaluation}, "questions": {}}
for path in job["configs"]:
    config = Config.load_from_file(Path(path), model="openai/gpt-4o")
    manager = config.toolset_manager
    # Only the MCP servers: the checks of Holmes' built-in toolsets take most of a start.
    loaded = [
        toolset
        for toolset in manager._list_all_toolsets(check_prerequisites=False)
        if toolset.name in (config.mcp_servers or {})
    ]
    out["toolsets"][path] = {toolset.name: check(toolset) for toolset in loaded}
    if path == job.get("ask"):
        executor = ToolExecutor(loaded)
        llm = ToolCallingLLM(executor, 40, config._get_llm(), tool_results_dir=None)
        system = "\n\n".join(toolset.llm_instructions or "" for toolset in loaded)
        for question in job["questions"]:
            start = time.monotonic()
            result = llm.call([{"role": "system", "content": system}, {"role": "user", "content": question}])
            out["questions"][question] = {
                "seconds": time.monotonic() - start,
                "calls": [{"status": call.result.status.value, "error": call.result.error} for call in result.tool_calls],
            }
print("\n" + json.dumps(out, default=str), flush=True)
os._exit(0)
