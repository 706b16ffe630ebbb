import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig(({ command }) => {
  const backend = process.env.BACKEND_URL;
  // A build needs no backend. The dev server does, and a default address could
  // be the backend of another checkout.
  if (command === "serve" && !backend) {
    throw new Error("BACKEND_URL is not set: the dev server cannot forward /api");
  }

  return {
    plugins: [react()],
    server: {
      proxy: { "/api": { target: backend, changeOrigin: true } },
    },
  };
});
