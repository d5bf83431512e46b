/**
 * Lets a signal end a service while its modules load, which takes a second or more: nothing is open yet, so it has stopped
 * cleanly, exit code 0. Node loads this before everything else (`--import`), because all that the service's own file
 * imports is loaded before any of it runs. Once the service listens itself, this does nothing.
 *
 * It is JavaScript, which is there a tenth of a second earlier: Node first loads what strips types.
 */
for (const signal of ["SIGTERM", "SIGINT"])
  process.on(signal, () => {
    if (process.listenerCount(signal) === 1) process.exit(0);
  });
