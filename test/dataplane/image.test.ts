import { execFile, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { chmod, readdir } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { projectFolder } from "../../scripts/common/command.js";
import { freePort, waitForHttp } from "../../scripts/common/processes.js";
import { callTool } from "../../scripts/emulation/mcpClient.js";
import { missingDocker } from "./docker.js";
import { startLab } from "./lab.js";

const exec = promisify(execFile);
const docker = async (...args: string[]) => (await exec("docker", args, { maxBuffer: 64 * 1_048_576 })).stdout.trim();
const [, defaultBase] = /^ARG BASE_IMAGE=(.+)$/m.exec(
  readFileSync(path.join(projectFolder, "image/Dockerfile"), "utf8"),
)!;
/** In bytes, as `docker images` counts. */
const SIZE_LIMIT = 450e6;
/**
 * Base image instead of the Dockerfile's, options of the build such as `--network host`, and a pushed image to test
 * instead of a build.
 */
const { IMAGE_TEST_BASE: base, IMAGE_TEST_BUILD_OPTIONS: options = "", IMAGE_TEST_IMAGE: pushed } = process.env;

const missing = missingDocker();
if (missing !== undefined) process.stderr.write(`Skipped: the image's build and run, because ${missing}\n`);

describe.skipIf(missing !== undefined)("the image", () => {
  const built = `holmes-aws-mcp-test:${randomBytes(4).toString("hex")}`;
  const tag = pushed ?? built;
  const container = built.replace(":", "-");
  const build = (name: string) =>
    docker(
      "build",
      ...["--no-cache", "--quiet", "--tag", name],
      ...(base === undefined ? [] : ["--build-arg", `BASE_IMAGE=${base}`]),
      ...options.split(" ").filter(Boolean),
      path.join(projectFolder, "image"),
    );
  const inside = (image: string, ...command: string[]) =>
    docker("run", "--rm", "--network", "none", ...RESTRICTED, image, ...command);

  beforeAll(async () => {
    process.stderr.write("Building the image (some minutes)\n");
    await (pushed === undefined ? build(tag) : docker("pull", pushed));
    await build(`${built}-again`);
  }, 1_800_000);
  afterAll(async () => {
    await docker("rm", "--force", container).catch(() => {});
    await docker("rmi", "--force", tag, `${built}-again`).catch(() => {});
  });

  test("is built to the same package set each time", async () => {
    const packages = (image: string) => inside(image, "sh", "-c", LIST_PACKAGES);
    const [first, second] = [await packages(tag), await packages(`${built}-again`)];
    expect(first).toContain("awslabs.aws-api-mcp-server==1.5.6");
    expect(first).toContain("supergateway@4.0.0");
    expect(first).toMatch(/^(musl|libc6) /m);
    expect(second).toBe(first);
  });

  test("is at most 450 MB", async () => {
    const size = Number(await docker("image", "inspect", tag, "--format", "{{.Size}}"));
    process.stderr.write(`Image: ${(size / 1e6).toFixed(0)} MB on ${base ?? "its own base"}\n`);
    expect(size).toBeLessThanOrEqual(SIZE_LIMIT);
  });

  test("has labels, an unprivileged user and one exposed port", async () => {
    const config = JSON.parse(await docker("image", "inspect", tag, "--format", "{{json .Config}}"));
    expect(config.User).toBe("10001:10001");
    expect(Object.keys(config.ExposedPorts)).toEqual(["8000/tcp"]);
    expect(config.Labels).toMatchObject({
      "org.opencontainers.image.title": "aws-api-mcp-server",
      "org.opencontainers.image.licenses": "Apache-2.0",
      "org.opencontainers.image.base.name": base ?? defaultBase,
    });
    expect(config.Env).toContain("READ_OPERATIONS_ONLY=true");
  });

  test("has no installer, unpatched gateway, cache or setuid bit", async () => {
    const found = await inside(tag, "sh", "-c", FIND_LEFTOVERS);
    expect(found).toBe("");
    const routing = "/opt/gateway/node_modules/supergateway/dist/lib/sessionRouting.js";
    expect(await inside(tag, "sh", "-c", `ls ${routing}; id -u`)).toBe(`${routing}\n10001`);
  });

  test("responds on a read-only root file system without capabilities, and stops at once", async () => {
    // The real server requires a network to start, so the gateway runs a minimal server.
    const echo = [
      "import sys, json",
      "for line in sys.stdin:",
      "    m = json.loads(line)",
      "    'id' in m and print(json.dumps({'jsonrpc': '2.0', 'id': m['id'], 'result': {}}), flush=True)",
    ].join("\n");
    await docker(
      ...["run", "--detach", "--name", container, "--network", "none", ...RESTRICTED, tag],
      ...["node", "/opt/gateway/node_modules/.bin/supergateway", "--stdio", `exec /opt/venv/bin/python -c "${echo}"`],
      ...["--outputTransport", "sse", "--host", "127.0.0.1", "--port", "8000", "--healthEndpoint", "/healthz"],
    );
    const health =
      "fetch('http://127.0.0.1:8000/healthz').then(async (r) => console.log(r.status, await r.text()), () => console.log('not yet'))";
    let answer = "";
    for (let attempt = 0; attempt < 100 && answer !== "200 ok"; attempt += 1) {
      await sleep(100);
      answer = await docker("exec", container, "node", "-e", health);
    }
    expect(answer).toBe("200 ok");
    await docker("stop", "--time", "5", container);
    expect(await docker("inspect", container, "--format", "{{.State.ExitCode}}")).toBe("0");
  });

  test.each(["sse", "streamable-http"] as const)("returns the identity of the account over %s", async (transport) => {
    const lab = await startLab();
    try {
      const port = await freePort();
      const { PATH: _, ...here } = await lab.launcherEnvironment();
      // User 10001 reads the files.
      for (const name of ["", ...(await readdir(lab.folder, { recursive: true }))])
        await chmod(path.join(lab.folder, name), 0o755);
      const http = {
        AWS_API_MCP_TRANSPORT: transport,
        AWS_API_MCP_HOST: "127.0.0.1",
        AWS_API_MCP_PORT: String(port),
        AUTH_TYPE: "no-auth",
      };
      const command =
        transport === "sse"
          ? [
              ...["/opt/gateway/node_modules/.bin/supergateway", "--stdio", `exec ${SERVER}`, "--logLevel", "none"],
              ...["--outputTransport", "sse", "--host", "127.0.0.1", "--port", String(port)],
            ]
          : [SERVER];
      const variables = { ...here, HOME: "/home/mcp", TMPDIR: "/tmp", ...(transport === "sse" ? {} : http) };
      await docker(
        ...["run", "--detach", "--name", `${container}-${transport}`, "--network", "host", ...RESTRICTED],
        ...["--volume", `${lab.folder}:${lab.folder}:ro`],
        ...Object.entries(variables).flatMap(([name, value]) => ["--env", `${name}=${value}`]),
        ...[tag, ...command],
      );
      await waitForHttp(`http://127.0.0.1:${port}/`, { timeoutMs: 120_000 });
      const endpoint = { transport, url: `http://127.0.0.1:${port}/${transport === "sse" ? "sse" : "mcp"}` };
      for (const mark of [0, 1, 2]) {
        const { command: cli_command, arn } = lab.marked(mark);
        const { text } = await callTool(endpoint, "call_aws", { cli_command });
        expect(text.replaceAll('\\"', '"')).toContain(arn);
      }
      expect(await docker("logs", `${container}-${transport}`)).not.toContain("arn:");
    } finally {
      await docker("rm", "--force", `${container}-${transport}`).catch(() => {});
      await lab.close();
    }
  });

  test("starts the launcher by default, and reports why it cannot", async () => {
    const { status, stderr } = spawnSync("docker", ["run", "--rm", "--network", "none", ...RESTRICTED, tag], {
      encoding: "utf8",
    });
    expect(status).not.toBe(0);
    expect(stderr).toContain("The stdio server ended: code=1");
    expect(stderr).toContain("HOLMES_AWS_MCP_CONFIG: not set.");
  });
});

const SERVER = "/opt/venv/bin/holmes-aws-mcp";
/** What Pod Security `restricted` and the Deployment require. */
const RESTRICTED = [
  ...["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "10001:10001"],
  ...["--tmpfs", "/home/mcp:uid=10001,gid=10001,mode=700", "--tmpfs", "/tmp"],
];
const LIST_PACKAGES = `
/opt/venv/bin/python -c "import importlib.metadata as m; print(*sorted(f'{d.name}=={d.version}' for d in m.distributions()), sep='\\n')"
node -e "const l = require('/opt/gateway/node_modules/.package-lock.json').packages; for (const [k, v] of Object.entries(l)) console.log(k.replace(/.*node_modules\\//, '') + '@' + v.version)"
if command -v apk > /dev/null; then apk info -v 2> /dev/null | sed 's/-\\([0-9]\\)/ \\1/' | sort; else dpkg-query -W -f '\${Package} \${Version}\\n'; fi
`;
const FIND_LEFTOVERS = `
find / -xdev \\( -path /proc -o -path /sys -o -path /dev \\) -prune -o -type f \\( -perm -4000 -o -perm -2000 \\) -print 2> /dev/null
ls -d /usr/local/lib/node_modules /usr/lib/node_modules ~root/.npm ~root/.cache /build /opt/venv/bin/pip 2> /dev/null
ls /var/cache/apk 2> /dev/null
command -v npm npx yarn supergateway pip
true
`;
