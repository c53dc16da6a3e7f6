/** The programs that the tests speak to: the scripted server of the vectors, and a real Signoff server. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

export const ROOT: string = resolve(import.meta.dirname, "../../../..");
export const PYTHON: string = process.env["SIGNOFF_TEST_PYTHON"] ?? join(ROOT, ".venv/bin/python");
const PATIENCE = 45_000;

if (!existsSync(PYTHON)) throw new Error(`${PYTHON} is not there: run make setup, or set SIGNOFF_TEST_PYTHON`);

export async function json(url: string, init?: RequestInit): Promise<any> {
  const answer = await fetch(url, init);
  return answer.json();
}

/** The scripted server: its address, what it plays, and how to end it. */
export interface Scripted {
  readonly url: string;
  readonly vectors: readonly any[];
  readonly apiKey: string;
  readonly closedUrl: string;
  end(): Promise<void>;
}

export async function scriptedServer(): Promise<Scripted> {
  const command = [join(ROOT, "clients/vectors/server.py"), "--until-eof"];
  const process = spawn(PYTHON, command, { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = (await once(createInterface(process.stdout), "line")) as [string];
  const url = line.replace("listening on ", "");
  const listed = await json(`${url}/_vectors`);
  const end = async (): Promise<void> => {
    process.stdin.end();
    await ended(process);
  };
  return { url, vectors: listed.vectors, apiKey: listed.api_key, closedUrl: listed.closed_url, end };
}

async function ended(process: ChildProcess): Promise<void> {
  if (process.exitCode === null && process.signalCode === null) await once(process, "exit");
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** `signoff up` on a folder of its own, to be killed and started again on the same port. */
export class Live {
  readonly folder: string = mkdtempSync(join(tmpdir(), "signoff-live-"));
  readonly #port: number;
  #process: ChildProcess | undefined;

  private constructor(port: number) {
    this.#port = port;
  }

  static async start(): Promise<Live> {
    const live = new Live(await freePort());
    await live.start();
    return live;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get ownerKey(): string {
    return JSON.parse(readFileSync(join(this.folder, ".signoff/credentials.json"), "utf8")).api_key;
  }

  async start(): Promise<void> {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("SIGNOFF_")));
    const command = ["-m", "signoff.cli", "up", "--port", String(this.#port), "--data", join(this.folder, ".signoff")];
    const started = spawn(PYTHON, command, { env, stdio: ["ignore", "pipe", "inherit"] });
    this.#process = started;
    const lines = createInterface(started.stdout);
    const timer = setTimeout(() => started.kill("SIGKILL"), PATIENCE);
    for await (const line of lines) if (line.includes("Stop it with Ctrl-C.")) break;
    clearTimeout(timer);
    started.stdout.resume();
    if (started.exitCode !== null) throw new Error("the server did not start");
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    process?.kill(signal);
    if (process) await ended(process);
  }

  async end(): Promise<void> {
    await this.kill("SIGTERM");
    rmSync(this.folder, { recursive: true, force: true });
  }
}
