import { readFileSync } from "node:fs";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

// The documents that the app names by their ids: the server is started with them.
function manifest(): Plugin {
  return {
    name: "manifest",
    generateBundle() {
      const source = readFileSync("persisted.json");
      this.emitFile({ type: "asset", fileName: "persisted.json", source });
    },
  };
}

// The gateway serves the built app at / and its files below /app, from a folder of its own.
export default defineConfig({
  base: "/app/",
  plugins: [react({ babel: { plugins: [["relay", { eagerEsModules: true }]] } }), manifest()],
  build: {
    outDir: "../../gateway/http/static/cases-app",
    emptyOutDir: true,
    chunkSizeWarningLimit: 700,
    modulePreload: { polyfill: false },
    rollupOptions: { output: { entryFileNames: "app.js", assetFileNames: "[name][extname]" } },
  },
  server: { proxy: { "/graphql": "http://127.0.0.1:8000" } },
});
