// Cleans up when a signal stops the test process. Node does not run `after` hooks
// then, and the services in the background would keep running.
export function onInterrupt(cleanUp) {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.once(signal, async () => {
      // The test runner may have exited. Errors from writing to it must not stop
      // the cleanup.
      for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
      try {
        await cleanUp();
      } finally {
        process.exit(1);
      }
    });
  }
}
