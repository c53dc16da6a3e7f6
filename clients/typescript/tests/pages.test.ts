/**
 * The programs of the README and of the guide: compiled under the strictest rules, and run against a real server. A block that
 * begins with a file's name begins that program; the blocks after it continue it.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Client, type Task } from "@signoff/client";
import { Live, ROOT } from "./processes.js";

const HERE = join(ROOT, "clients/typescript");
const PAGES = { readme: join(HERE, "README.md"), guide: join(ROOT, "docs/how-to/typescript.md") };
const BUILD = join(HERE, "build/pages");
const PROGRAMS = join(HERE, "build/programs");
let live: Live;
let owner: Client;

function programs(page: string): Map<string, string> {
  const found = new Map<string, string>();
  let name = "";
  for (const [, block = ""] of readFileSync(page, "utf8").matchAll(/^```ts\n(.*?)^```/gms)) {
    name = /^\/\/ (\w+)\.ts\n/.exec(block)?.[1] ?? name;
    assert.ok(name, "the first block names its program");
    found.set(name, (found.get(name) ?? "") + block);
  }
  return found;
}

before(async () => {
  rmSync(BUILD, { recursive: true, force: true });
  for (const [page, path] of Object.entries(PAGES)) {
    mkdirSync(join(BUILD, page), { recursive: true });
    for (const [name, text] of programs(path)) writeFileSync(join(BUILD, page, `${name}.ts`), text);
  }
  const options = { rootDir: ".", outDir: PROGRAMS, declaration: false, isolatedDeclarations: false };
  writeFileSync(join(BUILD, "tsconfig.json"), JSON.stringify({ extends: "../../tsconfig.json", compilerOptions: options, include: ["."] }));
  const compiled = spawnSync(join(HERE, "node_modules/.bin/tsc"), ["-p", BUILD], { encoding: "utf8" });
  assert.equal(compiled.status, 0, compiled.stdout);
  live = await Live.start();
  owner = new Client({ url: live.url, apiKey: live.ownerKey });
});
after(() => live.end());

function run(page: string, name: string): ChildProcess {
  const env = { ...process.env, SIGNOFF_URL: live.url, SIGNOFF_API_KEY: live.ownerKey };
  return spawn(process.execPath, [join(PROGRAMS, page, `${name}.js`)], { env, stdio: ["ignore", "pipe", "pipe"] });
}

/** Approve whatever is asked, until the program has ended; what it printed. */
function approving(program: ChildProcess): Promise<string> {
  return deciding(program, (task) => owner.approve(task));
}

async function deciding(program: ChildProcess, decide: (task: Task) => Promise<unknown>): Promise<string> {
  let said = "";
  program.stdout?.on("data", (part) => (said += part));
  program.stderr?.on("data", (part) => (said += part));
  const closed = once(program, "close");
  for (let over = false; !over; ) {
    for (const task of await owner.tasks.list()) await decide(task);
    over = await Promise.race([closed.then(() => true), pause(100, false)]);
  }
  assert.equal(program.exitCode, 0, said);
  return said;
}

test("the guide's program gets its decision and raises every error it names", { timeout: 60_000 }, async () => {
  const said = await approving(run("guide", "ask"));
  assert.match(said, /^COMPLETED true per_\w+$/m);
  assert.match(said, /^it was approved$/m);
  assert.match(said, /intent\.completed COMPLETED/);
});

test("the README's program gets its decision", { timeout: 60_000 }, async () => {
  assert.match(await approving(run("readme", "ask")), /^refund it per_\w+$/m);
});

test("the guide's gated functions run with the approved arguments only", { timeout: 60_000 }, async () => {
  const said = await deciding(run("guide", "gate"), (task) => {
    return task.payload["amount"] === 9000 ? owner.reject(task, { comment: "Too much." }) : owner.approve(task);
  });
  const lines = said.trim().split("\n").map((line) => line.replace(/(asked|by) \S+$/, "$1 X"));
  assert.deepEqual(lines, [
    "paid 420 for A-4721",
    "delete /data/old ",
    "The call was rejected: Too much.",
    "asked X",
    "paid 12 for A-4723",
    "paid 3 for A-4724",
    "paid, approved by X",
    "it ran before",
  ]);
});

test("the README's gated function runs once it is approved", { timeout: 60_000 }, async () => {
  assert.equal(await approving(run("readme", "gate")), "paid 420 for A-4721\n");
});

for (const page of ["readme", "guide"]) {
  test(`the agent of the ${page} does its step`, { timeout: 60_000 }, async () => {
    const type = "intent.refund.v1";
    await owner.applyWorkflow({ workflow: "refund", intent_type: type, steps: [{ id: "check", agent: "refund-checker" }] });
    const agent = run(page, "agent");
    await once(createInterface(agent.stderr!), "line");
    const intentId = await owner.sendIntent({ intent_type: type, payload: { customer: "ACME", amount: 5000 } });
    const result = await owner.waitFor(intentId, { timeoutSeconds: 30 });
    assert.deepEqual([result.status, result.result?.["risk"]], ["COMPLETED", "high"]);
    agent.kill("SIGTERM");
    const [status] = await once(agent, "close");
    assert.equal(status, 0);
  });
}
