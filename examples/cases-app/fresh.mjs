// Begins the manifest anew: relay-compiler only adds to it, and only what it compiles again.
import { rmSync, writeFileSync } from "node:fs";

rmSync("src/__generated__", { recursive: true, force: true });
writeFileSync("persisted.json", "{}");
