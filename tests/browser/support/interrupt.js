// A signal ends a test process on the spot, without its `after` hooks. The
// services run in the background and would outlive it, so clean up first.
export function onInterrupt(cleanUp) {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.once(signal, async () => {
      // The runner that reads this process's output may be gone already; a
      // report that nobody takes must not cut the cleaning short.
      for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
      try {
        await cleanUp();
      } finally {
        process.exit(1);
      }
    });
  }
}
