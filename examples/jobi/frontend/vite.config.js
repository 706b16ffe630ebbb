import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig(({ command }) => {
  const backend = process.env.BACKEND_URL;
  // A build needs no backend; the dev server is of little use without one, and
  // a guessed address would only hide that.
  if (command === "serve" && !backend) {
    throw new Error("BACKEND_URL is not set: the dev server has nowhere to send /api");
  }

  return {
    plugins: [react()],
    server: {
      proxy: { "/api": { target: backend, changeOrigin: true } },
    },
  };
});
