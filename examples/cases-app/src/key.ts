// The API key: of this browser tab only, and gone with it. A demonstration's page brings one.

const STORED = "cases-app.key";

export function knownKey(): string {
  const page = document.querySelector<HTMLMetaElement>('meta[name="casegraph-demo-key"]');
  return sessionStorage.getItem(STORED) ?? page?.content ?? "";
}

export function rememberKey(key: string): void {
  sessionStorage.setItem(STORED, key);
}

export function forgetKey(): void {
  sessionStorage.removeItem(STORED);
}

// A key as people paste it, with or without the name of the scheme.
export function cleaned(text: string): string {
  return text.trim().replace(/^bearer\s+/i, "");
}
