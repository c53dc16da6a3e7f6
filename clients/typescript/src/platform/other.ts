/** For browsers and edge runtimes, which lack Node's modules: no environment, no files, no signals. */

/** A credentials file: its text, or why it is not used. */
export interface CredentialsFile {
  readonly path: string;
  readonly text?: string;
  readonly why?: string;
}

export const isBrowser = (): boolean => typeof window !== "undefined" && typeof window.document !== "undefined";

export function environment(name: string): string | undefined {
  const process = (globalThis as { process?: { env?: Record<string, string | undefined> } }).process;
  return process?.env?.[name];
}

export function readText(_path: string): string {
  throw new TypeError("this runtime has no files");
}

export function* credentialsFiles(): Generator<CredentialsFile> {}

export function processName(): string {
  return "javascript";
}

export function keep(_name: string, _text: string): string {
  return "It could not be saved: this runtime has no files.";
}

export function onSignals(_told: () => void): () => void {
  return () => {};
}
