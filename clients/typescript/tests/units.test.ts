/** What the vectors do not reach: how bytes are cut, where settings come from, what is shown of a key, signals. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, describe, test } from "node:test";
import { inspect } from "node:util";
import { Agent, Client, ClientClosed, NotConfigured } from "@signoff/client";
import { ROOT, type Scripted, scriptedServer } from "./processes.js";

const DIST = join(ROOT, "clients/typescript/dist");
const { SseParser } = (await import(join(DIST, "stream.js"))) as { SseParser: new () => { feed(chunk: Uint8Array): { event: string; data: string }[] } };
const { after: timer } = (await import(join(DIST, "time.js"))) as { after: (seconds: number, what: () => void) => () => void };
const { keep } = (await import(join(DIST, "platform/node.js"))) as { keep: (name: string, text: string) => string };
const server: Scripted = await scriptedServer();
after(() => server.end());
const vector = (name: string): string => `${server.url}/v/${crypto.randomUUID()}/${name}`;

test("frames do not depend on chunk boundaries", () => {
  const wire = 'id: 4\nevent: intent.waiting\ndata: {"a": "é€😀"}\n\n: ping\n\ndata:one\ndata: two\nretry: 5\n\nid: 9\n\n';
  const frames = [{ event: "intent.waiting", data: '{"a": "é€😀"}' }, { event: "", data: "one\ntwo" }];
  for (const end of ["\n", "\r\n", "\r"]) {
    const bytes = new TextEncoder().encode(wire.replaceAll("\n", end));
    for (const size of [1, 2, 3, 5, 7, 11, 64, bytes.length]) {
      const parser = new SseParser();
      const found = [];
      for (let at = 0; at < bytes.length; at += size) found.push(...parser.feed(bytes.subarray(at, at + size)));
      assert.deepEqual(found, frames, `${size} bytes at a time, ${JSON.stringify(end)}`);
    }
  }
});

test("a timer that fires early waits for the rest and can still be canceled", async () => {
  const real = globalThis.setTimeout;
  const early = (what: () => void, milliseconds: number) => real(what, Math.max(0, milliseconds - 20));
  globalThis.setTimeout = early as typeof setTimeout;
  try {
    let canceled = true;
    const cancel = timer(0.03, () => (canceled = false));
    const began = performance.now();
    await new Promise<void>((resolve) => {
      timer(0.05, resolve);
      real(cancel, 15);
    });
    assert.ok(performance.now() - began >= 50);
    assert.ok(canceled);
  } finally {
    globalThis.setTimeout = real;
  }
});

test("an endless event is bounded in memory, and pings do not count towards it", () => {
  const large = new TextEncoder().encode(`data: ${"x".repeat(4 * 1024 * 1024)}`);
  assert.throws(() => new SseParser().feed(large), RangeError);
  const parser = new SseParser();
  for (let i = 0; i < 3; i++) parser.feed(new TextEncoder().encode(`: ${"x".repeat(2 * 1024 * 1024)}\n`));
});

describe("settings", () => {
  const folder = mkdtempSync(join(tmpdir(), "signoff-settings-"));
  const before = { ...process.env };
  const here = process.cwd();
  for (const name of Object.keys(process.env)) if (name.startsWith("SIGNOFF_")) delete process.env[name];
  process.env["HOME"] = folder;
  delete process.env["XDG_CONFIG_HOME"];
  const file = (where: string, url: string, api_key: string): void => {
    mkdirSync(where, { recursive: true });
    writeFileSync(join(where, "credentials.json"), JSON.stringify({ url, api_key }));
  };
  afterEach(() => {
    for (const name of Object.keys(process.env)) if (name.startsWith("SIGNOFF_")) delete process.env[name];
  });
  after(() => {
    process.chdir(here);
    Object.assign(process.env, before);
    rmSync(folder, { recursive: true });
  });

  test("missing settings name every place and the next command", () => {
    process.chdir(folder);
    assert.throws(() => new Client(), (error: Error) => error instanceof NotConfigured && /SIGNOFF_URL: not set/.test(error.message) && /signoff up/.test(error.message) && error.message.includes(folder));
  });

  test("options override the environment, which overrides files", () => {
    const deep = join(folder, "a/b");
    file(join(folder, "a/.signoff"), "http://127.0.0.1:7001/", "from-file");
    mkdirSync(deep, { recursive: true });
    process.chdir(deep);
    assert.deepEqual([new Client().settings.url, new Client().settings.apiKey], ["http://127.0.0.1:7001", "from-file"]);
    process.env["SIGNOFF_API_KEY"] = "from-environment";
    assert.equal(new Client().settings.apiKey, "from-environment");
    process.env["SIGNOFF_URL"] = "http://127.0.0.1:7002";
    assert.equal(new Client().settings.url, "http://127.0.0.1:7002");
    assert.equal(new Client({ url: "http://127.0.0.1:7003", apiKey: "given" }).settings.apiKey, "given");
    delete process.env["SIGNOFF_API_KEY"];
    writeFileSync(join(folder, "key"), "of-a-file\n");
    process.env["SIGNOFF_API_KEY_FILE"] = join(folder, "key");
    assert.equal(new Client().settings.apiKey, "of-a-file");
  });

  test("a key from a file is sent only to the address in the same file", () => {
    process.chdir(join(folder, "a/b"));
    assert.equal(new Client({ url: "http://localhost:7001" }).settings.apiKey, "from-file");
    assert.throws(() => new Client({ url: "http://127.0.0.1:7009" }), NotConfigured);
    assert.throws(() => new Client({ url: "https://127.0.0.1:7001" }), NotConfigured);
  });

  for (const [name, options] of Object.entries({
    "an empty address": { url: " ", apiKey: "k" },
    "an empty key": { url: "http://127.0.0.1:1", apiKey: "" },
    "no address": { url: "127.0.0.1:8100", apiKey: "k" },
    "another scheme": { url: "ftp://127.0.0.1", apiKey: "k" },
    "a key in place of the address": { url: "sgn_service_AbC_k3y", apiKey: "k" },
    "a query": { url: "http://127.0.0.1/?a=b", apiKey: "k" },
    "a key of two lines": { url: "http://127.0.0.1:1", apiKey: "k3y\nx-admin: 1" },
  })) {
    test(`${name} is refused, and no key is shown`, () => {
      assert.throws(() => new Client(options), (error: Error) => error instanceof NotConfigured && !error.message.includes("k3y"));
    });
  }

  test("a password in a URL is not shown", () => {
    for (const url of ["http://ann:s3cret@127.0.0.1:1", "http//ann:s3cret@127.0.0.1"]) {
      assert.throws(() => new Client({ url, apiKey: "k" }), (error: Error) => error instanceof NotConfigured && !error.message.includes("s3cret"));
    }
  });
});

test("a printed client shows no key", () => {
  const client = new Client({ url: server.url, apiKey: server.apiKey });
  const agent = new Agent("a", { client });
  for (const shown of [inspect(client, { depth: 9 }), JSON.stringify(client), inspect(client.settings), inspect(agent, { depth: 9 })]) {
    assert.ok(!shown.includes(server.apiKey), shown);
  }
});

test("an argument that is not JSON is an error of the caller and is not sent", async () => {
  const client = new Client({ url: server.url, apiKey: server.apiKey });
  const empty = [new Map([["a", 1]]), new Set([1]), new Error("a"), Promise.resolve(1), /a/, new ArrayBuffer(1)];
  for (const odd of [Number.NaN, Infinity, 1n, () => 1, ...empty, [new Map()]]) {
    const sent = client.sendIntent({ intent_type: "t", payload: { odd } });
    await assert.rejects(sent, (error) => error instanceof TypeError || error instanceof RangeError);
  }
});

test("closing a client ends its pending calls", async () => {
  const client = new Client({ url: vector("wait_in_time_only"), apiKey: server.apiKey });
  const waits = Array.from({ length: 3 }, () => client.observe("0198c0de-0000-7000-8000-000000000000").next().then(() => client.getIntent("0198c0de-0000-7000-8000-000000000000")));
  client.close();
  for (const found of await Promise.allSettled(waits)) {
    assert.ok(found.status === "rejected" && found.reason instanceof ClientClosed, inspect(found));
  }
});

test("an aborted signal sends nothing", async () => {
  const client = new Client({ url: vector("me"), apiKey: server.apiKey });
  await assert.rejects(client.me({ signal: AbortSignal.abort(new Error("early")) }), /early/);
  const verdict = await (await fetch(`${client.settings.url}/_verdict`)).json() as { requests: number };
  assert.equal(verdict.requests, 0);
});

test("forty concurrent waits leave no listeners behind and cause no warning of Node", async () => {
  const warnings: unknown[] = [];
  process.on("warning", (warning) => warnings.push(warning));
  const controller = new AbortController();
  const client = new Client({ url: server.url, apiKey: server.apiKey, fetch: (url, init) => fetch(url.replace("/v1/", `/v/${crypto.randomUUID()}/health/v1/`).replace("/v1/health", "/health"), init) });
  await Promise.all(Array.from({ length: 40 }, () => client.me({ signal: controller.signal }).catch(() => {})));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(warnings, []);
});

test("a kept result can be read by its owner only", () => {
  const said = keep("intent-step/../x", "{}");
  const path = / in (.+)\.$/.exec(said)![1]!;
  assert.equal(statSync(path).mode & 0o777, 0o600);
  rmSync(join(path, ".."), { recursive: true });
});

test("a second signal ends an agent whose handler never ends", { timeout: 30_000 }, async () => {
  const url = vector("agent_stopped_beyond_grace");
  const program = `
    import { Agent } from "@signoff/client";
    const agent = new Agent("agent://validator", { url: ${JSON.stringify(url)}, apiKey: process.argv[1], concurrency: 1 });
    agent.on("*", () => { console.log("began"); return new Promise(() => {}); });
    await agent.run();
    console.log("over");
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program, server.apiKey], { cwd: join(ROOT, "clients/typescript") });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => (said += part));
  while (!said.includes("began")) await once(child.stdout, "data");
  child.kill("SIGINT");
  while (!said.includes("signal again")) await Promise.race([once(child.stdout, "data"), once(child.stderr, "data")]);
  child.kill("SIGINT");
  const [status] = await once(child, "close");
  assert.equal(status, 0, said);
  assert.match(said, /over/);
});

test("any request of the API can be made, to the configured host only", async () => {
  const client = new Client({ url: vector("me"), apiKey: server.apiKey });
  const me = await client.call<{ ok: boolean }>("GET", "/v1/me");
  assert.ok(me.ok);
  for (const path of ["@evil.example/v1/me", ".evil.example/", "", "v1/me"]) await assert.rejects(client.call("GET", path), TypeError);
  await assert.rejects(client.call("POST", "/v1/intents", { body: {}, idempotencyKey: " " }), RangeError);
});
